"""Laws recover constants they were given, forecasts are scored on what was not fitted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, betabinom

from o1lab.measure.laws import (
    beta_of_rates,
    beta_tail,
    coverage,
    coverage_of_rates,
    exponentiated,
    fit_all,
    held_out,
    last_value,
    log_linear,
    mean_error,
    power_law,
    with_ceiling,
)

KS = np.array([1, 2, 4, 8, 16, 32])


@settings(max_examples=20, deadline=None)
@given(st.floats(0.2, 4), st.floats(0.1, 1.2))
def test_fits_recover_an_exact_power_law(a, b):
    covered = np.exp(-a * KS**-b)
    for fit in (power_law, exponentiated):
        law = fit(KS, covered)
        assert (law.parameters["a"], law.parameters["b"]) == pytest.approx((a, b), rel=1e-3)
        assert law.at([1, 1000]) == pytest.approx(np.exp(-a * np.array([1, 1000.0]) ** -b))


def test_a_ceiling_is_found():
    law = with_ceiling(KS, 0.7 * np.exp(-2 * KS**-0.8))
    assert law.parameters == pytest.approx({"a": 2, "b": 0.8, "ceiling": 0.7}, rel=1e-3)
    assert law.at([1e9]) == pytest.approx([0.7], rel=1e-3)


def test_least_squares_in_coverage_is_the_least():
    noisy = np.exp(-2 * KS**-0.5) + 0.03 * np.array([1, -1, 1, -1, 1, -1])

    def squared(law):
        return ((law.at(KS) - noisy) ** 2).sum()

    best = squared(exponentiated(KS, noisy))
    grid = [(a, b) for a in np.linspace(1, 3, 41) for b in np.linspace(0.2, 1, 41)]
    assert best <= min(((np.exp(-a * KS**-b) - noisy) ** 2).sum() for a, b in grid) + 1e-9
    assert best <= squared(power_law(KS, noisy))


def test_points_at_zero_or_one_are_left_out():
    covered = np.exp(-2 * KS**-0.5)
    law = power_law(np.append(KS, 10**6), np.append(covered, 1.0))
    assert law.parameters == pytest.approx({"a": 2, "b": 0.5})
    with pytest.raises(ValueError, match="use smaller k"):
        power_law([1, 2], [0.5, 1.0])


def test_the_baselines():
    assert last_value([4, 1], [0.5, 0.2]).at([9, 99]).tolist() == [0.5, 0.5]
    line = log_linear([1, 10], [0.2, 0.5])
    assert line.at([100, 10**6]) == pytest.approx([0.8, 1.0])
    assert mean_error(line, [1, 100], [0.2, 0.7]) == pytest.approx(0.05)


def test_coverage_of_exact_rates_and_of_samples():
    assert coverage_of_rates([0, 0.5, 1], [1, 2]) == pytest.approx([0.5, 1.75 / 3])
    rights = np.array([[1, 0, 0, 0], [1, 1, 1, 1]])
    assert coverage(rights, [1, 2, 4]) == pytest.approx([0.625, 0.75, 1])


@settings(max_examples=6, deadline=None)
@given(st.floats(0.2, 3), st.floats(0.5, 5), st.sampled_from([1, 7, 60]))
def test_beta_coverage_is_the_mean_over_problems(first, second, k):
    rates = beta(first, second).ppf((np.arange(4000) + 0.5) / 4000)
    law = beta_of_rates(np.clip(rates, 1e-12, 1 - 1e-12))
    alpha, other = law.parameters["alpha"], law.parameters["beta"]
    middles = beta(alpha, other).ppf((np.arange(4000) + 0.5) / 4000)
    assert law.at([k]) == pytest.approx(coverage_of_rates(middles, [k]), abs=1e-3)
    assert (alpha, other) == pytest.approx((first, second), rel=0.05)


def test_the_tail_gives_the_exponent_of_the_aggregate():
    law = beta_of_rates(beta(0.4, 2).ppf((np.arange(4000) + 0.5) / 4000))
    ks = np.array([1e6, 1e7])
    assert -np.log(law.at(ks)) == pytest.approx(law.parameters["a"] * ks ** -law.parameters["b"],
                                                rel=0.01)  # fmt: skip
    assert power_law(ks, law.at(ks)).parameters["b"] == pytest.approx(0.4, abs=0.01)


def test_the_beta_fit_is_the_likeliest_of_a_grid():
    rng = np.random.default_rng(0)
    c = rng.binomial(16, rng.beta(0.5, 2, 300))
    law = beta_tail(16, c)

    def likelihood(alpha, other):
        return betabinom.logpmf(c, 16, alpha, other).sum()

    best = likelihood(law.parameters["alpha"], law.parameters["beta"])
    grid = [(a, b) for a in np.geomspace(0.1, 3, 15) for b in np.geomspace(0.3, 9, 15)]
    assert best >= max(likelihood(a, b) for a, b in grid) - 1e-3
    assert law.parameters["alpha"] == pytest.approx(0.5, abs=0.12)
    mixed = beta_tail(np.r_[np.full(150, 16), np.full(150, 8)], np.r_[c[:150], c[150:] // 2])
    assert 0.2 < mixed.parameters["alpha"] < 1


def test_forecasts_of_a_heavy_tail_beat_the_baselines():
    rng = np.random.default_rng(0)
    rights = rng.random((1500, 320)) < rng.beta(0.3, 1.5, 1500)[:, None]
    errors = held_out(rights, 64, [1, 2, 4, 8, 16], [32, 64])
    baselines = min(errors["last value"], errors["linear in log k"])
    assert errors["beta tail"] < baselines and errors["power law"] < baselines
    assert errors["beta tail"] < 0.02


def test_without_a_heavy_tail_the_beta_says_so():
    rights = np.random.default_rng(0).random((300, 64)) < 0.2
    laws = {law.name: law for law in fit_all(rights, [1, 2, 4])}
    assert laws["beta tail"].parameters["alpha"] > 20
    assert laws["beta tail"].at([16]) == pytest.approx([1 - 0.8**16], abs=0.01)


def test_held_out_rollouts_are_not_seen_by_the_fit():
    rng = np.random.default_rng(3)
    rights = rng.random((60, 40)) < rng.beta(0.5, 1, 60)[:, None]
    other = np.concatenate([rights[:, :20], rights[::-1, 20:]], axis=1)
    same = held_out(rights, 20, [1, 2, 4], [8, 16])
    assert same == pytest.approx(held_out(other, 20, [1, 2, 4], [8, 16]))  # same mean coverage
    covered = coverage(rights[:, 20:], [8, 16])
    law = power_law([1, 2, 4], coverage(rights[:, :20], [1, 2, 4]))
    assert same["power law"] == pytest.approx(np.abs(law.at([8, 16]) - covered).mean())


def test_bad_input_is_named():
    rights = np.eye(4, dtype=bool)
    with pytest.raises(ValueError, match="k > n"):
        held_out(rights, 2, [1, 3], [4])
    with pytest.raises(ValueError, match="k > n"):
        held_out(rights, 2, [1, 2], [3])
    with pytest.raises(ValueError, match="not above"):
        held_out(rights, 2, [1, 2], [2])
    with pytest.raises(ValueError, match="pass@5"):
        coverage(rights, [5])
    with pytest.raises(ValueError, match="true or false"):
        coverage([[0.5, np.nan]], [1])
    with pytest.raises(ValueError, match="no NaN"):
        power_law([1, 2], [0.5, np.nan])
    with pytest.raises(ValueError, match="one of each"):
        last_value([1, 2], [0.5])
    with pytest.raises(ValueError, match="two sizes"):
        log_linear([1], [0.5])
    with pytest.raises(ValueError, match="give more"):
        with_ceiling([1, 2], [0.3, 0.5])
    with pytest.raises(ValueError, match="alike"):
        beta_tail(4, [0, 0])
    with pytest.raises(ValueError, match="0 <= c <= n"):
        beta_tail(4, [5])
    with pytest.raises(ValueError, match="strictly between"):
        beta_of_rates([0, 0.5])
    with pytest.raises(ValueError, match="no NaN"):
        coverage_of_rates([np.nan], [1])
