"""Help for a learner of one target: in training it also says which targets are in reach at all.

A state's label for the puzzle's own target is one bit; the solver knows that of every target 0..99.
A second head, thrown away after training, predicts them all where a step ends, from one layer below
the top, so that the layer above only has to look up the target asked for. Targets that make a
test puzzle of the state are left out. (Every goal at once: Andrychowicz et al. 2017, 1707.01495.)
"""

from functools import lru_cache

import torch
from torch.nn import functional as F

from o1lab.model.batches import Batch
from o1lab.rewards.models import label_loss
from o1lab.tasks.countdown_solver import TOP, State, targets_in_reach
from o1lab.tasks.countdown_splits import is_reserved

BITS = 20  # a column of floats holds so many labels exactly
PARTS = (TOP + 1) // BITS
COLUMNS = [f"{name} {part}" for name in ("reach", "known") for part in range(PARTS)]
WEIGHT = 20.0  # of a step's mean over targets; a step has about 12 tokens of weight 1 beside it
BELOW = 1  # layers above the one that knows all targets


@lru_cache(100_000)
def labels(state: State) -> list[float]:
    """One number a column: which targets can be reached, and which may be learned, as bits."""
    known = sum((not is_reserved(state, target)) << target for target in range(TOP + 1))
    sets = (targets_in_reach(state) & known, known)
    return [float(bits >> part * BITS & (1 << BITS) - 1) for bits in sets for part in range(PARTS)]


def attach(model) -> None:
    """Give the model its second head, `goals`, of zeros."""
    model.goals = torch.nn.Linear(model.config.hidden_size, TOP + 1)
    torch.nn.init.zeros_(model.goals.weight)
    torch.nn.init.zeros_(model.goals.bias)


def loss(model, batch: Batch) -> torch.Tensor:
    """The label's loss (`label_loss`) and, where steps end, WEIGHT times the mean over targets."""
    seen = model.base_model(input_ids=batch.ids, use_cache=False, output_hidden_states=True)
    own = label_loss(model, batch, lambda *_: seen.last_hidden_state)
    ends = sum(batch.extra[name] for name in COLUMNS[PARTS:]) > 0  # (B, T)
    hidden = seen.hidden_states[-1 - BELOW][ends]  # (M, D)
    logits = model.goals(F.rms_norm(hidden, hidden.shape[-1:])).float()  # (M, 100)
    reach, known = (_bits(batch, ends, COLUMNS[i : i + PARTS]) for i in (0, PARTS))
    each = F.binary_cross_entropy_with_logits(logits, reach, reduction="none") * known
    return own + WEIGHT * (each.sum(1) / known.sum(1).clamp(min=1)).sum()


def _bits(batch: Batch, chosen: torch.Tensor, columns: list[str]) -> torch.Tensor:
    """Columns of numbers as their bits: (M, 100), 0 or 1."""
    rows = torch.stack([batch.extra[name][chosen] for name in columns], -1).long()  # (M, PARTS)
    places = torch.arange(BITS, device=rows.device)
    return (rows[..., None] >> places & 1).flatten(1).float()
