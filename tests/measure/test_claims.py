"""Verdicts by rule, staleness by syntax tree, and the README's table."""

import ast
import json
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1lab.measure import claims
from o1lab.paths import data_dir

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("value", "expected"),
    [((0.5, 0.3, 0.7), "reproduces shape"), ((0.5, 0.1, 0.7), "direction only"),
     ((0.1, -0.1, 0.3), "not testable at this scale"), ((-0.3, -0.5, -0.1), "contradicts")],
)  # fmt: skip
def test_the_rule(value, expected):
    assert claims.verdict(value, ">", 0, 0.2) == expected
    mirrored = (-value[0], -value[2], -value[1])
    assert claims.verdict(mirrored, "<", 0, -0.2) == expected


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted))
def test_every_interval_has_one_verdict(value):
    low, mid, high = value
    assert claims.verdict((mid, low, high), ">", 0, 0.2) in claims.VERDICTS


def test_nothing_is_judged_without_a_threshold():
    with pytest.raises(KeyError, match="thresholds"):
        claims.judged("99-nothing", (0, 0, 0), seeds=[], problems=1, flops=0, device="", command="",
                      date="")  # fmt: skip


def test_comments_and_docstrings_do_not_make_a_claim_stale(tmp_path, monkeypatch):
    source = tmp_path / "some_module.py"
    monkeypatch.syspath_prepend(tmp_path)
    prints = []
    for body in ('"""Words."""\n    return 1', "# a comment\n    return 1", "return 2"):
        source.write_text(f"def f():\n    {body}\n")
        prints.append(claims.fingerprint(["some_module.f"]))
    assert prints[0] == prints[1] != prints[2]
    with pytest.raises(ValueError, match="not there any more"):
        claims.fingerprint(["some_module.g"])


def test_the_hash_is_the_same_on_every_python(tmp_path, monkeypatch):
    """`ast.dump` writes empty fields on some versions only; a recorded hash must outlive them."""
    source = tmp_path / "fixed_module.py"
    monkeypatch.syspath_prepend(tmp_path)
    source.write_text(
        "@cache\ndef f(a, *rest, b: int = 0, **more) -> str:\n"
        "    return f'{a!r:>4} {b + 1}' if rest else (lambda x=None: [x for _ in more])()\n"
    )
    assert claims.fingerprint(["fixed_module.f"]) == "674a10ef12cb46da"


@given(st.sampled_from(["0", "1", "None", "False", "''", "[]", "()", "x", "-x"]))
def test_no_two_values_look_alike_to_the_hash(value):
    def plain(text: str) -> str:
        return repr(claims._plain(ast.parse(text)))

    others = {"0", "1", "None", "False", "''", "[]", "()", "x", "-x"} - {value}
    assert plain(f"y = {value}") not in {plain(f"y = {other}") for other in others}
    assert plain("return_ = f()") != plain(f"return_ = f({value})")


def test_every_threshold_names_functions_that_exist():
    for name, rule in claims.thresholds().items():
        assert claims.fingerprint(rule["functions"]), name
        assert rule["paper"]["reference"] in (data_dir() / "references.json").read_text()


def test_thresholds_are_older_than_their_results():
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    if git(ROOT, "rev-parse", "--is-shallow-repository").strip() == "true":
        pytest.skip("the history is not all here")
    assert not [c.id for c in claims.recorded() if moved(ROOT, c.id, claims.thresholds()[c.id])]


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [(0.2, 0.2, False), (0.2, 0.1, True), (None, 0.2, True)],
    ids=["kept", "lowered afterwards", "written with the result"],
)
def test_a_threshold_moved_after_its_result_is_found(tmp_path, before, after, fault):
    git(tmp_path, "init", "-q")
    rule = {"direction": ">", "null": 0, "statistic": "difference"}
    first = {"a": rule | {"shape": before}} if before is not None else {"other": rule}
    commit(tmp_path, "thresholds.json", first)
    last = {"a": rule | {"shape": after}}
    (tmp_path / THRESHOLDS).write_text(json.dumps(last))
    commit(tmp_path, "claims/a.json", {})
    assert moved(tmp_path, "a", last["a"]) == fault


THRESHOLDS = "data/results/thresholds.json"


