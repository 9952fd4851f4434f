"""The one training loop: AdamW, a stable schedule, exact resume. Leaves out the data and the loss

of later lessons: `examples` is any pure function of the step, `loss` any function of a batch.
"""

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch.nn import functional as F

from o1lab.model import training_state as state
from o1lab.model.batches import Batch, Example, batches

# Settings that do not change the weights, so a resumed run may change them.
FREE = ("save_every", "log_every", "eval_every", "keep_at")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run.

    warmup, decay: shares of `steps`. min_lr: share of `learning_rate` at the last step.
    tokens_per_batch: padded tokens in a micro-batch; changes speed and memory, not the result.
    bf16: True, False or "auto" (where the processor multiplies bfloat16 in hardware).
    keep_at: where snapshots are kept; numbers up to 1 are shares of `steps`, larger ones FLOPs.
    """

    steps: int
    learning_rate: float = 3e-3
    warmup: float = 0.03
    decay: float = 0.2
    min_lr: float = 0.05
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    clip_norm: float = 1.0
    tokens_per_batch: int = 4096
    bf16: bool | str = "auto"
    seed: int = 0
    save_every: int = 100
    log_every: int = 10
    eval_every: int = 0
    keep_at: tuple[float, ...] = ()


@dataclass
class TrainRecord:
    """What a run cost and how it went. tokens: without padding; flops: forward and backward."""

    steps: int = 0
    tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    records: list[dict] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)


class TrainingDiverged(FloatingPointError):
    """The loss or the gradient is no longer a number."""


def learning_rate(step: int, config: TrainConfig) -> float:
    """Warm-up, stable, linear decay (WSD; Hu et al. 2024, MiniCPM). `step` counts from 0."""
    rise = max(round(config.warmup * config.steps), 1)
    fall = round(config.decay * config.steps)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    left = config.steps - step  # steps still to make, this one included
    if left > fall:
        return config.learning_rate
    share = left / (fall + 1)
    return config.learning_rate * (config.min_lr + (1 - config.min_lr) * share)


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
    logits = model.get_output_embeddings()(hidden).float()  # (M, V)
    losses = F.cross_entropy(logits, targets[trained], reduction="none")  # (M,)
    return (losses * weight[trained]).sum()


def bf16_here(setting: bool | str, device: str = "cpu") -> bool:
    """Whether to compute in bfloat16; "auto" asks the processor."""
    if setting != "auto":
        return bool(setting)
    if device == "cuda":
        return torch.cuda.is_bf16_supported()
    if device != "cpu":
        return False
    return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()


def make_optimizer(model, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW on float32 weights; only matrices decay (Loshchilov & Hutter 2019)."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.dim() < 2], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return torch.optim.AdamW(
        groups, lr=config.learning_rate, betas=config.betas, eps=config.eps, fused=True
    )


def update(model, optimizer, step_batches, config, loss=next_token_loss) -> tuple[float, float]:
    """One optimiser step on all micro-batches: (mean loss a unit of weight, gradient norm).

    The sum of the losses is divided by the step's whole weight, so how the examples were cut
    into micro-batches does not matter. TrainingDiverged leaves the weights as they were.
    """
    device = next(model.parameters()).device
    low = bf16_here(config.bf16, device.type)
    total = sum(float(batch.weight.sum()) for batch in step_batches) or 1.0
    spent = 0.0
    optimizer.zero_grad(set_to_none=True)
    for batch in step_batches:
        with torch.autocast(device.type, torch.bfloat16) if low else nullcontext():
            value = loss(model, batch.to(device)) / total
        value.backward()
        spent += value.detach()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.clip_norm)
    spent, norm = float(spent), float(norm)
    if math.isfinite(spent) and math.isfinite(norm):
        optimizer.step()
    return spent, norm


def training_flops(model, step_batches: list[Batch]) -> float:
    """FLOPs of forward and backward on the real tokens of these batches."""
    total = 0.0
    for batch in step_batches:
        total += 3 * _forward_flops(model.config, batch.tokens, batch.context)
    return total


def _forward_flops(config, tokens: int, context: float) -> float:
    width, layers = config.hidden_size, config.num_hidden_layers
    heads, kv = config.num_attention_heads, config.num_key_value_heads
    head = getattr(config, "head_dim", None) or width // heads
    matrices = width * head * (2 * heads + 2 * kv) + 3 * width * config.intermediate_size
    matrices = layers * matrices + width * config.vocab_size
    return tokens * (2 * matrices + 4 * layers * heads * head * context)


@dataclass
class _Run:
    """The counters of a run in progress; all of it goes into a checkpoint."""

    step: int = 0
    tokens: int = 0
    flops: float = 0.0
    seconds: float = 0.0
    loss_sum: float = 0.0
    loss_count: int = 0
    snapshots: list[str] = field(default_factory=list)


def train(
    model,
    examples: Callable[[int], list[Example]],
    config: TrainConfig,
    folder: str | Path | None = None,
    loss: Callable = next_token_loss,
    evaluate: Callable | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
    save_snapshot: Callable = state.save_pretrained_snapshot,
    prefetch: bool = True,
) -> TrainRecord:
    """Train `model` in place for `config.steps` updates and return the record.

    examples(step): the step's examples, a pure function (no other data state exists, and it is
        called from a second thread while the step before computes, unless prefetch=False).
    folder: holds state.safetensors, metrics.jsonl and snapshots/<flops>/. A run that was killed
        goes on from there and ends with the same bits (same machine, same thread count).
    loss(model, batch): the weighted sum of the batch's losses, a scalar.
    evaluate(model): a dict of numbers, merged into the record every `eval_every` steps.
    on_record(record): called with every record, for a live figure.

    Raises OSError before any work if the folder can't hold a checkpoint, ValueError if it holds
    another run, TrainingDiverged if loss or gradient is not finite.
    """
    folder = Path(folder) if folder else None
    optimizer = make_optimizer(model, config)
    identity = _identity(model, config)
    run, records = _Run(), []
    if folder:
        state.prepare(folder, model)
        run, records = _resume(folder, model, optimizer, identity)
    hooks = _Hooks(folder, evaluate, on_record, save_snapshot, identity, records)
    _loop(model, optimizer, examples, config, loss, run, hooks, progress, prefetch)
    return TrainRecord(run.step, run.tokens, run.flops, run.seconds, records, run.snapshots)


@dataclass
class _Hooks:
    """Where a run's records, checkpoints and snapshots go."""

    folder: Path | None
    evaluate: Callable | None
    on_record: Callable | None
    save_snapshot: Callable
    identity: dict
    records: list[dict]


