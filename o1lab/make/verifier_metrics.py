"""How well a verifier tells right steps and chains from wrong ones, by every measure of lesson 03.

Leaves out what it is worth when it chooses (`ladder`).
"""

from collections.abc import Sequence

import numpy as np

from o1lab.measure.calibration import ece, reliability
from o1lab.measure.ranking import auroc, auroc_by_problem, first_error_scores
from o1lab.rewards.labels import exact_labels
from o1lab.tasks import task


def metrics(scorer, held, kind: str, after: str) -> dict:
    """AUROC (pooled, within a problem, by depth, of outcomes), first-error F1, ECE, reliability.

    held: rollouts of held-out stories (`ladder.Held`). A step's truth follows the rule `after`.
    "minimum at": of chains with a wrong step, the share whose lowest score is on the first wrong
    one, and the share where it is on the last step.
    """
    flat = held.flat
    rows, truth = scorer(flat), exact_labels(task(flat[0].problem.task), flat, after).rows
    kept = [[y is not None for y in row] for row in truth]
    label = np.array([y for row in truth for y in row if y is not None])
    step = np.concatenate(rows)[np.concatenate(kept)]
    problem = np.repeat(np.repeat(np.arange(len(held.groups)), held.right.shape[1]),
                        [sum(row) for row in kept])  # fmt: skip
    depth = np.array([group[0].problem.difficulty for group in held.groups])
    within = auroc_by_problem(step, label, problem)
    depth = depth[np.unique(problem)]  # of the problems with any step, in order
    found = {
        "pooled auroc": auroc(step, label),
        "within auroc": float(np.nanmean(within)),
        "within auroc by depth": {
            int(d): float(np.nanmean(within[depth == d])) for d in set(depth)
        },
        "outcome auroc": _outcome_auroc(rows, held, kind),
        "ece": ece(step, label),
        "reliability": _curve(step, label),
        "minimum at": _minimum(rows, truth),
        "share of right steps": float(label.mean()),
    }
    firsts = [_first_wrong(row) for row in truth]
    return found | {"first-error f1": first_error_scores(rows, firsts).f1}


def _curve(step: np.ndarray, label: np.ndarray) -> list[list[float]]:
    """[mean score, share right, items] of each bin that holds any."""
    curve = reliability(step, label)
    bins = zip(curve.score, curve.right, curve.count, strict=True)
    return [[float(s), float(r), int(c)] for s, r, c in bins if c]


def _outcome_auroc(rows, held, kind: str) -> float:
    """Within a problem: does a chain's worth tell right answers from wrong ones?"""
    worth = np.array([np.prod(row) if kind == "prm" else row[-1] if row else 0.0 for row in rows])
    problem = np.repeat(np.arange(len(held.groups)), held.right.shape[1])
    return float(np.nanmean(auroc_by_problem(worth, held.right.ravel(), problem)))


def _first_wrong(row: Sequence[float | None]) -> int | None:
    return next((i for i, label in enumerate(row) if label is not None and label < 0.5), None)


def _minimum(rows, truth) -> list[float]:
    """Shares of chains with a wrong step: lowest score on the first wrong one, on the last one."""
    pairs = [(row, _first_wrong(labels)) for row, labels in zip(rows, truth, strict=True)]
    wrong = [(int(np.argmin(row)), at, len(row) - 1) for row, at in pairs if at is not None]
    first = np.mean([low == at for low, at, _ in wrong])
    return [float(first), float(np.mean([low == last for low, _, last in wrong]))]
