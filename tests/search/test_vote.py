"""Voting and choosing by score, and the oracle as a scorer."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import ExactScorer, score
from o1lab.search.vote import best_of_n, likeliest, majority, vote_curve, weighted_vote, worths
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


def test_best_of_n_takes_the_named_aggregation():
    rollouts = [rollout(f"<think>\n{i}\n</think>\n{i}", 2) for i in range(3)]
    rows = [[0.5, 0.6], [0.1, 0.9], [0.45, 0.8]]

    def chosen(how):
        return rollouts.index(best_of_n(rollouts, lambda _: rows, how))

    assert [chosen(how) for how in ("min", "last", "product", "mean")] == [0, 1, 2, 2]
    assert best_of_n(rollouts, lambda _: [[0.5, 0.5]] * 3) is rollouts[0]
    with pytest.raises(ValueError, match="choose one of"):
        chosen("max")
    with pytest.raises(ValueError, match="NaN"):
        best_of_n(rollouts[:1], lambda _: [[0.5, nan]])


def test_a_rollout_without_step_or_answer_is_worth_less_than_a_zero():
    stepless, open_thought = rollout("5", 0), rollout("<think>\nc\n")
    zero = rollout("<think>\na\n</think>\n1")
    rollouts = [stepless, open_thought, zero]
    assert worths(rollouts, lambda _: [[], [1.0], [0.0]], "mean") == [-inf, -inf, 0.0]
    assert best_of_n(rollouts, lambda _: [[], [1.0], [0.0]]) is zero
    assert best_of_n([stepless], lambda _: [[]]) is stepless


VOTES = st.lists(
    st.tuples(st.sampled_from(["1", "2", "3", None]), st.sampled_from([-inf, 0, 0.25, 0.5, 1])),
    max_size=7,
)


@given(VOTES)
def test_a_weighted_vote_is_the_largest_sum_by_answer(votes):
    best = None
    for answer in [a for a, _ in votes if a is not None]:
        weights = [w for a, w in votes if a == answer and w != -inf]
        total = sum(weights) if weights else -inf
        if best is None or total > best[1]:
            best = (answer, total)
    answers, weights = [a for a, _ in votes], [w for _, w in votes]
    assert weighted_vote(answers, weights) == (best and best[0])
    assert weighted_vote(answers, [1] * len(votes)) == majority(answers)


def test_a_weighted_vote_refuses_what_cannot_vote():
    assert weighted_vote(["a", "b", "b", None], [0.9, 0.3, 0.3, 5.0]) == "a"
    in_any_order = [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]  # left to right the sums differ by rounding
    assert weighted_vote(list("aaabbb"), in_any_order) == "a"
    assert weighted_vote(list("bbbaaa"), in_any_order) == "b"
    for bad in (nan, inf, -0.1):
        with pytest.raises(ValueError, match="cannot weigh"):
            weighted_vote(["a", "b"], [0.5, bad])
    with pytest.raises(ValueError, match="2 answers and 1 weights"):
        weighted_vote(["a", "b"], [0.5])


def test_the_likeliest_by_sum_prefers_short_and_by_mean_does_not():
    short, long = rollout("1"), rollout("2")
    short.logprobs, long.logprobs = [-1.0], [-0.4] * 4
    assert likeliest([long, short]) is short and likeliest([short, long], per_token=True) is long
    open_thought, empty = rollout("<think>\nc\n"), rollout("3")
    empty.logprobs = []
    assert likeliest([open_thought, empty, long]) is long
    with pytest.raises(ValueError, match="at least one"):
        likeliest([])
    short.logprobs = [nan]
    with pytest.raises(ValueError, match="rollout 1 has a NaN"):
        likeliest([long, short])


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
