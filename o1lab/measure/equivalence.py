"""Evidence for "no difference that matters": two one-sided tests by a paired bootstrap.

A difference that is not significant is no such evidence. Leaves out the choice of the margin,
which is stated before the data are seen.
"""

from dataclasses import dataclass

import numpy as np

from o1lab.measure.statistics import DRAWS, resample


@dataclass(frozen=True)
class Equivalence:
    """Mean of a - b, its interval, the margin, and the verdict.

    equivalent: the whole interval lies within -margin..margin. False is no evidence of a
    difference: the data may be too few.
    """

    difference: float
    low: float
    high: float
    margin: float
    equivalent: bool


def tost(
    a, b, margin: float, draws: int = DRAWS, seed: int = 0, alpha: float = 0.05
) -> Equivalence:
    """Two one-sided tests at level alpha: the 1 - 2 alpha interval of a - b within +-margin.

    a, b: (problems,) or (seeds, problems), the same problems (and seeds, paired) in both; margin
    in the unit of a and b, above 0. Schuirmann 1987; the interval is the paired bootstrap's,
    over seeds where there are several. ValueError for unequal shapes, a NaN or a bad margin.
    """
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if a.shape != b.shape or a.size == 0:
        raise ValueError(f"paired needs the same problems and seeds, got {a.shape} and {b.shape}")
    if np.isnan(a - b).any():
        raise ValueError("NaN among the values: leave a problem out of both, or grade it")
    if not 0 < margin < np.inf or not 0 < alpha < 0.5:
        raise ValueError(f"margin {margin}, alpha {alpha}: give margin > 0 and 0 < alpha < 0.5")
    values = list(np.atleast_2d(a - b))
    difference, low, high = resample(values, lambda v: v.mean(), draws, seed, 1 - 2 * alpha)
    return Equivalence(difference, low, high, margin, -margin < low and high < margin)
