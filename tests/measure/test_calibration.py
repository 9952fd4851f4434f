"""Calibration against sums written out bin by bin, and what is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1lab.measure.calibration import brier, ece, reliability

ITEMS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=20)


@given(ITEMS, st.integers(1, 6))
def test_bins_hold_every_item_once(items, bins):
    scores, right = zip(*items, strict=True)
    curve, gap = reliability(scores, right, bins), 0.0
    for i in range(bins):
        low, high = curve.edges[i], curve.edges[i + 1]
        inside = [(s, r) for s, r in items if low <= s < high or (i == bins - 1 and s == 1)]
        assert curve.count[i] == len(inside)
        if not inside:
            assert np.isnan(curve.score[i]) and np.isnan(curve.right[i])
            continue
        mean, share = np.mean(inside, axis=0)
        assert (curve.score[i], curve.right[i]) == pytest.approx((mean, share))
        gap += len(inside) / len(items) * abs(share - mean)
    assert ece(scores, right, bins) == pytest.approx(gap)


@given(ITEMS)
def test_brier_is_the_mean_square(items):
    scores, right = zip(*items, strict=True)
    assert brier(scores, right) == pytest.approx(sum((s - r) ** 2 for s, r in items) / len(items))


def test_a_calibrated_score_has_a_small_gap_and_a_boastful_one_a_large():
    rng = np.random.default_rng(0)
    rates = rng.random(20_000)
    right = rng.random(20_000) < rates
    assert ece(rates, right) < 0.02 and brier(rates, right) == pytest.approx(1 / 6, abs=0.01)
    assert ece(np.ones(20_000), right) == pytest.approx(1 - right.mean())


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"lie in 0\.\.1"):
        brier([1.2], [True])
    with pytest.raises(ValueError, match="NaN"):
        ece([np.nan], [True])
    with pytest.raises(ValueError, match="one of each"):
        reliability([0.5], [True, False])
    with pytest.raises(ValueError, match="at least 1"):
        reliability([0.5], [True], 0)
