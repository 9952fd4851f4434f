"""What makes two prefixes of steps one state of a task, for trees that share their nodes."""

from collections.abc import Callable

from o1lab.model.rollouts import Rollout
from o1lab.tasks.base import Task
from o1lab.tasks.countdown import left_of


def numbers_left(task: Task) -> Callable[[Rollout], tuple[int, ...] | None]:
    """For Countdown: a prefix to its numbers left, sorted, as `mcts` takes it for `state`.

    None, never one with another, where there is no step yet or a step is not a legal move: what
    such a prefix says is left is not what its numbers can do. A dead end is a state like others.
    """

    def state(rollout: Rollout) -> tuple[int, ...] | None:
        steps = task.steps(rollout.thoughts or "")
        verdicts = task.verdicts(rollout.problem, steps)
        if not steps or any(verdict.kind not in ("ok", "dead end") for verdict in verdicts):
            return None
        return left_of(steps[-1])

    return state