def _identity(model, config: TrainConfig) -> dict:
    """What must be equal for a resumed run to be the same run."""
    settings = {k: v for k, v in asdict(config).items() if k not in FREE}
    settings["bf16"] = bf16_here(config.bf16, next(model.parameters()).device.type)
    settings["starting weights"] = state.fingerprint(model)
    return json.loads(json.dumps(settings))


def _resume(folder: Path, model, optimizer, identity: dict) -> tuple[_Run, list[dict]]:
    found = state.read_counters(folder)
    if found is None:
        return _Run(), state.read_metrics(folder, 0)
    state.check_same(found["identity"], identity, folder)
    state.load_state(folder, model, optimizer)
    run = _Run(**found["run"])
    return run, state.read_metrics(folder, run.step)


def _loop(model, optimizer, examples, config, loss, run, hooks, progress, prefetch) -> None:
    from tqdm.auto import tqdm

    def fetch(step: int) -> list[Batch]:
        return batches(examples(step), config.tokens_per_batch)

    was_training = model.training
    model.train()
    bar = tqdm(total=config.steps, initial=run.step, disable=not progress, unit="step")
    with ThreadPoolExecutor(1) as pool, bar:
        ahead = pool.submit(fetch, run.step) if run.step < config.steps else None
        while run.step < config.steps:
            began = time.perf_counter()
            ready = ahead.result()
            more = prefetch and run.step + 1 < config.steps
            ahead = pool.submit(fetch, run.step + 1) if more else None
            value, norm = _one_step(model, optimizer, ready, config, loss, run)
            run.seconds += time.perf_counter() - began
            _after_step(model, optimizer, config, run, hooks, value, norm)
            bar.update()
            bar.set_postfix_str(f"{run.tokens / run.seconds:,.0f} tokens/s, loss {value:.3f}")
            if ahead is None and run.step < config.steps:
                ahead = pool.submit(fetch, run.step)
    model.train(was_training)


def _one_step(model, optimizer, ready, config, loss, run) -> tuple[float, float]:
    """Update, count, and stop with a diagnosis if the numbers have run away."""
    rate = learning_rate(run.step, config)
    for group in optimizer.param_groups:
        group["lr"] = rate
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed * 1_000_003 + run.step)  # dropout, if the model has any
        value, norm = update(model, optimizer, ready, config, loss)
    if not (math.isfinite(value) and math.isfinite(norm)):
        raise TrainingDiverged(
            f"step {run.step}: loss {value}, gradient norm {norm} at learning rate {rate:.2e}. "
            "The weights are those before this step. Lower learning_rate (try a third) or raise "
            "warmup, and look at examples(step) for ids or weights out of range."
        )
    run.step += 1
    run.tokens += sum(batch.tokens for batch in ready)
    run.flops += training_flops(model, ready)
    run.loss_sum += value
    run.loss_count += 1
    return value, norm


def _after_step(model, optimizer, config, run, hooks, value, norm) -> None:
    """Record, snapshot and checkpoint where they are due."""
    last = run.step == config.steps
    measured = {}
    if hooks.evaluate and config.eval_every and (run.step % config.eval_every == 0 or last):
        model.eval()
        measured = hooks.evaluate(model)
        model.train()
    if measured or last or run.step % config.log_every == 0:
        _record(config, run, hooks, norm, measured)
    if hooks.folder:
        _snapshot(model, config, run, hooks)
        if last or run.step % config.save_every == 0:
            counters = {"identity": hooks.identity, "run": asdict(run)}
            state.save_state(hooks.folder, model, optimizer, counters)


def _record(config, run, hooks, norm, measured: dict) -> None:
    record = {
        "step": run.step,
        "loss": run.loss_sum / run.loss_count,
        "lr": learning_rate(run.step - 1, config),
        "grad_norm": norm,
        "tokens": run.tokens,
        "flops": run.flops,
        "seconds": round(run.seconds, 3),
        **measured,
    }
    run.loss_sum, run.loss_count = 0.0, 0
    hooks.records.append(record)
    if hooks.folder:
        state.append_metrics(hooks.folder, record)
    if hooks.on_record:
        hooks.on_record(record)


def _snapshot(model, config, run, hooks) -> None:
    """Keep the weights at the first step past each place in `keep_at`."""
    due = [
        run.step >= mark * config.steps if mark <= 1 else run.flops >= mark
        for mark in config.keep_at
    ]
    if sum(due) > len(run.snapshots):
        path = hooks.folder / "snapshots" / f"{run.flops:.3e}"
        path.parent.mkdir(exist_ok=True)
        hooks.save_snapshot(model, path)
        run.snapshots += [str(path)] * (sum(due) - len(run.snapshots))
