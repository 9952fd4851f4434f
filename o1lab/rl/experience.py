"""One iteration's experience: what was written, what it was paid, what each token was worth.

Leaves out the updates made with it (`loop`). Columns hold one tensor a rollout, (length,).
"""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import torch
from torch.nn.utils.rnn import pad_sequence

from o1lab.model.rollouts import Rollout
from o1lab.rl.advantages import (
    gae,
    group_advantages,
    leave_one_out,
    process_advantages,
    whiten,
)
from o1lab.rl.policy_value import ActorCritic, read, reference_logprobs
from o1lab.rl.rewards import Paid, token_rewards
from o1lab.rl.rows import Rows, can_share, minibatches
from o1lab.rl.settings import RLConfig
from o1lab.tasks.base import Problem, Task

Column = list[torch.Tensor]


@dataclass
class Experience:
    """Rollouts, those of one prompt side by side, and what the training forward says of them.

    logprobs, reference: at the sampling temperature, of the policy before the first update and
        of the one it is leashed to. values, last: as in `Reading`; empty without a critic.
    first: the first epoch's minibatches, on which all this was computed, for `flops`.
    """

    rollouts: list[Rollout]
    paid: Paid
    first: list[list[Rows]]
    flops: float
    logprobs: Column = field(default_factory=list)
    reference: Column = field(default_factory=list)
    entropy: Column = field(default_factory=list)
    values: Column = field(default_factory=list)
    last: Column = field(default_factory=list)

    @property
    def gaps(self) -> Column:
        """logp - logp_ref of each token: its sum over a rollout estimates the KL divergence."""
        return [old - other for old, other in zip(self.logprobs, self.reference, strict=True)]


def drawn(task: Task, difficulty: int, count: int, seed: int = 0) -> Callable[[int], list[Problem]]:
    """`problems(iteration)` for the loop: fresh training problems, a pure function of iteration."""

    def problems(iteration: int) -> list[Problem]:
        rng = random.Random(f"{seed} {iteration}")
        return [task.problem(rng, difficulty) for _ in range(count)]

    return problems


@torch.no_grad()
def look(
    model: ActorCritic, reference, rollouts, paid: Paid, config: RLConfig, iteration: int, context
) -> Experience:
    """Read the rollouts on the very micro-batches of the first epoch, before any update.

    The engine's own log-probabilities differ from the training forward's by rounding; with these
    the ratio is exactly 1 until the first step. context: what the passes run under (precision).
    """
    first = minibatches(rollouts, config, iteration, 0, can_share(model.policy))
    found: dict[str, dict[int, torch.Tensor]] = defaultdict(dict)
    flops, device = 0.0, next(model.parameters()).device
    for rows in (rows for minibatch in first for rows in minibatch):
        with context():
            ready = rows.to(device)
            reading = read(model, ready, config.temperature, closely=True)
            other = reference_logprobs(reference, ready, config.temperature)
        written = [size for _, sizes in rows.sizes for size in sizes]
        columns = vars(reading) | {"reference": other}
        for name, flat in columns.items():
            if flat is not None:
                sizes = [1] * len(written) if name == "last" else written
                found[name] |= zip(rows.rollouts, flat.cpu().split(sizes), strict=True)
        flops += model.flops(rows) + rows.flops(reference.config)
    columns = {name: [got[i] for i in range(len(rollouts))] for name, got in found.items()}
    return Experience(rollouts, paid, first, flops, **columns)


def with_columns(rows: Rows, columns: dict[str, Column]) -> Rows:
    """The micro-batch with these columns of its written tokens, (M,), rollout after rollout."""
    flat = {name: torch.cat([column[i] for i in rows.rollouts]) for name, column in columns.items()}
    return replace(rows, extra=flat)


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
        last = torch.cat(seen.last) * cut
    advantages, returns = gae(rewards, values, mask, last, config.gamma, config.lam)
    columns = {"advantage": whiten(advantages, mask), "returns": returns}
    return {
        name: [row[:size] for row, size in zip(column, sizes, strict=True)]
        for name, column in columns.items()
    }


def _from_groups(seen: Experience, config: RLConfig, leash: float) -> Column:
    """Each rollout compared with the others of its prompt; the same number on all its tokens."""
    n, like = config.rollouts, seen.logprobs[0]
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