def moved(root: Path, name: str, rule: dict) -> bool:
    """Whether a claim's rule differs from what the last commit before its result held."""
    added = git(root, "log", "--reverse", "--format=%H", "--", f"data/results/claims/{name}.json")
    before = f"{added.split()[0]}^" if added else "HEAD"  # a claim not committed yet: HEAD
    held = json.loads(git(root, "show", f"{before}:{THRESHOLDS}")).get(name, {})
    return any(held.get(key) != rule[key] for key in ("direction", "null", "shape", "statistic"))


def commit(root: Path, name: str, record: dict) -> None:
    path = root / "data" / "results" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    git(root, "add", ".")
    git(root, "-c", "user.name=t", "-c", "user.email=t@t", "commit", "-q", "-m", name)


def git(root: Path, *words: str) -> str:
    command = ["git", "-c", "core.hooksPath=", "-C", str(root), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_recorded_claims_follow_from_the_recorded_results():
    """What stands in data/results/claims is what the records and the rule give on any machine."""
    from o1lab.make import lesson01, lesson02, lesson03, lesson04, lesson05, lesson05_paid

    known = {claim.id: claim for claim in claims.recorded()}
    every = [
        *lesson01.claims(),
        *lesson02.claims(),
        *lesson03.claims(),
        *lesson04.claims(),
        *lesson05.claims(),
        *lesson05_paid.claims(),
    ]
    fresh = {claim.id: claim for claim in every}
    # A threshold is committed before its result, so some may still wait for theirs.
    assert known.keys() == fresh.keys() <= claims.thresholds().keys()
    for name, claim in fresh.items():
        assert known[name].ours == pytest.approx(claim.ours, abs=1e-3)
        assert known[name].verdict == claim.verdict and not claims.stale(known[name])


def test_the_readme_holds_the_table():
    text = (ROOT / "README.md").read_text()
    assert claims.in_readme(text, claims.recorded()) == text
    with pytest.raises(ValueError, match="no <!-- claims -->"):
        claims.in_readme("no markers", [])


KNOWN = {"seeds": [0.4, 0.5], "problems": 200, "flops": 1e12, "device": "2 CPU cores",
         "command": "python -m o1lab arms", "date": "2026-01-01"}  # fmt: skip


def test_a_changed_function_marks_the_row():
    one = claims.judged("01-thinking-beats-direct", (0.45, 0.4, 0.5), **KNOWN)
    assert one.verdict == "reproduces shape" and "(stale)" not in claims.table([one])
    assert "(stale)" in claims.table([replace(one, code="0")])


def test_the_table_speaks_in_points_and_names_papers():
    one = claims.judged("01-thinking-beats-direct", (0.45, 0.4, 0.5), **KNOWN)
    row = claims.table([one])
    assert "+45.0 points (+40.0 to +50.0)" in row and "| +40.0, +50.0 |" in row
    assert "Wei et al. 2022" in row and "wei-gsm8k" not in row
    later = claims.judged("01-direct-falls-with-steps", (1.2, 1.1, 1.3), **KNOWN)
    assert "+1.20 moves (+1.10 to +1.30)" in claims.table([later])


@pytest.mark.parametrize(
    ("reference", "name"),
    [("merrill-theory", "Merrill & Sabharwal 2023"), ("o1-aime", "OpenAI 2024"),
     ("r1-cost", "DeepSeek-AI 2025"), ("spurious-rewards", "Shao et al. 2025"),
     ("unknown", "unknown")],
)  # fmt: skip
def test_papers_have_short_names(reference, name):
    assert claims.short_name(reference) == name


def test_a_claim_is_written_whole_read_back_and_refused_without_thresholds(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "folder", lambda: tmp_path / "claims")
    one = claims.judged("01-thinking-beats-direct", (0.45, 0.4, 0.5), **KNOWN)
    claims.record(one)
    claims.record(one)  # again, in place of the first
    assert [path.name for path in claims.folder().iterdir()] == [f"{one.id}.json"]
    assert claims.recorded() == [one]
    with pytest.raises(KeyError, match="commit them"):
        claims.record(replace(one, id="99-nothing"))
    assert claims.recorded() == [one]
