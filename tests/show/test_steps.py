"""The step viewer: a score and a verdict a step, best rollouts first, no markup from a model."""

import pytest

from o1lab.rewards.aggregate import aggregate_rows
from o1lab.rewards.base import ExactScorer
from o1lab.show.steps import browse, scored
from o1lab.tasks import task
from tests.rewards.traces import BAD, stepless, trace, worked

STORIES = task("stories")


def verdicts(rollout):
    return STORIES.verdicts(rollout.problem, STORIES.steps(rollout.thoughts))


def test_every_step_shows_its_score_beside_the_verdict():
    rollout = worked(0, 3, wrong=(1,))
    view = scored(rollout, [0.91, 0.4, 1.2], verdicts(rollout), ok=False)
    lines = view.text.split("\n")
    assert lines[0].startswith("0.91 ✓") and lines[1].startswith(f"0.40 ✗ {BAD}")
    assert lines[-1].endswith("wrong") and "width:110px" in view.html and "width:44px" in view.html
    with pytest.raises(ValueError, match="2 scores and 3 verdicts for 3 steps"):
        scored(rollout, [1, 1], verdicts(rollout))


def test_what_a_model_wrote_is_no_markup():
    rollout = trace(worked(0).problem, "<think>\n<b>x</b>\n</think>\n<i>")
    view = scored(rollout, [0.5], verdicts(rollout))
    assert "<b>x" not in view.html and "<i>" not in view.html


def test_rollouts_are_browsed_from_best_to_worst(capsys):
    group = [worked(0, 3, wrong=(0, 1)), worked(0, 3), stepless()]
    scores = ExactScorer(STORIES)(group)
    browse(group, scores, aggregate_rows(scores, "product"), STORIES)
    said = capsys.readouterr().out
    assert said.startswith("rank 1 of 2, worth 1.00") and BAD not in said
    with pytest.raises(ValueError, match="no rollout has a step"):
        browse([stepless()], [[]], [0.0], STORIES)
