"""Intervals and estimates, over problems and over seeds. Leaves out fits (later lessons).

Arrays are (problems,) or (seeds, problems). A bootstrap draws problems, and seeds where there
are several, with replacement; its interval is the middle 95% of the draws.
"""

from collections.abc import Callable

import numpy as np

DRAWS = 2000


def wilson(successes: float, n: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927), by scipy. ValueError if n < 1."""
    from scipy.stats import binomtest

    if n < 1 or not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}: give 0 <= successes <= n, n at least 1")
    found = binomtest(round(successes), n).proportion_ci(level, method="wilson")
    return float(found.low), float(found.high)


def pass_at_k(n, c, k: int):
    """Unbiased chance that one of k rollouts is right, from c right ones of n.

    n, c: numbers or arrays of one shape; 1 - C(n - c, k) / C(n, k), Chen et al. 2021 eq. 1.
    ValueError where k > n.
    """
    n, c = np.asarray(n, dtype=float), np.asarray(c, dtype=float)
    if k < 1 or np.any(k > n) or np.any(c > n) or np.any(c < 0):
        raise ValueError(f"pass@{k} needs 1 <= k <= n and 0 <= c <= n")
    i = np.arange(k)
    miss = np.prod(np.clip((n - c)[..., None] - i, 0, None) / (n[..., None] - i), axis=-1)
    return 1.0 - miss


def resample(values, statistic: Callable, draws: int = DRAWS, seed: int = 0, level: float = 0.95):
    """(estimate, low, high) of any statistic of values (problems, ...) or (seeds, problems, ...).

    values: an array whose first axis is problems; give a *list* of such arrays for seeds.
    statistic: from an array (problems, ...) averaged over seeds to a number.
    """
    stack = np.stack([np.asarray(v, dtype=float) for v in values]) if isinstance(values, list) \
        else np.asarray(values, dtype=float)[None]  # fmt: skip
    rng = np.random.default_rng(seed)
    seeds, problems = stack.shape[:2]
    found = []
    for _ in range(draws):
        rows = rng.integers(0, seeds, seeds) if seeds > 1 else np.zeros(1, dtype=int)
        columns = rng.integers(0, problems, problems)
        found.append(statistic(stack[rows].mean(0)[columns]))
    tail = 100 * (1 - level) / 2
    low, high = np.nanpercentile(found, [tail, 100 - tail])
    return float(statistic(stack.mean(0))), float(low), float(high)


def bootstrap_mean(values, draws: int = DRAWS, seed: int = 0) -> tuple[float, float, float]:
    """(mean, low, high) of (problems,), or over problems and seeds of (seeds, problems)."""
    values = np.asarray(values, dtype=float)
    return resample(list(np.atleast_2d(values)), lambda v: v.mean(), draws, seed)


def paired_bootstrap(a, b, draws: int = DRAWS, seed: int = 0) -> tuple[float, float, float]:
    """(mean of a - b, low, high): the same problems, and the same number of seeds, in both.

    a, b: (problems,) or (seeds, problems). Problems are drawn together, so what makes a problem
    hard cancels. ValueError if the shapes differ.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape:
        raise ValueError(f"paired needs the same problems and seeds, got {a.shape} and {b.shape}")
    return bootstrap_mean(a - b, draws, seed)


def crossing(x, y, level: float = 0.5) -> float:
    """The first x at which y falls below `level`, between points by a straight line.

    x[0] if y starts below it; the last x if it never falls (a bound, not an estimate).
    """
    x, y = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    below = np.flatnonzero(y < level)
    if len(below) == 0:
        return float(x[-1])
    i = int(below[0])
    if i == 0:
        return float(x[0])
    return float(x[i - 1] + (y[i - 1] - level) / (y[i - 1] - y[i]) * (x[i] - x[i - 1]))
