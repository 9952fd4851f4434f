"""One iteration's experience: what was written, what it was paid, what each token was worth.

Leaves out the updates made with it (`loop`). Columns hold one tensor a rollout, (length,).
"""

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch.nn.utils.rnn import pad_sequence

from o1lab.model.batches import Batch, Example, pad
from o1lab.model.rollouts import Rollout
from o1lab.rewards.scoring import buckets
from o1lab.rl.advantages import (
    gae,
    group_advantages,
    leave_one_out,
    process_advantages,
    whiten,
)
from o1lab.rl.policy_value import ActorCritic, read, reference_logprobs
from o1lab.rl.rewards import Paid, token_rewards
from o1lab.rl.settings import RLConfig
from o1lab.tasks.base import Problem, Task

Column = list[torch.Tensor]
Micro = tuple[list[int], Batch]  # (which rollouts, one a row; the rows)


@dataclass
class Experience:
    """Rollouts, those of one prompt side by side, and what the training forward says of them.

    old, reference: log-probabilities at the sampling temperature, of the policy before the first
        update and of the one it is leashed to. values, last: as in `Reading`; empty without critic.
    first: the first epoch's minibatches, on which all this was computed.
    """

    rollouts: list[Rollout]
    paid: Paid
    first: list[list[Micro]]
    old: Column = field(default_factory=list)
    reference: Column = field(default_factory=list)
    entropy: Column = field(default_factory=list)
    values: Column = field(default_factory=list)
    last: Column = field(default_factory=list)

    @property
    def gaps(self) -> Column:
        """logp - logp_ref of each token: its sum over a rollout estimates the KL divergence."""
        return [old - other for old, other in zip(self.old, self.reference, strict=True)]


def drawn(task: Task, difficulty: int, count: int, seed: int = 0) -> Callable[[int], list[Problem]]:
    """`problems(iteration)` for the loop: fresh training problems, a pure function of iteration."""

    def problems(iteration: int) -> list[Problem]:
        rng = random.Random(f"{seed} {iteration}")
        return [task.problem(rng, difficulty) for _ in range(count)]

    return problems


def minibatches(rollouts: Sequence[Rollout], config: RLConfig, iteration: int, epoch: int):
    """An epoch's minibatches, each as micro-batches: shuffled, then cut by like length."""
    rng = random.Random(f"{config.seed} {iteration} {epoch}")
    order = rng.sample(range(len(rollouts)), len(rollouts))
    size = math.ceil(len(order) / config.minibatches)
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    return [_micro_batches(rollouts, part, config) for part in parts]


def _micro_batches(rollouts, part: list[int], config: RLConfig) -> list[Micro]:
    lengths = [len(rollouts[i].prompt_ids) + len(rollouts[i].ids) for i in part]
    found = []
    for bucket in buckets(lengths, config.tokens_per_batch):
        places = [part[i] for i in bucket]
        found.append((places, pad([_example(rollouts[i], config) for i in places])))
    return found


def _example(rollout: Rollout, config: RLConfig) -> Example:
    """Weights say how much each written token counts in the loss; what was only read has 0."""
    size = len(rollout.ids)
    each = {"token": 1.0, "sequence": 1 / size, "constant": 1 / config.max_new_tokens}
    weight = [0.0] * len(rollout.prompt_ids) + [each[config.average]] * size
    return Example(rollout.prompt_ids + rollout.ids, weight)


