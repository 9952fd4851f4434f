"""Expected accuracy at N against every ordered subset, and against each other."""

from collections import Counter
from fractions import Fraction
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from o1lab.search.curves import (
    best_of_n_curve,
    majority_curve,
    majority_prediction,
    oracle_curve,
    weighted_vote_curve,
)
from o1lab.search.vote import majority, weighted_vote

SLOW = settings(max_examples=25, deadline=None)
ANSWERS = st.lists(st.sampled_from(["1", "2", "3", None]), min_size=1, max_size=5)
ODDS = [0.0, 0.25, 0.5, 1.0]


def expected(items, size, right):
    """The mean of `right` over every ordered choice of `size` of the items."""
    chosen = list(permutations(items, size))
    return float(Fraction(sum(map(right, chosen)), len(chosen)))


@given(ANSWERS, st.data())
def test_oracle_and_best_of_n_are_means_over_all_ordered_subsets(answers, data):
    n = len(answers)
    size = data.draw(st.integers(1, n))
    scores = data.draw(st.lists(st.sampled_from([-np.inf, *ODDS]), min_size=n, max_size=n))
    rights = [answer == "1" for answer in answers]
    pairs = list(zip(scores, rights, strict=True))

    def best(subset):  # max takes the first of equals
        return max(subset, key=lambda pair: pair[0])[1]

    found = best_of_n_curve([rights], [scores], [size])
    assert found[0, 0] == pytest.approx(expected(pairs, size, best))
    assert oracle_curve([rights], [size])[0, 0] == pytest.approx(expected(rights, size, any))


@SLOW
@given(ANSWERS, st.data())
def test_votes_approach_the_mean_over_all_ordered_subsets(answers, data):
    n = len(answers)
    size = data.draw(st.integers(1, n))
    weights = data.draw(st.lists(st.sampled_from([-np.inf, *ODDS]), min_size=n, max_size=n))
    rights = [[answer == "1" for answer in answers]]
    votes = list(zip(answers, weights, strict=True))

    def weighted(subset):
        return weighted_vote(*zip(*subset, strict=True)) == "1"

    found = majority_curve([answers], rights, [size], draws=400)[0, 0]
    truth = expected(answers, size, lambda subset: majority(subset) == "1")
    assert found == pytest.approx(truth, abs=0.13)
    found = weighted_vote_curve([answers], rights, [weights], [size], draws=400)[0, 0]
    assert found == pytest.approx(expected(votes, size, weighted), abs=0.13)


@SLOW
@given(st.integers(0, 10**6))
def test_what_must_agree_agrees(seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 4, (6, 9))
    answers, rights = [[str(c) for c in row] for row in codes], codes == 0
    sizes = [1, 2, 5, 9]
    same = np.full(codes.shape, 0.7)
    votes = majority_curve(answers, rights, sizes, draws=30, seed=seed)
    assert np.all(votes == weighted_vote_curve(answers, rights, same, sizes, 30, seed))
    best, top = best_of_n_curve(rights, rng.random(codes.shape), sizes), oracle_curve(rights, sizes)
    assert np.all(best <= top + 1e-12)
    assert best_of_n_curve(rights, rights * 1.0, sizes) == pytest.approx(top)
    one = rights.mean(1)
    assert best_of_n_curve(rights, same, sizes) == pytest.approx(np.tile(one[:, None], 4))
    assert top[:, 0] == pytest.approx(one) and best[:, 0] == pytest.approx(one)


def test_large_n_is_exact():
    rights = np.zeros((5, 1860), dtype=bool)
    rights[:, :3] = True
    scores = np.tile(np.arange(1860.0), (5, 1))
    scores[:, 0] = 1e4  # one right rollout on top, the other two at the bottom
    miss = 1857 * 1856 * 1855 / (1860 * 1859 * 1858)
    assert oracle_curve(rights, [3, 1860])[4] == pytest.approx([1 - miss, 1])
    assert best_of_n_curve(rights, scores, [186, 1860])[4] == pytest.approx([0.1, 1])


