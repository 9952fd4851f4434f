"""From a value's score to the chance that a policy gets there: what a tree compares across depths.

`foresight`'s value says whether a beginning *can* still succeed. Early beginnings nearly all can,
and a tree led by that would stay among them. What it has to weigh is how likely this policy
succeeds from here. Two numbers for each count of numbers left turn one into the other (Platt
1999), fitted on rollouts of dev puzzles. Leaves out the value itself and the search.
"""

import random
from collections.abc import Callable, Sequence

import numpy as np

from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import Scorer, is_right
from o1lab.tasks import task
from o1lab.tasks.base import Problem

SIZES, EACH = (4, 5, 6), 4  # numbers of a dev puzzle, rollouts of each
SURE = 0.98  # a score beyond this, or below 1 - this, says no more


def dev_puzzles(count: int, seed: int = 9) -> list[Problem]:
    """`count` distinct puzzles of each size, of the dev split: neither trained nor tested on."""
    world, rng, out = task("countdown"), random.Random(f"chances {seed}"), []
    for size in SIZES:
        found: dict[str, Problem] = {}
        while len(found) < count:
            problem = world.problem(rng, size, "dev")
            found.setdefault(world.canonical(problem), problem)
        out += found.values()
    return out


def log_odds(score) -> np.ndarray:
    """Log-odds of scores, those of the very sure ones cut."""
    p = np.clip(np.asarray(score, dtype=float), 1 - SURE, SURE)
    return np.log(p / (1 - p))


def fit(value: Scorer, policy, count: int = 100, seed: int = 5) -> dict[str, list[float]]:
    """{numbers left: [intercept, slope]} of the log-odds that this policy's rollout succeeds."""
    from o1lab.model.checkpoints import think_all

    world = task("countdown")
    groups = think_all(policy, dev_puzzles(count), EACH, temperature=0.7, max_new_tokens=130,
                       seed=seed)  # fmt: skip
    rollouts = [rollout for group in groups for rollout in group]
    rows: dict[int, list[tuple[float, float]]] = {}
    for rollout, scores in zip(rollouts, value(rollouts), strict=True):
        steps, right = world.steps(rollout.thoughts or ""), float(is_right(world, rollout))
        verdicts = world.verdicts(rollout.problem, steps)
        for i, (score, verdict) in enumerate(zip(scores, verdicts, strict=False), 1):
            if verdict.kind not in ("ok", "dead end"):
                break
            left = len(rollout.problem.data[0]) - i
            if left > 1:  # with one number left everybody sees whether it is the target
                rows.setdefault(left, []).append((score, right))
    return {str(left): logistic(*np.array(pairs).T) for left, pairs in sorted(rows.items())}


def logistic(scores: np.ndarray, right: np.ndarray, steps: int = 30) -> list[float]:
    """[intercept, slope] of the most likely logistic curve over log-odds; Newton's method.

    A hundredth of a squared weight is added to the loss, so that it exists for any data.
    """
    x = np.stack([np.ones(len(scores)), log_odds(scores)], 1)  # (N, 2)
    weights = np.zeros(2)
    for _ in range(steps):
        p = 1 / (1 + np.exp(-x @ weights))
        slope = x.T @ (p - right) + 0.01 * weights
        weights -= np.linalg.solve((x.T * (p * (1 - p))) @ x + 0.01 * np.eye(2), slope)
    return [float(w) for w in weights]


def worth(fitted: dict[str, Sequence[float]]) -> Callable[[Rollout, float], float]:
    """`worth(rollout, score)` of a search: the fitted chance, or the score where none is fitted."""

    def chance(rollout: Rollout, score: float) -> float:
        left = str(len(rollout.problem.data[0]) - len(rollout.step_ends))
        if left not in fitted:
            return score
        intercept, slope = fitted[left]
        return float(1 / (1 + np.exp(-intercept - slope * log_odds(score))))

    return chance
