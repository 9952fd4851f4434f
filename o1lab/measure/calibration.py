"""Whether scores are probabilities: the reliability curve, its gap (ECE) and the Brier score.

Leaves out how to mend a scorer that is not calibrated (temperature, isotonic regression).
"""

from dataclasses import dataclass

import numpy as np

from o1lab.measure.ranking import paired


@dataclass(frozen=True)
class Reliability:
    """Items by score, in bins of equal width; arrays are (bins,), NaN in a bin without items.

    edges: (bins + 1,). count: items. score: their mean score. right: their share right.
    """

    edges: np.ndarray
    count: np.ndarray
    score: np.ndarray
    right: np.ndarray


def reliability(scores, right, bins: int = 10) -> Reliability:
    """The reliability curve of scores in 0..1 over (items,); DeGroot and Fienberg 1983.

    A bin holds its lower edge; the last one holds 1 too. ValueError for a score outside 0..1,
    a NaN, unequal lengths or no bin.
    """
    scores, right = _probabilities(scores, right)
    if bins < 1:
        raise ValueError(f"{bins} bins: give at least 1")
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.searchsorted(edges, scores, "right") - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    some = np.where(count > 0, count, np.nan)
    mean = np.bincount(place, scores, bins) / some
    return Reliability(edges, count, mean, np.bincount(place, right, bins) / some)


def ece(scores, right, bins: int = 10) -> float:
    """Expected calibration error: mean over items of |share right - mean score| in their bin.

    Guo et al. 2017, eq. 3. It is above 0 by chance alone when bins hold few items, so compare
    scorers on the same number of items and bins.
    """
    curve = reliability(scores, right, bins)
    gaps = np.nan_to_num(np.abs(curve.right - curve.score))
    return float((curve.count * gaps).sum() / curve.count.sum())


def brier(scores, right) -> float:
    """Mean squared distance of the score from 1 (right) or 0 (wrong), Brier 1950; 0 is best."""
    scores, right = _probabilities(scores, right)
    return float(np.mean((scores - right) ** 2))


def _probabilities(scores, right) -> tuple[np.ndarray, np.ndarray]:
    scores, right = paired(scores, right)
    if scores.min() < 0 or scores.max() > 1:
        raise ValueError(f"scores in {scores.min()}..{scores.max()}: probabilities lie in 0..1")
    return scores, right
