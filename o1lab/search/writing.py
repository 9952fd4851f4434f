"""What every search over steps asks of a policy: more steps after a prefix, and what that costs.

A prefix is a rollout that may not have ended: `start` makes the empty one. Leaves out which
prefix is written on (`mcts`, `beam`) and how it is judged (`judging`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from o1lab.measure.compute import Ledger, forward_flops, shape_of
from o1lab.model.rollouts import Rollout
from o1lab.model.steps import newline_ids
from o1lab.tasks.base import Problem

ROUND = 1_000_003  # between the seeds of independent draws after one prefix


@dataclass(frozen=True)
class Writer:
    """A policy (`model`, `tokenizer`) with how it samples.

    step_tokens: the most tokens of one step; the answer counts as one. max_new_tokens: of a whole
    completion. remember: a prefix's keys and values, of the policy and of a reward model, are
    computed once and kept while the search goes on (where `keeps_pasts` of the model); else it is
    read again at every call. The other fields are those of `generate`.
    """

    policy: Any
    step_tokens: int = 64
    max_new_tokens: int = 256
    temperature: float = 1.0
    seed: int = 0
    batch_rows: int = 512
    remember: bool = True

    def __post_init__(self):
        if not 1 <= self.step_tokens <= self.max_new_tokens:
            raise ValueError(
                f"step_tokens {self.step_tokens} must be in 1..max_new_tokens, which is "
                f"{self.max_new_tokens}: a step is a part of a completion"
            )
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature {self.temperature}: give a number of at least 0")

    def start(self, problem: Problem, more: int = 0) -> Rollout:
        """The prefix without a token.

        ValueError if its prompt leaves no room for a completion and `more` tokens after it.
        """
        ids = self.policy.tokenizer.encode(problem.prompt)
        room = getattr(self.policy.model.config, "max_position_embeddings", None)
        if room and len(ids) + self.max_new_tokens + more > room:
            raise ValueError(
                f"a prompt of {len(ids)} tokens and max_new_tokens {self.max_new_tokens} (twice, "
                f"with rollouts) pass the model's {room}: lower max_new_tokens"
            )
        return Rollout(problem, ids, [], [], "")

    def ended(self, rollout: Rollout) -> bool:
        """Whether nothing can follow: it is complete, was cut, or has no room for a step."""
        room = self.max_new_tokens - len(rollout.ids) >= self.step_tokens
        return rollout.finished or self.cut(rollout) or not room

    def cut(self, rollout: Rollout) -> bool:
        """Whether it breaks off inside a step or an answer."""
        if rollout.finished or not rollout.ids:
            return False
        closed = rollout.ids[-1] in newline_ids(self.policy.tokenizer)
        return not closed or rollout.step_ends[-1:] != [len(rollout.ids)]

    def steps(
        self,
        prefixes: Sequence[Rollout],
        n: int,
        rounds: Sequence[int] | None = None,
        greedy: bool = False,
    ) -> list[list[Rollout]]:
        """n rollouts of each prefix with one step more, or with their end; one engine call.

        rounds: a number a prefix, 0 if not given; another number gives other, independent draws.
        greedy: at temperature 0.
        """
        return self._write(prefixes, n, self.step_tokens, "step", rounds, greedy)

    def ends(self, prefixes: Sequence[Rollout], n: int) -> list[list[Rollout]]:
        """n rollouts of each prefix to their end, of at most max_new_tokens more; one call."""
        return self._write(prefixes, n, self.max_new_tokens, "end")

    def rest(self, prefixes: Sequence[Rollout]) -> list[Rollout]:
        """Each prefix to its end, of at most max_new_tokens tokens in all; a call a length."""
        out: list[Rollout] = list(prefixes)
        for length in sorted({len(prefix.ids) for prefix in prefixes}):
            chosen = [i for i, prefix in enumerate(prefixes) if len(prefix.ids) == length]
            size = self.max_new_tokens - length
            groups = self._write([prefixes[i] for i in chosen], 1, size, "end")
            for i, group in zip(chosen, groups, strict=True):
                out[i] = group[0]
        return out

    def _write(self, prefixes, n: int, size: int, stop: str, rounds=None, greedy=False):
        rounds = [0] * len(prefixes) if rounds is None else rounds
        out: list[list[Rollout]] = [[] for _ in prefixes]
        for number in sorted(set(rounds)):
            chosen = [i for i, r in enumerate(rounds) if r == number]
            groups = self._call([prefixes[i] for i in chosen], n, size, stop, number, greedy)
            for i, group in zip(chosen, groups, strict=True):
                out[i] = [joined(prefixes[i], rollout) for rollout in group]
        return out

    def _call(self, prefixes, n: int, size: int, stop: str, number: int, greedy: bool):
        from o1lab.model.generate import generate

        return generate(
            self.policy.model,
            self.policy.tokenizer,
            [prefix.problem.prompt for prefix in prefixes],
            n=n,
            max_new_tokens=size,
            temperature=0.0 if greedy else self.temperature,
            seed=self.seed + ROUND * number,
            stop=stop,
            prefixes=[prefix.ids for prefix in prefixes],
            problems=[prefix.problem for prefix in prefixes],
            pasts=[prefix.past for prefix in prefixes] if self.remember else None,
            batch_rows=self.batch_rows,
        )

    @cached_property
    def _shape(self):
        return shape_of(self.policy.model.config)

    def price(self, prefix: Rollout, n: int, new: int | None = None, more: int = 0) -> Ledger:
        """The most that n rollouts of at most `new` tokens after a prefix cost, it included.

        new: default one step. more: tokens that the prefix will have gained by then.
        """
        new = self.step_tokens if new is None else new
        config, skipped = self._shape, remembered(prefix)
        start = len(prefix.prompt_ids) + len(prefix.ids) + more
        read = start - skipped
        prefill = forward_flops(config, read, skipped + (read + 1) / 2, logits_tokens=1)
        written = forward_flops(config, new - 1, start + new / 2)
        return Ledger(read, n * new, policy_flops=prefill + n * written)


def remembered(prefix: Rollout) -> int:
    """How many tokens of prompt and prefix need not be read again."""
    return prefix.past.size if prefix.past else 0


def joined(prefix: Rollout, rollout: Rollout) -> Rollout:
    """The rollout with its prefix's log-probabilities put into it, and its FLOPs added."""
    logprobs = prefix.logprobs + rollout.logprobs[len(prefix.ids) :]
    return replace(rollout, logprobs=logprobs, flops=prefix.flops + rollout.flops)


def spent(prefix: Rollout, group: Sequence[Rollout]) -> Ledger:
    """What a group of rollouts of one prefix cost: what was read of it, and what is new."""
    return Ledger(
        prompt_tokens=len(prefix.prompt_ids) + len(prefix.ids) - remembered(prefix),
        generated_tokens=sum(len(rollout.ids) - len(prefix.ids) for rollout in group),
        policy_flops=sum(rollout.flops - prefix.flops for rollout in group),
    )


def merged(group: Sequence[Rollout]) -> list[tuple[Rollout, list[Rollout]]]:
    """The rollouts that differ in text or in having ended, each with all that are equal to it."""
    found: dict[tuple, list[Rollout]] = {}
    for rollout in group:
        found.setdefault((rollout.text, rollout.finished), []).append(rollout)
    return [(same[0], same) for same in found.values()]
