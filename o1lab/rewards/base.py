"""The Scorer protocol: rollouts in, one score a step out. Leaves out learned reward models."""

from collections.abc import Sequence
from typing import Protocol

from o1lab.model.rollouts import Rollout
from o1lab.tasks.base import Task


class Scorer(Protocol):
    """Anything that scores the steps of rollouts, each in 0..1, higher is better."""

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        """For each rollout, one score for each step of its thoughts."""


class ExactScorer:
    """The oracle: 1 for a step that its task calls right, 0 for a wrong one."""

    def __init__(self, task: Task):
        self.task = task

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        return [[float(v.ok) for v in self._verdicts(r)] for r in rollouts]

    def _verdicts(self, rollout: Rollout):
        if rollout.problem is None:
            raise ValueError("a rollout without its problem cannot be checked: pass `problems`")
        return self.task.verdicts(rollout.problem, self.task.steps(rollout.thoughts or ""))


def score(scorer: Scorer, rollouts: Sequence[Rollout]) -> list[list[float]]:
    """The scorer's scores, checked: as many as rollouts, and for each as many as its steps.

    Raises ValueError that names the first rollout with too few or too many.
    """
    scores = scorer(rollouts)
    if len(scores) != len(rollouts):
        raise ValueError(f"{len(scores)} rows of scores for {len(rollouts)} rollouts")
    for i, (row, rollout) in enumerate(zip(scores, rollouts, strict=True)):
        if len(row) != len(rollout.step_ends):
            steps = len(rollout.step_ends)
            raise ValueError(f"rollout {i} has {steps} steps and the scorer gave {len(row)}")
    return scores
