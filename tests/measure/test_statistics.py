"""Estimates against brute force, intervals against what they promise."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.measure.statistics import bootstrap_mean, crossing, paired_bootstrap, pass_at_k, wilson


@given(st.lists(st.booleans(), min_size=1, max_size=9), st.integers(1, 9))
def test_pass_at_k_is_the_share_of_all_subsets_with_a_success(right, k):
    k = min(k, len(right))
    subsets = list(combinations(right, k))
    share = sum(any(s) for s in subsets) / len(subsets)
    assert pass_at_k(len(right), sum(right), k) == pytest.approx(share)


def test_pass_at_k_takes_arrays_and_refuses_nonsense():
    assert pass_at_k([4, 4, 4], [0, 1, 4], 2).tolist() == pytest.approx([0, 0.5, 1])
    with pytest.raises(ValueError, match="pass@5"):
        pass_at_k(4, 1, 5)


@given(st.integers(1, 300), st.data())
def test_wilson_holds_the_share_and_stays_in_bounds(n, data):
    successes = data.draw(st.integers(0, n))
    low, high = wilson(successes, n)
    assert 0 <= low <= successes / n + 1e-9 and successes / n - 1e-9 <= high <= 1


def test_wilson_known_value_and_nonsense():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)  # Wilson 1927's formula
    with pytest.raises(ValueError):
        wilson(3, 0)


def test_the_bootstrap_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for trial in range(150):
        _, low, high = bootstrap_mean(rng.random(80) < 0.3, draws=300, seed=trial)
        hits += low <= 0.3 <= high
    assert 0.88 <= hits / 150 <= 0.99


def test_seeds_that_disagree_widen_the_interval():
    agree = np.tile(np.arange(50) % 2, (3, 1))
    differ = np.stack([np.ones(50), np.zeros(50), np.arange(50) % 2])
    narrow, wide = bootstrap_mean(agree), bootstrap_mean(differ)
    assert narrow[0] == pytest.approx(0.5) and wide[0] == pytest.approx(0.5)
    assert wide[2] - wide[1] > 2 * (narrow[2] - narrow[1])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_pairing_cancels_what_makes_a_problem_hard(seed):
    hard = np.random.default_rng(seed).random(60)
    value, low, high = paired_bootstrap(hard + 0.1, hard, draws=200)
    assert (value, low, high) == pytest.approx((0.1, 0.1, 0.1))


def test_same_seed_same_interval_and_unequal_shapes_are_refused():
    values = np.random.default_rng(1).random(30)
    assert bootstrap_mean(values) == bootstrap_mean(values)
    with pytest.raises(ValueError, match="same problems"):
        paired_bootstrap(values, values[:-1])


def test_crossing_reads_between_points():
    assert crossing([1, 2, 3], [1.0, 0.75, 0.25]) == pytest.approx(2.5)
    assert crossing([1, 2, 3], [1.0, 0.9, 0.8]) == 3
    assert crossing([1, 2, 3], [0.4, 0.9, 0.8]) == 1
