"""The Scorer protocol: rollouts in, one score a step out. Leaves out learned reward models."""

from collections.abc import Sequence
from typing import Protocol

from o1lab.model.rollouts import Rollout
from o1lab.tasks.base import Task


class Scorer(Protocol):
    """Anything that scores the steps of rollouts, each in 0..1, higher is better.

    The answer belongs to the last step: of a finished rollout the last score judges both.
    Otherwise a chain that stops halfway, every step right, would beat those that go on.
    """

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        """For each rollout, one score for each step of its thoughts."""


def all_right(task: Task, rollout: Rollout) -> bool:
    """Whether the task calls every step of a rollout right; of one without steps, too."""
    steps = task.steps(rollout.thoughts or "")
    return all(verdict.ok for verdict in task.verdicts(rollout.problem, steps))


def judged_at(rollout: Rollout) -> list[int]:
    """The token of the completion on which each step is judged: where all of it has been read.

    That is the step's last token, and for the last step of a finished rollout the completion's.
    """
    places = [end - 1 for end in rollout.step_ends]
    if places and rollout.finished:
        places[-1] = len(rollout.ids) - 1
    return places


class ExactScorer:
    """The oracle: 1 for a step that its task calls right, 0 for a wrong one.

    The last step of a finished rollout is right only if the answer is right too.
    """

    def __init__(self, task: Task):
        self.task = task

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        return [self._row(rollout) for rollout in rollouts]

    def _row(self, rollout: Rollout) -> list[float]:
        row = [float(verdict.ok) for verdict in self._verdicts(rollout)]
        if row and rollout.finished:
            row[-1] *= float(is_right(self.task, rollout))
        return row

    def _verdicts(self, rollout: Rollout):
        if rollout.problem is None:
            raise ValueError("a rollout without its problem cannot be checked: pass `problems`")
        return self.task.verdicts(rollout.problem, self.task.steps(rollout.thoughts or ""))


def is_right(task: Task, rollout: Rollout) -> bool:
    """Whether the rollout's answer is right; one without an answer is not."""
    return rollout.answer is not None and task.grade(rollout.problem, rollout.answer)


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