@torch.no_grad()
def look(
    model: ActorCritic, reference, rollouts, paid: Paid, config: RLConfig, iteration: int, context
) -> Experience:
    """Read the rollouts on the very micro-batches of the first epoch, before any update.

    The engine's own log-probabilities differ from the training forward's by rounding; with these
    the ratio is exactly 1 until the first step. context: what the passes run under (precision).
    """
    seen = Experience(rollouts, paid, minibatches(rollouts, config, iteration, 0))
    count, device = len(rollouts), next(model.parameters()).device
    found: dict[str, list] = {name: [None] * count for name in _READ}
    for places, batch in (micro for minibatch in seen.first for micro in minibatch):
        with context():
            ready = batch.to(device)
            reading = read(model, ready, config.temperature, closely=True)
            other = reference_logprobs(reference, ready, config.temperature)
        flat = {"old": reading.logprobs, "reference": other, "entropy": reading.entropy,
                "values": reading.values}  # fmt: skip
        for name, column in flat.items():
            if column is not None:
                _put(found[name], places, column.cpu(), rollouts)
        if reading.last is not None:
            for place, value in zip(places, reading.last.cpu(), strict=True):
                found["last"][place] = value
    columns = {name: column for name, column in found.items() if column[0] is not None}
    return replace(seen, **columns)


_READ = ("old", "reference", "entropy", "values", "last")


def _put(column: list, places: list[int], flat: torch.Tensor, rollouts) -> None:
    sizes = [len(rollouts[i].ids) for i in places]
    for place, piece in zip(places, flat.split(sizes), strict=True):
        column[place] = piece


def with_columns(micro: Micro, columns: dict[str, Column]) -> Batch:
    """The micro-batch with these columns of its *written* tokens, (M,), row after row."""
    places, batch = micro
    flat = {name: torch.cat([column[i] for i in places]) for name, column in columns.items()}
    return replace(batch, extra=flat)


def estimate(seen: Experience, config: RLConfig, beta: float) -> dict[str, Column]:
    """The columns "advantage" and, with a critic, "returns"; detached from any graph."""
    leash = beta if config.kl_in == "reward" else 0.0
    if config.advantage == "gae":
        return _from_values(seen, config, leash)
    return {"advantage": _from_groups(seen, config, leash)}


def _from_values(seen: Experience, config: RLConfig, leash: float) -> dict[str, Column]:
    values = pad_sequence(seen.values, batch_first=True)  # (B, T)
    rewards = token_rewards(seen.paid.payments, seen.gaps, leash)
    sizes = [len(rollout.ids) for rollout in seen.rollouts]
    mask = torch.arange(values.shape[1]) < torch.tensor(sizes)[:, None]
    last = None
    if config.at_limit == "bootstrap":
        cut = torch.tensor([not rollout.finished for rollout in seen.rollouts])
        last = torch.stack(seen.last) * cut
    advantages, returns = gae(rewards, values, mask, last, config.gamma, config.lam)
    columns = {"advantage": whiten(advantages, mask), "returns": returns}
    return {
        name: [row[:size] for row, size in zip(column, sizes, strict=True)]
        for name, column in columns.items()
    }


def _from_groups(seen: Experience, config: RLConfig, leash: float) -> Column:
    """Each rollout compared with the others of its prompt; the same number on all its tokens."""
    n, like = config.rollouts, seen.old[0]
    if config.advantage == "process":
        return _from_steps(seen, config, leash)
    totals = torch.tensor(seen.paid.totals(), dtype=torch.float64)
    totals -= leash * torch.stack([gap.sum() for gap in seen.gaps]).double()
    groups = totals.view(-1, n)
    found = {
        "grpo": lambda: group_advantages(groups),
        "dr_grpo": lambda: group_advantages(groups, std=False),
        "rloo": lambda: leave_one_out(groups),
    }[config.advantage]()
    flat = found.flatten().to(like.dtype)
    return [a.expand(len(r.ids)) for a, r in zip(flat, seen.rollouts, strict=True)]


def _from_steps(seen: Experience, config: RLConfig, leash: float) -> Column:
    """Process supervision, group by group; the leash, if it is in the reward, on each token."""
    n, found = config.rollouts, []
    for start in range(0, len(seen.rollouts), n):
        sizes = [len(r.ids) for r in seen.rollouts[start : start + n]]
        found += process_advantages(seen.paid.payments[start : start + n], sizes)
    later = [leash * gap.flip(0).cumsum(0).flip(0) for gap in seen.gaps]
    return [(a - b).to(b.dtype) for a, b in zip(found, later, strict=True)]
