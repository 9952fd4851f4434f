"""Keys and values that a rollout leaves behind, so that what follows it is not read again.

Leaves out how a decoder computes them (`decoder`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch


@dataclass(frozen=True, eq=False)
class Past:
    """The keys and values of a prompt and its completion, but for the completion's last token.

    block: (L, 2, K, t, d) of the last t of these tokens; before: of those before them, or None.
    """

    block: torch.Tensor
    before: "Past | None" = None

    @property
    def size(self) -> int:
        """How many tokens it remembers."""
        return self.block.shape[-2] + (self.before.size if self.before else 0)

    def whole(self) -> torch.Tensor:
        """(L, 2, K, size, d)"""
        blocks, at = [], self
        while at is not None:
            blocks.append(at.block)
            at = at.before
        return torch.cat(blocks[::-1], -2)


def padded(pasts: Sequence[Past | None]) -> torch.Tensor | None:
    """All of them side by side, (L, 2, P, K, S, d) with zeros on the right; None for none."""
    known = next((past for past in pasts if past), None)
    if known is None:
        return None
    wide = max(past.size for past in pasts if past)
    layers, _, kv, _, size = known.block.shape
    out = known.block.new_zeros(layers, 2, len(pasts), kv, wide, size)
    for i, past in enumerate(pasts):
        if past:
            out[:, :, i, :, : past.size] = past.whole()
    return out


def sight(skipped: torch.Tensor, old: int, new: int) -> torch.Tensor:
    """Which of `old` padded and `new` tokens each new one sees: booleans (P, 1, new, old + new)."""
    places = torch.arange(old, device=skipped.device)
    before = (places < skipped[:, None])[:, None].expand(-1, new, -1)  # (P, new, old)
    causal = torch.ones(new, new, dtype=torch.bool, device=skipped.device).tril()
    return torch.cat([before, causal.expand(len(skipped), -1, -1)], -1)[:, None]


class Keeper:
    """Takes what rows leave behind out of a decoder before they go.

    sizes: tokens that were read of each prompt, behind its past. each: rows a prompt. found: the
    past of each row taken so far.
    """

    def __init__(self, decoder, pasts: Sequence[Past | None], sizes: list[int], each: int):
        self.decoder, self.each = decoder, each
        read = decoder.read(sizes)
        self.bases = [Past(*pair) for pair in zip(read, pasts, strict=True)]
        self.found: dict[int, Past] = {}

    def __call__(self, chosen: torch.Tensor, names: torch.Tensor) -> None:
        """chosen: which rows of the batch (booleans); names: what number each row has."""
        numbers = names[chosen].tolist()
        for number, block in zip(numbers, self.decoder.written(chosen), strict=True):
            self.found[number] = Past(block.clone(), self.bases[number // self.each])
