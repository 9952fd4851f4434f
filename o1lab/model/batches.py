"""Examples into padded micro-batches or packed rows. Leaves out where examples come from.

Rows are padded on the right: under causal attention no real token can see padding, so no mask.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch

PAD_ID = 0


def loss_weights(start: int, length: int) -> list[float]:
    """How much predicting each of `length` tokens counts when the first `start` are only read.

    The very first token is predicted from nothing, so it never counts.
    """
    read = min(max(start, 1), length)
    return [0.0] * read + [1.0] * (length - read)


@dataclass(frozen=True)
class Example:
    """One row of training text.

    ids: token ids.
    weight: one number a token, how much predicting *that* token counts (the first token is never
        predicted); or the index of the first token that counts (0: all of them).
    extra: further columns, one number a token (labels, advantages...), for other losses.
    """

    ids: list[int]
    weight: list[float] | int = 0
    extra: dict[str, list[float]] = field(default_factory=dict)

    def weights(self) -> list[float]:
        """One weight a token; the first is 0, because nothing predicts it. ValueError if ragged."""
        if isinstance(self.weight, int):
            return loss_weights(self.weight, len(self.ids))
        if len(self.weight) != len(self.ids):
            raise ValueError(f"{len(self.weight)} weights, {len(self.ids)} tokens: give one each")
        return [0.0, *self.weight[1:]]


@dataclass(frozen=True)
class Batch:
    """Rows of similar length, padded on the right.

    ids (B, T) long; weight (B, T) float32, of each token as a target, 0 on padding;
    lengths: real tokens in each row; extra: columns (B, T) float32.
    """

    ids: torch.Tensor
    weight: torch.Tensor
    lengths: list[int]
    extra: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Tokens that are not padding."""
        return sum(self.lengths)

    @property
    def context(self) -> float:
        """Mean number of tokens that a real token attends to, itself included."""
        return sum(n * (n + 1) / 2 for n in self.lengths) / max(self.tokens, 1)

    def to(self, device) -> "Batch":
        extra = {name: column.to(device) for name, column in self.extra.items()}
        return Batch(self.ids.to(device), self.weight.to(device), self.lengths, extra)


def cut(examples: list[Example], tokens_per_batch: int) -> Iterator[list[Example]]:
    """Groups of similar length, longest first, each of at most `tokens_per_batch` padded tokens.

    An example longer than that makes a group of its own.
    """
    ordered = sorted(examples, key=lambda example: -len(example.ids))
    group: list[Example] = []
    for example in ordered:
        if group and (len(group) + 1) * len(group[0].ids) > tokens_per_batch:
            yield group
            group = []
        group.append(example)
    if group:
        yield group


def pad(examples: list[Example], pad_id: int = PAD_ID) -> Batch:
    """One batch as wide as its longest example. ValueError on an empty example."""
    lengths = [len(example.ids) for example in examples]
    if not lengths or min(lengths) == 0:
        raise ValueError("an example without tokens: leave it out of examples(step)")
    extra = {
        name: _padded([example.extra[name] for example in examples], lengths, 0.0)
        for name in examples[0].extra
    }
    return Batch(
        ids=_padded([example.ids for example in examples], lengths, pad_id),
        weight=_padded([example.weights() for example in examples], lengths, 0.0),
        lengths=lengths,
        extra=extra,
    )


def _padded(rows: list[list], lengths: list[int], filler: float | int) -> torch.Tensor:
    width = max(lengths)
    if any(len(row) != n for row, n in zip(rows, lengths, strict=True)):
        raise ValueError("a column has another length than its ids: give one number a token")
    filled = [[*row, *([filler] * (width - len(row)))] for row in rows]
    dtype = torch.long if isinstance(filler, int) else torch.float32
    return torch.tensor(filled, dtype=dtype)  # (B, T)


def batches(examples: list[Example], tokens_per_batch: int, pad_id: int = PAD_ID) -> list[Batch]:
    """One optimiser step's examples as length-bucketed micro-batches, widest first."""
    return [pad(group, pad_id) for group in cut(examples, tokens_per_batch)]


def pack(examples: list[Example], length: int) -> list[Example]:
    """Rows of at most `length` tokens, each several examples one after the other (first fit).

    Tokens may attend to earlier documents in their row, which teaches long distances and costs
    no mask; a document's own first token stays untrained. ValueError if an example is too long.
    """
    rows: list[list[Example]] = []
    room: list[int] = []
    for example in examples:
        size = len(example.ids)
        if size > length:
            raise ValueError(f"an example of {size} tokens does not fit into rows of {length}")
        place = next((i for i, left in enumerate(room) if left >= size), None)
        if place is None:
            rows.append([])
            room.append(length)
            place = len(rows) - 1
        rows[place].append(example)
        room[place] -= size
    return [_joined(row) for row in rows]


def _joined(row: list[Example]) -> Example:
    extra = {
        name: [number for example in row for number in example.extra[name]] for name in row[0].extra
    }
    return Example(
        ids=[token for example in row for token in example.ids],
        weight=[number for example in row for number in example.weights()],
        extra=extra,
    )
