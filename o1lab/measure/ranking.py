"""How well scores tell right from wrong: AUROC, within problems too, and the first-error F1.

Leaves out calibration (`calibration`). Scores are higher where right is likelier; nothing else
is asked of them: AUROC does not change when all of them are stretched.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


def auroc(scores, right) -> float:
    """Chance that a right item scores above a wrong one, a tie counting one half.

    scores, right: (items,), numbers and booleans. Mann and Whitney 1947, by ranks. ValueError
    for a NaN, unequal lengths, or where all items are of one class.
    """
    scores, right = paired(scores, right)
    if right.all() or not right.any():
        raise ValueError(f"AUROC needs right and wrong items, got {right.sum()} of {right.size}")
    return _auroc(scores, right)


def _auroc(scores: np.ndarray, right: np.ndarray) -> float:
    from scipy.stats import rankdata

    ones, zeros = right.sum(), (~right).sum()
    above = rankdata(scores)[right].sum() - ones * (ones + 1) / 2
    return float(above / (ones * zeros))


def auroc_by_problem(scores, right, problem) -> np.ndarray:
    """AUROC inside each problem, in the order the problems first appear; NaN without both classes.

    problem: (items,), which problem an item belongs to. What makes a whole problem easy cannot
    help here. Returns (problems,), for a bootstrap of its `np.nanmean`.
    """
    scores, right = paired(scores, right)
    problem = np.asarray(problem)
    if problem.shape != scores.shape:
        raise ValueError(f"{problem.size} problem names for {scores.size} items: give one an item")
    _, first, group = np.unique(problem, return_index=True, return_inverse=True)
    rows = [np.flatnonzero(group == g) for g in np.argsort(first)]
    both = [0 < right[row].sum() < len(row) for row in rows]
    pairs = zip(rows, both, strict=True)
    return np.array([_auroc(scores[r], right[r]) if mixed else np.nan for r, mixed in pairs])


def auroc_within(scores, right, problem) -> tuple[float, int]:
    """(mean AUROC inside a problem, how many problems had both classes and so counted).

    ValueError where no problem has both; else as `auroc_by_problem`.
    """
    found = auroc_by_problem(scores, right, problem)
    counted = int(np.isfinite(found).sum())
    if counted == 0:
        raise ValueError("no problem has right and wrong items: sample more of each problem")
    return float(np.nanmean(found)), counted


@dataclass(frozen=True)
class FirstError:
    """F1 of finding the first wrong step, and its two parts with their counts of traces.

    erroneous: share of traces with an error whose first wrong step was named exactly.
    clean: share of traces without one that were called clean.
    """

    f1: float
    erroneous: float
    clean: float
    erroneous_traces: int
    clean_traces: int


def first_below(row: Sequence[float], threshold: float) -> int | None:
    """The index of the first step that scores below the threshold; None where none does."""
    row = np.asarray(row, dtype=float)
    if np.isnan(row).any() or np.isnan(threshold):
        raise ValueError(f"NaN among the step scores or the threshold {threshold}")
    low = np.flatnonzero(row < threshold)
    return int(low[0]) if len(low) else None


def first_error_f1(predicted: Sequence[int | None], true: Sequence[int | None]) -> FirstError:
    """Harmonic mean of the accuracies on erroneous and on clean traces; 0 where both are 0.

    predicted, true: the index of each trace's first wrong step, None where there is none.
    ProcessBench, Zheng et al. 2024. ValueError for unequal lengths or where traces
    of one kind are missing.
    """
    if len(predicted) != len(true):
        raise ValueError(f"{len(predicted)} predictions for {len(true)} traces")
    found = [(p == t, t is None) for p, t in zip(predicted, true, strict=True)]
    clean = [hit for hit, is_clean in found if is_clean]
    wrong = [hit for hit, is_clean in found if not is_clean]
    if not clean or not wrong:
        raise ValueError(f"{len(wrong)} erroneous and {len(clean)} clean traces: give some of each")
    a, b = sum(wrong) / len(wrong), sum(clean) / len(clean)
    f1 = 2 * a * b / (a + b) if a + b else 0.0
    return FirstError(f1, a, b, len(wrong), len(clean))


def first_error_scores(
    rows: Sequence[Sequence[float]], true: Sequence[int | None], threshold: float = 0.5
) -> FirstError:
    """`first_error_f1` of step scores: a trace's first step below the threshold is its error.

    rows: step scores, a row a trace. ValueError where a true error lies beyond its row.
    """
    for i, (row, index) in enumerate(zip(rows, true, strict=False)):
        if index is not None and not 0 <= index < len(row):
            raise ValueError(f"trace {i} has {len(row)} scores and its first error at {index}")
    return first_error_f1([first_below(row, threshold) for row in rows], true)


def best_threshold(rows, true, candidates: Sequence[float]) -> float:
    """The candidate with the highest first-error F1, the first of equals.

    Choose it on problems that the F1 is not reported on. ValueError for no candidate.
    """
    if len(candidates) == 0:
        raise ValueError("no threshold to choose from: give at least one")
    return max(candidates, key=lambda c: first_error_scores(rows, true, c).f1)


def paired(scores, right) -> tuple[np.ndarray, np.ndarray]:
    """Scores as floats and rights as booleans, both (items,), checked."""
    scores, right = np.asarray(scores, dtype=float), np.asarray(right)
    if scores.ndim != 1 or scores.shape != right.shape or scores.size == 0:
        raise ValueError(
            f"scores {scores.shape} and rights {right.shape}: give one of each an item"
        )
    if np.isnan(scores).any():
        raise ValueError(f"item {int(np.isnan(scores).argmax())} scores NaN: check the scorer")
    if not np.all((right == 0) | (right == 1)):
        raise ValueError("rights must be true or false, 1 or 0")
    return scores, right.astype(bool)
