"""Completing the prefixes of traces: what a policy makes of each beginning, and what that costs.

Leaves out what is concluded from it (`labels`, `scorers`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from o1lab.measure.compute import Ledger, forward_flops
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import is_right
from o1lab.tasks.base import Task


@dataclass(frozen=True)
class Continued:
    """What n completions of one prefix came to.

    right: whether each ends in the right answer; tokens, flops: what writing each took.
    read, read_flops: prompt and prefix, read once for all n.
    """

    right: tuple[bool, ...]
    tokens: tuple[int, ...]
    flops: tuple[float, ...]
    read: int
    read_flops: float

    def ledger(self, n: int) -> Ledger:
        """What the first n completions cost."""
        return Ledger(
            prompt_tokens=self.read,
            generated_tokens=sum(self.tokens[:n]),
            policy_flops=self.read_flops + sum(self.flops[:n]),
        )


@dataclass(frozen=True)
class Completer:
    """A policy that completes prefixes n times each, through the lab's engine.

    policy: has `model` and `tokenizer`, those that the rollouts' token ids belong to.
    task: grades the answers. The other fields are those of `generate`.
    """

    policy: Any
    task: Task
    n: int = 8
    max_new_tokens: int = 256
    temperature: float = 1.0
    seed: int = 0
    batch_rows: int = 512
    progress: bool = False

    def __post_init__(self):
        if self.n < 1:
            raise ValueError(f"n is {self.n}: a prefix needs at least one completion")

    def __call__(self, places: Sequence[tuple[Rollout, int]]) -> list[Continued]:
        """n completions of each (rollout, tokens of its completion to keep), in one batch.

        ValueError where a rollout has no problem, has another tokenizer's ids, or leaves no
        room for max_new_tokens.
        """
        from o1lab.model.generate import generate

        problems = [rollout.problem for rollout, _ in places]
        self._check([rollout for rollout, _ in places])
        groups = generate(
            self.policy.model,
            self.policy.tokenizer,
            [problem.prompt for problem in problems],
            n=self.n,
            max_new_tokens=self.max_new_tokens,
            temperature=self.temperature,
            seed=self.seed,
            prefixes=[rollout.ids[:end] for rollout, end in places],
            problems=problems,
            batch_rows=self.batch_rows,
            progress=self.progress,
        )
        pairs = zip(places, groups, strict=True)
        return [self._continued(group, end) for (_, end), group in pairs]

    def _check(self, rollouts: Sequence[Rollout]) -> None:
        if any(rollout.problem is None for rollout in rollouts):
            raise ValueError("a rollout without its problem cannot be graded: pass `problems`")
        check_tokenizer(self.policy.tokenizer, rollouts)

    def _continued(self, group: list[Rollout], start: int) -> Continued:
        read = len(group[0].prompt_ids) + start
        read_flops = forward_flops(self.policy.model.config, read, (read + 1) / 2, logits_tokens=1)
        return Continued(
            right=tuple(is_right(self.task, rollout) for rollout in group),
            tokens=tuple(len(rollout.ids) - start for rollout in group),
            flops=tuple(rollout.flops - read_flops / self.n for rollout in group),
            read=read,
            read_flops=read_flops,
        )


def check_tokenizer(tokenizer, rollouts: Sequence[Rollout]) -> None:
    """ValueError if some rollout's prompt has other token ids in this tokenizer."""
    prompts = {r.problem.prompt: r.prompt_ids for r in rollouts if r.problem}
    for prompt, ids in prompts.items():
        if tokenizer.encode(prompt) != ids:
            raise ValueError(
                "the rollouts' token ids are of another tokenizer: pass them through "
                "`o1lab.rewards.examples.retokenize` first"
            )


@dataclass(frozen=True)
class StepValues:
    """Completions from every step's prefix: found[rows[i][j]] are those of rollout i, step j.

    A prefix that several rollouts share is completed once. n: completions a prefix.
    """

    found: list[Continued]
    rows: list[list[int]]
    n: int

    def right(self, n: int | None = None) -> list[list[int]]:
        """How many of the first n completions are right, a step; ValueError if n > self.n."""
        n = self._size(n)
        return [[sum(self.found[at].right[:n]) for at in row] for row in self.rows]

    def ledger(self, n: int | None = None) -> Ledger:
        """What n completions a prefix cost, each distinct prefix once."""
        n = self._size(n)
        return sum((found.ledger(n) for found in self.found), Ledger())

    def _size(self, n: int | None) -> int:
        n = self.n if n is None else n
        if not 1 <= n <= self.n:
            raise ValueError(f"n is {n}: there are 1 to {self.n} completions a prefix")
        return n


def step_values(completer: Completer, rollouts: Sequence[Rollout]) -> StepValues:
    """Complete the prefix of every step of every rollout, all in one batch.

    A prefix ends just past its step. The last step of a finished rollout has its answer with it:
    nothing is left to complete, and each of the n is right if that answer is.
    """
    places = [(r, end) for r in rollouts for end in r.step_ends[: _open(r)]]
    firsts, which = distinct(places)
    found = completer(firsts) if firsts else []
    owned, rows = iter(which), []
    for rollout in rollouts:
        rows.append([next(owned) for _ in rollout.step_ends[: _open(rollout)]])
        if rollout.finished and rollout.step_ends:
            rows[-1].append(len(found))
            found.append(_known(completer, rollout))
    return StepValues(found, rows, completer.n)


def _open(rollout: Rollout) -> int:
    """How many steps have something left to complete after them."""
    return len(rollout.step_ends) - rollout.finished if rollout.step_ends else 0


def _known(completer: Completer, rollout: Rollout) -> Continued:
    """The outcome of a rollout that has ended, for nothing."""
    n = completer.n
    return Continued((is_right(completer.task, rollout),) * n, (0,) * n, (0.0,) * n, 0, 0.0)


def distinct(places: Sequence[tuple[Rollout, int]]) -> tuple[list[tuple[Rollout, int]], list[int]]:
    """(the places that differ in prompt or prefix, for each place given which of those it is)."""
    known: dict[tuple, int] = {}
    firsts, which = [], []
    for rollout, end in places:
        key = (*rollout.prompt_ids, -1, *rollout.ids[:end])
        if key not in known:
            known[key] = len(firsts)
            firsts.append((rollout, end))
        which.append(known[key])
    return firsts, which
