"""Rollouts as rows to be read: a prompt once, then its rollouts, each blind to the others.

A rollout's tokens see the prompt and themselves, at the positions they were written at, so every
number is what it would be alone, for about half the work. Leaves out what is read (`policy_value`).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from o1lab.measure.compute import forward_flops
from o1lab.model.rollouts import Rollout
from o1lab.rewards.scoring import buckets
from o1lab.rl.settings import RLConfig

PLAIN = ("llama", "qwen2", "qwen3")  # attention that takes a mask of any shape
LONGEST = 512  # tokens in a shared row: beyond it, attention eats what sharing saves


@dataclass(frozen=True)
class Rows:
    """A micro-batch of B rows, padded on the right to T; M tokens of R rollouts were written.

    ids, positions (B, T); owner (B, T): 0 on a prompt, k on its k-th rollout, -1 on padding, or
    None where each row is one rollout. before (M,): where, in B * T, the state before each written
    token is; tokens (M,): which token that was; weight (M,): how much it counts in the loss.
    rollouts: which they are, in the order of the tokens; ends (R,): where the last token of each
    is. sizes: for each row (tokens of its prompt, of each rollout). extra: more columns (M,).
    """

    ids: torch.Tensor
    positions: torch.Tensor
    owner: torch.Tensor | None
    before: torch.Tensor
    tokens: torch.Tensor
    weight: torch.Tensor
    ends: torch.Tensor
    rollouts: list[int]
    sizes: list[tuple[int, list[int]]]
    extra: dict[str, torch.Tensor] = field(default_factory=dict)

    def to(self, device) -> "Rows":
        moved = {k: v.to(device) for k, v in vars(self).items() if isinstance(v, torch.Tensor)}
        return replace(self, **moved, extra={k: v.to(device) for k, v in self.extra.items()})

    def mask(self, dtype: torch.dtype) -> torch.Tensor | None:
        """What is added to attention scores, (B, 1, T, T): 0 where a token may look, else lowest.

        None where plain causal attention is right. Padding looks at something, to stay finite.
        """
        if self.owner is None:
            return None
        size = self.ids.shape[1]
        seen = self.owner[:, None, :]  # of the token looked at
        allowed = (seen == 0) | (seen == self.owner[:, :, None])
        allowed &= torch.ones(size, size, dtype=torch.bool, device=seen.device).tril()
        hidden = torch.zeros(allowed.shape, dtype=dtype, device=seen.device)
        return hidden.masked_fill(~allowed, torch.finfo(dtype).min)[:, None]

    def flops(self, config, outputs: bool = True) -> float:
        """Of one forward pass over the real tokens; outputs: with logits of what was written."""
        total = 0.0
        for prompt, written in self.sizes:
            total += forward_flops(config, prompt, (prompt + 1) / 2, 0)
            for size in written:
                context = prompt + (size + 1) / 2
                total += forward_flops(config, size, context, size if outputs else 0)
        return total


def can_share(model) -> bool:
    """Whether this model's attention takes a mask that hides rollouts from one another."""
    config = model.config
    return config.model_type in PLAIN and not getattr(config, "use_sliding_window", False)


def minibatches(
    rollouts: Sequence[Rollout], config: RLConfig, iteration: int, epoch: int, shared: bool
) -> list[list[Rows]]:
    """An epoch's minibatches, each as micro-batches: prompts shuffled, then cut by like length.

    The rollouts of a prompt stay together. A pure function of seed, iteration and epoch.
    """
    n = config.rollouts
    prompts = len(rollouts) // n
    order = random.Random(f"{config.seed} {iteration} {epoch}").sample(range(prompts), prompts)
    parts = [order[i :: config.minibatches] for i in range(min(config.minibatches, prompts))]
    groups = [[list(range(p * n, p * n + n)) for p in part] for part in parts]
    return [micro_batches(rollouts, group, config, shared) for group in groups]


def micro_batches(rollouts, groups: list[list[int]], config: RLConfig, shared: bool) -> list[Rows]:
    """Rows of like length, each batch of at most `tokens_per_batch` padded tokens."""
    longest = LONGEST if shared else 0
    rows = [row for group in groups for row in _cut(rollouts, group, longest)]
    lengths = [len(rollouts[row[0]].prompt_ids) + _written(rollouts, row) for row in rows]
    chosen = buckets(lengths, config.tokens_per_batch)
    return [lay_out(rollouts, [rows[i] for i in bucket], config) for bucket in chosen]


def _written(rollouts, row: list[int]) -> int:
    return sum(len(rollouts[i].ids) for i in row)


def _cut(rollouts, group: list[int], longest: int) -> list[list[int]]:
    """The group in rows of at most `longest` tokens, or of one rollout."""
    rows: list[list[int]] = []
    for i in group:
        size = len(rollouts[i].prompt_ids) + len(rollouts[i].ids)
        if rows and size + _written(rollouts, rows[-1]) <= longest:
            rows[-1].append(i)
        else:
            rows.append([i])
    return rows


def lay_out(rollouts: Sequence[Rollout], rows: list[list[int]], config: RLConfig) -> Rows:
    """These rows, each of rollouts of one prompt, as tensors."""
    sizes = [(len(rollouts[row[0]].prompt_ids), [len(rollouts[i].ids) for i in row])
             for row in rows]  # fmt: skip
    width = max(prompt + sum(written) for prompt, written in sizes)
    ids = torch.zeros(len(rows), width, dtype=torch.long)
    positions, owner = torch.zeros_like(ids), torch.full_like(ids, -1)
    before, ends = [], []
    for b, (row, (prompt, written)) in enumerate(zip(rows, sizes, strict=True)):
        text = rollouts[row[0]].prompt_ids + [t for i in row for t in rollouts[i].ids]
        ids[b, : len(text)] = torch.tensor(text)
        positions[b, :prompt], owner[b, :prompt] = torch.arange(prompt), 0
        at = prompt
        for k, size in enumerate(written):
            positions[b, at : at + size] = torch.arange(prompt, prompt + size)
            owner[b, at : at + size] = k + 1
            before += [b * width + prompt - 1, *range(b * width + at, b * width + at + size - 1)]
            at += size
            ends.append(b * width + at - 1)
    chosen = [i for row in rows for i in row]
    return Rows(
        ids=ids,
        positions=positions,
        owner=owner if max(map(len, rows)) > 1 else None,
        before=torch.tensor(before),
        tokens=torch.tensor([t for i in chosen for t in rollouts[i].ids]),
        weight=torch.tensor([w for i in chosen for w in _weights(len(rollouts[i].ids), config)]),
        ends=torch.tensor(ends),
        rollouts=chosen,
        sizes=sizes,
    )


def _weights(size: int, config: RLConfig) -> list[float]:
    """How much each of a rollout's tokens counts; `RLConfig.average` says why."""
    each = {"token": 1.0, "sequence": 1 / size, "constant": 1 / config.max_new_tokens}
    return [each[config.average]] * size
