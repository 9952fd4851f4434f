"""From scores to a policy's chances: the logistic curve that was put in, dev puzzles only."""

from types import SimpleNamespace

import numpy as np
import pytest

from o1lab.make import chances
from o1lab.model.checkpoints import load
from o1lab.rewards.base import ExactScorer
from o1lab.tasks.countdown_splits import split_of_state
from o1lab.tasks.lessons import lesson


def test_the_curve_that_made_the_data_is_found():
    rng = np.random.default_rng(0)
    scores = rng.uniform(0.05, 0.95, 20_000)
    right = rng.random(20_000) < 1 / (1 + np.exp(2.0 - 0.7 * chances.log_odds(scores)))
    assert chances.logistic(scores, right.astype(float)) == pytest.approx([-2.0, 0.7], abs=0.1)
    intercept, slope = chances.logistic(np.array([0.1, 0.9]), np.array([0.0, 1.0]))
    assert slope > 0 and np.isfinite(intercept), "data that a line separates have a curve too"


def test_puzzles_are_of_the_dev_split_and_distinct():
    puzzles = chances.dev_puzzles(6)
    assert {split_of_state(*p.data) for p in puzzles} == {"dev"}
    assert len({p.prompt for p in puzzles}) == 18 == len(puzzles)


def test_a_worth_rises_with_the_score_and_knows_how_many_numbers_are_left():
    worth = chances.worth({"2": [-1.0, 1.0], "3": [-3.0, 1.0]})

    def after(steps):
        return SimpleNamespace(
            problem=SimpleNamespace(data=((1, 2, 3, 4), 9)), step_ends=list(range(steps))
        )

    assert worth(after(2), 0.5) == pytest.approx(1 / (1 + np.e))
    assert worth(after(2), 0.5) > worth(after(1), 0.5) and worth(after(1), 0.9) > worth(
        after(1), 0.5
    )
    assert worth(after(3), 0.4) == 0.4, "nothing was fitted with one number left"
    assert worth(after(2), 1.0) == worth(after(2), chances.SURE)


def test_a_perfect_value_lifts_living_beginnings():
    fitted = chances.fit(ExactScorer(lesson("countdown")[0]), load("countdown-cot"), count=8)
    assert set(fitted) <= {"2", "3", "4", "5"} and fitted["2"][1] > 0
