"""Thoughts, maps and prompts as HTML and text: nothing a model writes becomes markup."""

import pytest

from o1lab.model.rollouts import Rollout
from o1lab.model.tokens import build_tokenizer
from o1lab.show.atlas import NOTEBOOKS, lab_map
from o1lab.show.traces import compare, explain_prompt, thought
from o1lab.tasks.base import Verdict

TEXT = "<think>\nBob = Ann + 7 = 12 + 7 = 19\nCid = <b>Bob</b> = 20\n</think>\n20"
VERDICTS = [Verdict(True), Verdict(False, "wrong operand", "Bob was 19")]


def rollout(text=TEXT):
    return Rollout(None, [1], [2] * 20, [0.0] * 20, text, finished=True)


def test_a_thought_is_folded_and_judged():
    view = thought(rollout(), VERDICTS, ok=False)
    assert "<details>" in view.html and "Thought for 20 tokens, 1 of 2 steps wrong" in view.html
    assert "<b>Bob</b>" not in view.html and "&lt;b&gt;Bob" in view.html
    assert "✗ answer: 20" in view.text and "wrong operand: Bob was 19" in view.text
    assert "<details open>" in thought(rollout(), hidden=False).html


def test_thoughts_that_are_missing_or_cut():
    assert "answered at once" in thought(rollout("19")).text
    assert "ran out of room" in thought(rollout("<think>\nBob = 3\n")).text
    with pytest.raises(ValueError, match="1 verdicts for 2 steps"):
        thought(rollout(), VERDICTS[:1])


def test_side_by_side():
    view = compare({"direct": rollout("19"), "thinks": rollout()}, {"thinks": VERDICTS})
    assert view.html.count("Answer:") == 2 and view.text.startswith("direct\n")


def test_a_prompt_in_tokens():
    view = explain_prompt("Make 24 from 3 5.\n", build_tokenizer())
    assert view.text == "8 tokens: Make | 24 | from | 3 | 5 | . | ↵" or "↵" in view.text


def test_the_map_links_what_exists(tmp_path):
    (tmp_path / "01_chain_of_thought.ipynb").write_text("{}")
    view = lab_map("00", tmp_path)
    assert view.text.count("coming") == len(NOTEBOOKS) - 2
    assert 'href="01_chain_of_thought.ipynb"' in view.html and "you are here" in view.html
    with pytest.raises(ValueError, match="00 to 12"):
        lab_map("77")
