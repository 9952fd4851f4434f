"""Verdicts by rule, staleness by syntax tree, and the README's table."""

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


def test_every_threshold_names_functions_that_exist():
    for name, rule in claims.thresholds().items():
        assert claims.fingerprint(rule["functions"]), name
        assert rule["paper"]["reference"] in (data_dir() / "references.json").read_text()


def test_thresholds_are_older_than_their_results():
    """In the history the first commit of a threshold precedes that of its claim."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    for claim in claims.recorded():
        order = [_first_commit(f) for f in ("thresholds.json", f"claims/{claim.id}.json")]
        assert order[1] is None or (order[0] is not None and order[0] < order[1]), claim.id


def _first_commit(name: str) -> int | None:
    """The place in the history of the commit that added data/results/<name>."""
    listed = subprocess.run(
        ["git", "log", "--reverse", "--format=%H", "--", f"data/results/{name}"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    if not listed:
        return None
    count = ["git", "rev-list", "--count", listed[0]]
    return int(subprocess.run(count, cwd=ROOT, capture_output=True, text=True, check=True).stdout)


def test_recorded_claims_follow_from_the_recorded_results():
    """What stands in data/results/claims is what the grids and the rule give, to the digit."""
    from o1lab.make import lesson01

    known = {claim.id: claim for claim in claims.recorded()}
    fresh = {claim.id: claim for claim in lesson01.claims()}
    assert known.keys() == fresh.keys() == claims.thresholds().keys()
    for name, claim in fresh.items():
        assert json.dumps(known[name].ours) == json.dumps(claim.ours)
        assert known[name].verdict == claim.verdict and not claims.stale(known[name])


def test_the_readme_holds_the_table():
    text = (ROOT / "README.md").read_text()
    assert claims.in_readme(text, claims.recorded()) == text
    with pytest.raises(ValueError, match="no <!-- claims -->"):
        claims.in_readme("no markers", [])


def test_a_changed_function_marks_the_row():
    one = claims.recorded()[0]
    assert "(stale)" not in claims.table([one])
    assert "(stale)" in claims.table([replace(one, code="0")])