def test_one_seed_one_curve_and_different_problems_keep_their_rows():
    answers = [["1", "2", "2"], ["1", "1", "2"], [None, None, None]]
    rights = np.array([[a == "1" for a in row] for row in answers])
    curve = majority_curve(answers, rights, [1, 3], draws=50, seed=3)
    assert curve.shape == (3, 2) and curve[:, 1].tolist() == [0, 1, 0]
    assert np.all(curve == majority_curve(answers, rights, [1, 3], draws=50, seed=3))
    assert np.all(majority_curve([[None]], [[False]], [1]) == 0)


def binomial_majority(p, size):
    """Chance that an answer of share p beats the one other answer in `size` votes, ties halved."""
    i = np.arange(size + 1)
    return float(binom.pmf(i, size, p) @ ((2 * i > size) + 0.5 * (2 * i == size)))


@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_the_prediction_for_two_answers_is_the_binomial_tail(size):
    found = majority_prediction([{"a": 3, "b": 2}], ["a"], [size], draws=20_000)
    assert found[0, 0] == pytest.approx(binomial_majority(0.6, size), abs=0.015)


def test_the_prediction_meets_fresh_votes():
    rng = np.random.default_rng(1)
    shares = rng.dirichlet([1.0, 1.0, 1.0], size=120)
    codes = np.stack([rng.choice(3, 15, p=row) for row in shares])
    histograms = [dict(zip("abc", row, strict=True)) for row in shares * 1000]
    answers = [["abc"[c] for c in row] for row in codes]
    seen = majority_curve(answers, codes == 0, [3, 7, 15], draws=60).mean(0)
    said = majority_prediction(histograms, ["a"] * 120, [3, 7, 15], draws=400).mean(0)
    assert seen == pytest.approx(said, abs=0.06)


def test_no_answer_never_wins_and_an_answer_never_given_is_wrong():
    found = majority_prediction([Counter({None: 999, "1": 1}), {"2": 3}], ["1", "1"], [1, 200])
    assert found[0, 0] < 0.05 < found[0, 1] and found[1].tolist() == [0, 0]
    assert majority_prediction([{"1": 2}], ["1"], [50])[0, 0] == 1


def test_bad_input_is_named():
    rights, scores = [[True, False]], [[0.5, 0.5]]
    for sizes in ([3], [0], []):
        with pytest.raises(ValueError, match=r"each in 1\.\.2"):
            best_of_n_curve(rights, scores, sizes)
        with pytest.raises(ValueError, match=r"each in 1\.\.2"):
            oracle_curve(rights, sizes)
        with pytest.raises(ValueError, match=r"each in 1\.\.2"):
            majority_curve([["1", "2"]], rights, sizes)
    with pytest.raises(ValueError, match="problem 0 has a NaN"):
        best_of_n_curve(rights, [[0.5, np.nan]], [1])
    with pytest.raises(ValueError, match="scores of shape"):
        best_of_n_curve(rights, [[0.5]], [1])
    with pytest.raises(ValueError, match="not empty"):
        oracle_curve([[]], [1])
    with pytest.raises(ValueError, match="true or false"):
        oracle_curve([[0.5, np.nan]], [1])
    with pytest.raises(ValueError, match="at least 0"):
        weighted_vote_curve([["1", "2"]], rights, [[-0.5, 0.5]], [1])
    with pytest.raises(ValueError, match="answers of 1 problems"):
        majority_curve([["1"]], rights, [1])
    with pytest.raises(ValueError, match="both right and wrong"):
        majority_curve([["1", "1"]], rights, [1])


def test_bad_histograms_are_named():
    for bad in ({}, {"1": 0}, {"1": np.nan}, {"1": 2, "2": -1}):
        with pytest.raises(ValueError, match="positive counts"):
            majority_prediction([bad], ["1"], [1])
    with pytest.raises(ValueError, match="2 right answers"):
        majority_prediction([{"1": 1}], ["1", "2"], [1])
    with pytest.raises(ValueError, match="at least 1"):
        majority_prediction([{"1": 1}], ["1"], [0])
