"""Laws of coverage, fitted on few samples and scored on more, against trivial baselines.

Coverage is the share of problems that any of k rollouts solves. Leaves out R squared: a rising
curve gives a high one to almost any law.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from o1lab.measure.statistics import pass_at_k


@dataclass(frozen=True)
class Law:
    """A fitted law: its name, its parameters by name, and coverage at any k (array in and out)."""

    name: str
    parameters: dict[str, float]
    at: Callable[[Sequence[float]], np.ndarray]


def coverage(rights, ks: Sequence[int]) -> np.ndarray:
    """Unbiased coverage at each k from rights (problems, n), the mean of pass@k. (ks,)

    ValueError where k > n or a right is neither true nor false.
    """
    rights = _rights(rights)
    n, c = rights.shape[1], rights.sum(1)
    return np.array([pass_at_k(np.full(len(c), n), c, k).mean() for k in ks])


def coverage_of_rates(rates, ks: Sequence[float]) -> np.ndarray:
    """Coverage at each k from exact success rates (problems,): the mean of 1 - (1 - p)^k. (ks,)"""
    rates = _rates(rates)
    with np.errstate(divide="ignore"):
        misses = np.log1p(-rates)
    return np.array([-np.expm1(k * misses).mean() for k in ks])


def power_law(ks, covered) -> Law:
    """-log(coverage) = a k^-b by a straight line through the logarithms of both sides.

    Brown et al. 2024, section 3.1 (coverage = exp(a k^b) there, both constants negative). Points
    at 0 or 1 have no logarithm and are left out. ValueError where fewer than two remain.
    """
    ks, covered = _curve(ks, covered)
    inside = (covered > 0) & (covered < 1)
    if inside.sum() < 2:
        raise ValueError("a power law needs coverage between 0 and 1 at two sizes: use smaller k")
    slope, start = np.polyfit(np.log(ks[inside]), np.log(-np.log(covered[inside])), 1)
    return _exponential("power law", np.exp(start), -slope)


def exponentiated(ks, covered) -> Law:
    """The same curve, exp(-a k^-b), by least squares in coverage itself: no point weighs more.

    Brown et al. 2024's form. ValueError as `power_law`, which gives the starting point.
    """
    first = power_law(ks, covered).parameters
    fitted = _least_squares(ks, covered, [np.log(first["a"]), first["b"]], _stretched)
    return _exponential("exponentiated", np.exp(fitted[0]), fitted[1])


def with_ceiling(ks, covered) -> Law:
    """c exp(-a k^-b) with a ceiling c <= 1 of problems never solved; least squares in coverage.

    Needs three sizes. ValueError as `power_law`.
    """
    first = power_law(ks, covered).parameters
    if len(ks) < 3:
        raise ValueError(f"three constants cannot be fitted to {len(ks)} sizes: give more")
    top = (1 + np.max(covered)) / 2
    start = [np.log(first["a"]), first["b"], top]
    fitted = _least_squares(ks, covered, start, lambda k, x: x[2] * _stretched(k, x), top=1.0)
    return _exponential("with a ceiling", np.exp(fitted[0]), fitted[1], fitted[2])


def _stretched(ks: np.ndarray, x: Sequence[float]) -> np.ndarray:
    return np.exp(-np.exp(np.clip(x[0] - x[1] * np.log(ks), -50, 50)))


def _least_squares(ks, covered, start, curve: Callable, top: float | None = None) -> np.ndarray:
    """The constants with the least squared error in coverage; the last lies in 0..top if given."""
    from scipy.optimize import least_squares

    ks, covered = _curve(ks, covered)
    low, high = np.full(len(start), -np.inf), np.full(len(start), np.inf)
    if top is not None:
        low[-1], high[-1] = 0.0, top
    start = np.clip(start, low + 1e-9, high - 1e-9)
    return least_squares(lambda x: curve(ks, x) - covered, start, bounds=(low, high)).x


def _exponential(name: str, a: float, b: float, ceiling: float | None = None) -> Law:
    parameters = {"a": float(a), "b": float(b)}
    if ceiling is not None:
        parameters["ceiling"] = float(ceiling)
    top = 1.0 if ceiling is None else ceiling
    return Law(name, parameters, lambda ks: top * np.exp(-a * np.asarray(ks, dtype=float) ** -b))


def last_value(ks, covered) -> Law:
    """Baseline: coverage stays what it was at the largest k."""
    ks, covered = _curve(ks, covered)
    last = float(covered[ks.argmax()])
    return Law("last value", {"coverage": last}, lambda k: np.full(np.shape(k), last))


def log_linear(ks, covered) -> Law:
    """Baseline: a straight line in log k, kept within 0..1. ValueError for one size."""
    ks, covered = _curve(ks, covered)
    if len(ks) < 2:
        raise ValueError("a line needs two sizes")
    slope, start = np.polyfit(np.log(ks), covered, 1)
    line = {"slope": float(slope), "start": float(start)}
    return Law("linear in log k", line, lambda k: np.clip(start + slope * np.log(k), 0, 1))


def beta_tail(n, c) -> Law:
    """A beta distribution of success rates, by maximum likelihood of c right of n a problem.

    n: rollouts, a number or (problems,); c: (problems,). Its density goes as p^(alpha - 1) at
    p = 0, so -log(coverage) goes to a k^-b with b = alpha, a = Gamma(alpha + beta) / Gamma(beta):
    Schaeffer et al. 2025, theorems 3.1 and 3.2. A rate under 1/n is not seen, only inferred from
    the shape. alpha and beta stay in 1e-4..1e4; a large alpha means no heavy tail (a may be inf
    then). ValueError for counts that are all 0 or all n.
    """
    from scipy.optimize import minimize
    from scipy.stats import betabinom

    n, c = np.broadcast_arrays(np.asarray(n), np.asarray(c))
    if c.ndim != 1 or np.any(c < 0) or np.any(c > n) or np.any(n < 1):
        raise ValueError("counts must be (problems,) with 0 <= c <= n and n at least 1")
    if np.all(c == 0) or np.all(c == n):
        raise ValueError("all rollouts are alike: no beta distribution is better than another")
    (n, c), times = np.unique(np.stack([n, c]), axis=1, return_counts=True)
    mean = np.clip(np.average(c / n, weights=times), 0.01, 0.99)
    found = minimize(
        lambda x: -(times * betabinom.logpmf(c, n, *np.exp(x))).sum() / times.sum(),
        np.log([mean, 1 - mean]),
        bounds=[(np.log(1e-4), np.log(1e4))] * 2,
    )
    return _beta(*np.exp(found.x))


def beta_of_rates(rates) -> Law:
    """As `beta_tail`, from exact success rates (problems,), each inside 0..1; by scipy."""
    from scipy.stats import beta

    rates = _rates(rates)
    if np.any((rates == 0) | (rates == 1)) or np.ptp(rates) == 0:
        raise ValueError("rates must lie strictly between 0 and 1 and differ: leave out the others")
    first, second, _, _ = beta.fit(rates, floc=0, fscale=1)
    return _beta(first, second)


def _beta(alpha: float, beta: float) -> Law:
    from scipy.special import betaln, gammaln

    with np.errstate(over="ignore"):
        a = np.exp(gammaln(alpha + beta) - gammaln(beta))
    parameters = {"alpha": alpha, "beta": beta, "a": a, "b": alpha}

    def at(ks) -> np.ndarray:
        ks = np.asarray(ks, dtype=float)
        return -np.expm1(betaln(alpha, beta + ks) - betaln(alpha, beta))

    return Law("beta tail", {k: float(v) for k, v in parameters.items()}, at)


CURVES = (power_law, exponentiated, with_ceiling, last_value, log_linear)


def fit_all(rights, ks: Sequence[int]) -> list[Law]:
    """Every law fitted to rights (problems, n): the curves on coverage at ks, the beta on counts.

    The last values and the line in log k are the baselines to beat.
    """
    rights = _rights(rights)
    covered = coverage(rights, ks)
    return [*(fit(ks, covered) for fit in CURVES), beta_tail(rights.shape[1], rights.sum(1))]


def mean_error(law: Law, ks: Sequence[float], covered) -> float:
    """Mean absolute error of a law's coverage at ks, in coverage (0..1)."""
    ks, covered = _curve(ks, covered)
    return float(np.abs(law.at(ks) - covered).mean())


