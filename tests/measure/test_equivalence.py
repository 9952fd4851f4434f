"""Equivalence tests against normal theory, and how often they err at the margin itself."""

import numpy as np
import pytest
from scipy.stats import norm

from o1lab.measure.equivalence import tost
from o1lab.measure.statistics import paired_bootstrap


def test_the_interval_is_that_of_normal_theory():
    rng = np.random.default_rng(0)
    a, b = rng.random(400) < 0.7, rng.random(400) < 0.7
    gap = a * 1.0 - b
    half = norm.ppf(0.95) * gap.std() / np.sqrt(400)
    found = tost(a, b, 0.1, draws=4000)
    assert found.difference == pytest.approx(gap.mean())
    assert (found.low, found.high) == pytest.approx(
        (gap.mean() - half, gap.mean() + half), abs=0.01
    )
    wide = paired_bootstrap(a, b, draws=4000)
    assert wide[1] < found.low < found.high < wide[2]


def test_the_verdict_is_the_interval_inside_the_margin():
    a = np.tile([0.0, 1.0], 50)
    same = tost(a, a, 0.01)
    assert same.equivalent and (same.low, same.high) == (0, 0)
    assert not tost(a, a + 0.02, 0.01).equivalent and tost(a, a + 0.02, 0.03).equivalent
    assert not tost(a, a + 0.01, 0.01).equivalent  # at the margin is not inside
    rng = np.random.default_rng(0)
    assert not tost(rng.random(8), rng.random(8), 0.1).equivalent  # too few to say


def test_a_difference_of_just_the_margin_passes_about_one_time_in_twenty():
    rng = np.random.default_rng(2)
    gaps = rng.normal(0.2, 1, (100, 120))
    passed = sum(tost(g, np.zeros(120), 0.2, draws=100, seed=i).equivalent
                 for i, g in enumerate(gaps))  # fmt: skip
    assert passed <= 12


def test_seeds_that_disagree_take_the_verdict_away():
    zero = np.zeros((2, 200))
    assert tost(zero + 0.05, zero, 0.1, draws=200).equivalent
    apart = np.stack([np.full(200, 0.3), np.full(200, -0.3)])
    assert not tost(apart, zero, 0.1, draws=200).equivalent


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="same problems"):
        tost([1, 2], [1], 0.1)
    with pytest.raises(ValueError, match="same problems"):
        tost([], [], 0.1)
    with pytest.raises(ValueError, match="NaN"):
        tost([1, np.nan], [1, 2], 0.1)
    for margin, alpha in ((0, 0.05), (np.nan, 0.05), (0.1, 0.5)):
        with pytest.raises(ValueError, match="margin > 0"):
            tost([1], [1], margin, alpha=alpha)
