"""The updates of one iteration: epochs over shuffled minibatches, with an early stop on KL."""

import math
from dataclasses import dataclass, field
from functools import partial

import torch

from o1lab.model.updates import gradients
from o1lab.rl.experience import Column, Experience, with_columns
from o1lab.rl.metrics import Tally
from o1lab.rl.objectives import clipped_objective, kl_estimate, value_loss
from o1lab.rl.policy_value import ActorCritic, read
from o1lab.rl.rows import Rows, can_share, minibatches
from o1lab.rl.settings import RLConfig


@dataclass
class Updates:
    """What the updates came to, whole and broken off. stopped: by KL.

    loss: the first minibatch's. norm: the mean gradient norm before clipping.
    """

    tally: Tally = field(default_factory=Tally)
    loss: float = 0.0
    norm: float = 0.0
    count: int = 0
    flops: float = 0.0
    stopped: bool = False


def policy_loss(
    model: ActorCritic, rows: Rows, config: RLConfig, beta: float, scale: float, tally: Tally
):
    """The weighted *sum* of a micro-batch's token losses, a scalar; the caller divides.

    The clipped objective turned round, the value loss with its coefficient where there is a
    critic, and the KL penalty where it is in the loss. Columns of the rows are constants.
    """
    extra, found = rows.extra, read(model, rows, config.temperature)
    losses = -clipped_objective(found.logprobs, extra["old"], extra["advantage"], config.clip)
    worth = None
    if found.values is not None:
        worth = value_loss(found.values, extra["values"], extra["returns"], config.value_clip)
        losses = losses + config.value_coefficient * worth
    if config.kl_in == "loss" and beta:
        losses = losses + beta * kl_estimate(found.logprobs, extra["reference"])
    tally.add(found.logprobs, extra["old"], config.clip, worth)
    return scale * (losses * rows.weight).sum()


def updates(
    model: ActorCritic,
    optimizer,
    seen: Experience,
    columns: dict[str, Column],
    config: RLConfig,
    beta: float,
    iteration: int,
) -> Updates:
    """`config.epochs` passes over the experience; stops where approximate KL passes `kl_stop`.

    When loss or gradient is not finite it stops before the step, with that number in the result.
    """
    made, columns = Updates(), _all_columns(seen, columns)
    for epoch in range(config.epochs):
        parts = seen.first
        if epoch:
            shared = can_share(model.policy)
            parts = minibatches(seen.rollouts, config, iteration, epoch, shared)
        for part in parts:
            _one_update(model, optimizer, part, columns, config, beta, made)
            if made.stopped or not math.isfinite(made.loss + made.norm):
                return made
    return made


def _all_columns(seen: Experience, columns: dict[str, Column]) -> dict[str, Column]:
    given = {"old": seen.logprobs, "reference": seen.reference, **columns}
    return given | ({"values": seen.values} if seen.values else {})


def _one_update(model, optimizer, part: list[Rows], columns, config, beta, made: Updates) -> None:
    """Gradient, the check of KL *before* the step, clipping, step."""
    tally, ready = Tally(), [with_columns(rows, columns) for rows in part]
    loss = partial(policy_loss, config=config, beta=beta, scale=_scale(ready, config), tally=tally)
    spent = gradients(model, ready, config, loss)
    made.flops += 3 * sum(model.flops(rows) for rows in part)
    made.tally += tally
    if made.count == 0:
        made.loss = spent
    if tally.means()["approx_kl"] > config.kl_stop:
        made.stopped = True
        return
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm))
    if not math.isfinite(spent + norm):
        made.loss, made.norm = spent, norm
        return
    optimizer.step()
    made.norm += (norm - made.norm) / (made.count + 1)
    made.count += 1


def _scale(ready, config: RLConfig) -> float:
    """What undoes the division by the weights' sum where the sum is to be over rows x length."""
    if config.average != "constant":
        return 1.0
    weights = sum(float(rows.weight.sum()) for rows in ready)
    return weights / sum(len(rows.rollouts) for rows in ready)