def held_out(
    rights, fit_samples: int, fit_ks: Sequence[int], test_ks: Sequence[int]
) -> dict[str, float]:
    """Mean absolute error in coverage of every law, by name, at sizes and on rollouts not fitted.

    rights: (problems, n). Laws see the first `fit_samples` rollouts at fit_ks; coverage at
    test_ks is that of the others. ValueError where a k exceeds its rollouts, or a test k is not
    larger than every fitted one.
    """
    rights = _rights(rights)
    rest = rights.shape[1] - fit_samples
    if max(fit_ks) > fit_samples or max(test_ks) > rest:
        raise ValueError(f"k up to {max(fit_ks)} of {fit_samples}, {max(test_ks)} of {rest}: k > n")
    if min(test_ks) <= max(fit_ks):
        raise ValueError(f"held-out k {min(test_ks)} is not above fitted k {max(fit_ks)}")
    truth = coverage(rights[:, fit_samples:], test_ks)
    laws = fit_all(rights[:, :fit_samples], fit_ks)
    return {law.name: mean_error(law, test_ks, truth) for law in laws}


def _curve(ks, covered) -> tuple[np.ndarray, np.ndarray]:
    ks, covered = np.asarray(ks, dtype=float), np.asarray(covered, dtype=float)
    if ks.ndim != 1 or ks.shape != covered.shape or ks.size == 0:
        raise ValueError(f"{ks.shape} sizes and {covered.shape} coverages: give one of each")
    if not np.all((covered >= 0) & (covered <= 1)) or not np.all(ks >= 1):
        raise ValueError("coverage must lie in 0..1 (no NaN) and k be at least 1")
    return ks, covered


def _rates(rates) -> np.ndarray:
    rates = np.asarray(rates, dtype=float)
    if rates.ndim != 1 or rates.size == 0 or not np.all((rates >= 0) & (rates <= 1)):
        raise ValueError("rates must be (problems,), each in 0..1 (no NaN)")
    return rates


def _rights(rights) -> np.ndarray:
    rights = np.asarray(rights)
    if rights.ndim != 2 or rights.size == 0 or not np.all((rights == 0) | (rights == 1)):
        raise ValueError(f"rights must be (problems, n) of true or false, got {rights.shape}")
    return rights.astype(bool)
