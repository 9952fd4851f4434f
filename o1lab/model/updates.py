"""One optimiser step: the loss, gradient clipping, FLOPs. Leaves out the loop (`train`)."""

import math
from collections.abc import Callable
from contextlib import contextmanager, nullcontext

import torch
from torch.nn import functional as F

from o1lab.measure import compute
from o1lab.model.batches import Batch


def hidden_states(model, ids: torch.Tensor) -> torch.Tensor:
    """Last hidden states (B, T, D) of any Hugging Face causal LM, with causal attention only."""
    return model.base_model(input_ids=ids, use_cache=False).last_hidden_state


def next_token_loss(model, batch: Batch, forward: Callable = hidden_states) -> torch.Tensor:
    """Weighted *sum* of the cross-entropies (nats) of the trained tokens; the caller divides.

    Only the positions that predict a trained token pass through the output layer.
    """
    targets, weight = batch.ids[:, 1:], batch.weight[:, 1:]  # (B, T - 1)
    trained = weight != 0
    hidden = forward(model, batch.ids)[:, :-1][trained]  # (M, D)
    logits = model.get_output_embeddings()(hidden)  # (M, V)
    logits = logits if logits.dtype == torch.float64 else logits.float()
    losses = F.cross_entropy(logits, targets[trained], reduction="none")  # (M,)
    return (losses * weight[trained]).sum()


@contextmanager
def plain_attention(model):
    """On a CPU, attention as plain matrix products while training, then as it was.

    There the flash kernel's backward pass takes half of a tiny model's training time; plain
    products made whole updates 1.5 times as fast (size m, bf16, two cores).
    """
    before = getattr(model.config, "_attn_implementation", None)
    on_cpu = next(model.parameters()).device.type == "cpu"
    swap = on_cpu and before == "sdpa" and hasattr(model, "set_attn_implementation")
    if swap:
        model.set_attn_implementation("eager")
    try:
        yield
    finally:
        if swap:
            model.set_attn_implementation(before)


def in_full(model):
    """The model with its half-precision parameters made float32 in place, for training.

    A bfloat16 weight keeps 8 bits: most of a small step is below half of its last one and is lost.
    Half-precision *computing* is another matter (`bf16` of the settings).
    """
    half = (torch.bfloat16, torch.float16)
    return model.float() if any(p.dtype in half for p in model.parameters()) else model


def bf16_here(setting: bool | str, device: str = "cpu") -> bool:
    """Whether to compute in bfloat16; "auto" asks the processor or the card, emulation left out."""
    if setting != "auto":
        return bool(setting)
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device != "cpu":
        return False
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def update(model, optimizer, step_batches, config, loss=next_token_loss) -> tuple[float, float]:
    """One optimiser step on all micro-batches: (mean loss a unit of weight, gradient norm).

    The sum of the losses is divided by the step's whole weight (of absolute values), so how the
    examples were cut into micro-batches does not matter. When loss or norm is not finite, the
    weights and the optimiser stay as they were.
    """
    spent = gradients(model, step_batches, config, loss)
    norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm))
    if math.isfinite(spent) and math.isfinite(norm):
        optimizer.step()
    return spent, norm


def gradients(model, step_batches: list[Batch], config, loss=next_token_loss) -> float:
    """Leave the step's gradient in `.grad` of the parameters; returns the mean loss."""
    device = next(model.parameters()).device
    low = bf16_here(config.bf16, device.type)
    total = sum(float(batch.weight.abs().sum()) for batch in step_batches) or 1.0
    spent = 0.0
    model.zero_grad(set_to_none=True)
    for batch in step_batches:
        with torch.autocast(device.type, torch.bfloat16) if low else nullcontext():
            value = loss(model, batch.to(device)) / total
        value.backward()
        spent += value.detach()
    return float(spent)


def training_flops(model, step_batches: list[Batch]) -> float:
    """FLOPs of forward and backward on the real tokens of these batches.

    Counts the output layer at every token, also where `next_token_loss` leaves it out. A model
    without one (a token classifier, whose head is under 0.1%) is not charged for it.
    """
    outputs = None if model.get_output_embeddings() is not None else 0
    total = 0.0
    for batch in step_batches:
        total += compute.training_flops(model.config, batch.tokens, batch.context, outputs)
    return total
