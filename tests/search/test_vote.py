"""Voting and choosing by score, and the oracle as a scorer."""

import pytest

from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import ExactScorer, score
from o1lab.search.vote import best_of_n, majority, vote_curve
from o1lab.tasks import task


def rollout(text, steps=1, problem=None):
    return Rollout(problem, [1], [2, 3], [0.0, 0.0], text, list(range(1, steps + 1)), True)


def test_majority_counts_and_breaks_ties_by_first():
    assert majority(["4", "5", "5"]) == "5"
    assert majority(["4", "5", "5", "4"]) == "4"
    assert majority([None, None, "7"]) == "7"
    assert majority([None]) is None


def test_vote_curve_needs_enough_answers():
    assert vote_curve([["1", "2", "2"]], ["2"], [1, 3]) == [[0.0], [1.0]]
    with pytest.raises(ValueError, match="only 3"):
        vote_curve([["1", "2", "2"]], ["2"], [4])


def test_best_of_n_takes_the_best_weakest_step():
    good, bad = rollout("<think>\na\n</think>\n1"), rollout("<think>\nb\n</think>\n2")
    open_thought = rollout("<think>\nc\n")

    def scorer(rollouts):
        return [[1.0 if r is open_thought else 0.9 if r is good else 0.1] for r in rollouts]

    assert best_of_n([bad, open_thought, good], scorer) is good
    with pytest.raises(ValueError, match="at least one"):
        best_of_n([], scorer)


def test_a_wrong_number_of_scores_is_an_error():
    with pytest.raises(ValueError, match="rollout 0 has 1 steps"):
        score(lambda rollouts: [[0.1, 0.2]], [rollout("<think>\na\n</think>\n1")])
    with pytest.raises(ValueError, match="2 rows"):
        score(lambda rollouts: [[0.1], [0.2]], [rollout("x")])


def test_exact_scorer_is_the_verdict(rng=None):
    import random

    world = task("stories")
    problem, steps, answer = world.worked(random.Random(0), 3)
    text = "<think>\n" + "\n".join([*steps[:2], "nonsense"]) + "\n</think>\n" + answer
    assert ExactScorer(world)([rollout(text, 3, problem)]) == [[1.0, 1.0, 0.0]]
    with pytest.raises(ValueError, match="without its problem"):
        ExactScorer(world)([rollout(text, 3)])
