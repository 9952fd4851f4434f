"""Thoughts, maps and prompts as HTML and text: nothing a model writes becomes markup."""

from pathlib import Path

import pytest

from o1lab.model.rollouts import Rollout
from o1lab.model.tokens import build_tokenizer
from o1lab.show.atlas import NOTEBOOKS, lab_map
from o1lab.show.traces import compare, explain_prompt, explain_tokens, thought
from o1lab.tasks.base import Verdict

TEXT = "<think>\nBob = Ann + 7 = 12 + 7 = 19\nCid = <b>Bob</b> = 20\n</think>\n20"
VERDICTS = [Verdict(True), Verdict(False, "wrong operand", "Bob was 19")]
README = Path(__file__).resolve().parents[2] / "README.md"


def rollout(text=TEXT, ends=(12, 23), finished=True):
    return Rollout(None, [1], [2] * 30, [0.0] * 30, text, list(ends), finished)


def test_a_thought_is_folded_and_judged():
    view = thought(rollout(), VERDICTS, ok=False)
    assert "<details>" in view.html and "Thought for 23 tokens: 2 steps, 1 wrong" in view.html
    assert "✗ Cid = <b>Bob</b> = 20   (wrong operand: Bob was 19)" in view.text
    assert "Answer: 20 ✗ wrong" in view.text and 'aria-label="wrong"' in view.html
    assert "<details open>" in thought(rollout(), hidden=False).html


IDLE = Verdict(False, "irrelevant", "true, but the question needs no such Cid")


def test_an_idle_step_is_not_a_wrong_one():
    view = thought(rollout(), [Verdict(True), IDLE], ok=True)
    assert "2 steps, 1 idle" in view.text and "✗" not in view.html
    assert "○ Cid = <b>Bob</b> = 20   (true, but the question needs no such Cid)" in view.text
    assert 'aria-label="idle"' in view.html and "unfinished" not in view.text
    assert "1 wrong, 1 idle" in thought(rollout(), [VERDICTS[1], IDLE]).text


def test_a_thought_that_stops_early_is_called_unfinished():
    view = thought(rollout(), [Verdict(True), Verdict(True)], ok=False)
    line = "unfinished: every step is right, but the thought stops early"
    assert line in view.text and "every step is right" in view.html
    assert "2 steps, unfinished" in view.text and "no mistake" not in view.text
    assert "no step is wrong, but" in thought(rollout(), [Verdict(True), IDLE], False).text
    for verdicts, ok in (([Verdict(True)] * 2, True), ([Verdict(True)] * 2, None),
                         (VERDICTS, False), (None, False)):  # fmt: skip
        assert "unfinished" not in thought(rollout(), verdicts, ok).text
    assert "unfinished" not in thought(rollout("19", []), [], ok=False).text


def test_what_a_model_writes_is_never_markup():
    hostile = rollout("<think>\n<script>a</script>\n</think>\n<img src=x>", [4])
    verdict = [Verdict(False, "malformed", "<script>b</script>")]
    view = thought(hostile, verdict, ok=False)
    assert "<script" not in view.html and "<img" not in view.html
    assert "&lt;script&gt;a" in view.html and "&lt;script&gt;b" in view.html


def test_a_step_without_verdict_is_neither_right_nor_wrong():
    view = thought(rollout())
    assert "✓" not in view.html and "✗" not in view.html and view.text.endswith("Answer: 20")


def test_thoughts_that_are_missing_or_cut():
    assert "Answered at once" in thought(rollout("19", [])).text
    cut = rollout("<think>\nBob = 3", [30], finished=False)
    assert "Answer: none (cut at its length limit)" in thought(cut).text
    assert "none (it stopped without one)" in thought(rollout("<think>\n</think>\n", [])).text
    with pytest.raises(ValueError, match="1 verdicts for 2 steps"):
        thought(rollout(), VERDICTS[:1])


def test_side_by_side():
    both = {"direct": rollout("19", []), "thinks": rollout()}
    view = compare(both, {"thinks": VERDICTS}, {"direct": True})
    assert view.html.count("Answer:") == 2 and view.text.startswith("direct\n")
    assert "19 ✓ right" in view.text and "<details open>" in view.html
    with pytest.raises(ValueError, match="there are direct, thinks"):
        compare(both, oks={"think": True})


def test_a_prompt_in_tokens():
    view = explain_prompt("Make 24 from 3 5.\n", build_tokenizer())
    assert view.text == "7 tokens: Make | 24 | from | 3 | 5 | . | ↵"


def test_learned_tokens_are_marked():
    tokenizer = build_tokenizer()
    view = explain_tokens(tokenizer.encode("Make 24"), tokenizer, [0.0, 1.0])
    assert view.text.endswith("Make | [24]") and "1 of them learned" in view.text
    with pytest.raises(ValueError, match="1 weights for 2 tokens"):
        explain_tokens([1, 2], tokenizer, [1.0])


def test_the_map_links_what_exists(tmp_path):
    (tmp_path / "01_chain_of_thought.ipynb").write_text("{}")
    view = lab_map("00", tmp_path)
    assert view.text.count("(coming)") == len(NOTEBOOKS) - 2
    assert view.html.count("<a ") == 1 and 'href="01_chain_of_thought.ipynb"' in view.html
    assert view.text.split("\n")[0].endswith("(you are here)")
    with pytest.raises(ValueError, match="00 to 12"):
        lab_map("77")


def test_the_map_asks_what_the_readme_asks(tmp_path):
    rows = README.read_text()
    for line in lab_map("00", tmp_path).text.split("\n"):
        title, question = line.removesuffix(" (coming)").removesuffix(" (you are here)").split(": ")
        assert title in rows and question in rows
