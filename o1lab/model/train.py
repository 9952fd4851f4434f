"""The one training loop: a stable schedule, exact resume. Leaves out the data and the loss

of later lessons: `examples` is any pure function of the step, `loss` any function of a batch.
"""

import json
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from o1lab.model import training_state as state
from o1lab.model.batches import Example, batches
from o1lab.model.optimizers import make_optimizer
from o1lab.model.settings import FREE, TrainConfig, learning_rate, marks_passed
from o1lab.model.updates import (
    bf16_here,
    hidden_states,
    in_full,
    next_token_loss,
    plain_attention,
    training_flops,
    update,
)

__all__ = [
    "TrainConfig", "TrainRecord", "TrainingDiverged", "bf16_here", "hidden_states",
    "learning_rate", "make_optimizer", "next_token_loss", "train", "training_flops", "update",
]  # fmt: skip


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
    """Train `model` in place, in float32, for `config.steps` updates and return the record.

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
    optimizer = make_optimizer(in_full(model), config)
    identity, run, records = {}, _Run(), []
    if folder:
        state.prepare(folder, model, len(config.keep_at))
        identity = _identity(model, config, examples if prefetch else None)
        run, records = _resume(folder, model, optimizer, identity)
    hooks = _Hooks(folder, evaluate, on_record, save_snapshot, identity, records)
    was_training = model.training
    try:
        model.train()
        with plain_attention(model):
            _loop(model, optimizer, examples, config, loss, run, hooks, progress, prefetch)
    finally:
        model.train(was_training)
    return TrainRecord(run.step, run.tokens, run.flops, run.seconds, records, run.snapshots)


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


@dataclass
class _Hooks:
    """Where a run's records, checkpoints and snapshots go."""

    folder: Path | None
    evaluate: Callable | None
    on_record: Callable | None
    save_snapshot: Callable
    identity: dict
    records: list[dict]


def _identity(model, config: TrainConfig, examples: Callable | None) -> dict:
    """What must be equal for a resumed run to be the same run."""
    settings = {k: v for k, v in asdict(config).items() if k not in FREE}
    settings["bf16"] = bf16_here(config.bf16, next(model.parameters()).device.type)
    settings["starting weights"] = state.fingerprint(model)
    if examples:
        settings["first examples"] = state.fingerprint_examples(examples(0))
    return json.loads(json.dumps(settings))


def _resume(folder: Path, model, optimizer, identity: dict) -> tuple[_Run, list[dict]]:
    found = state.read_counters(folder)
    if found is None:
        return _Run(), state.read_metrics(folder, 0)
    state.check_same(found["identity"], identity, folder)
    state.load_state(folder, model, optimizer)
    run = _Run(**found["run"])
    run.snapshots = [str(_snapshot_path(folder, Path(kept).name)) for kept in run.snapshots]
    return run, state.read_metrics(folder, run.step)


def _loop(model, optimizer, examples, config, loss, run, hooks, progress, prefetch) -> None:
    from tqdm.auto import tqdm

    bar = tqdm(total=config.steps, initial=run.step, disable=not progress, unit="step")
    with ThreadPoolExecutor(1) as pool, bar:
        supply = _supply(pool, examples, config, run.step, prefetch)
        while run.step < config.steps:
            began, flops_before = time.perf_counter(), run.flops
            value, norm = _one_step(model, optimizer, next(supply), config, loss, run)
            run.seconds += time.perf_counter() - began
            _after_step(model, optimizer, config, run, hooks, norm, flops_before)
            bar.update()
            bar.set_postfix_str(f"{run.tokens / run.seconds:,.0f} tokens/s, loss {value:.3f}")


def _supply(pool, examples, config, first: int, prefetch: bool):
    """The micro-batches of each step in turn; with prefetch, the next is made meanwhile."""

    def make(step: int) -> list:
        return batches(examples(step), config.tokens_per_batch)

    if not prefetch:
        yield from map(make, range(first, config.steps))
        return
    ahead = pool.submit(make, first)
    for step in range(first, config.steps):
        ready = ahead.result()
        if step + 1 < config.steps:
            ahead = pool.submit(make, step + 1)
        yield ready


def _one_step(model, optimizer, ready, config, loss, run) -> tuple[float, float]:
    """Update, count, and stop with a diagnosis if the numbers have run away."""
    rate = learning_rate(run.step, config)
    for group in optimizer.param_groups:
        group["lr"] = rate
    device = next(model.parameters()).device
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
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


def _after_step(model, optimizer, config, run, hooks, norm, flops_before) -> None:
    """Record, snapshot and checkpoint where they are due."""
    last = run.step == config.steps
    measured = _measured(model, config, run, hooks, last)
    if measured or last or run.step % config.log_every == 0:
        _record(config, run, hooks, norm, measured)
    if not hooks.folder:
        return
    if marks_passed(config, run.step, flops_before, run.flops):
        _snapshot(model, run, hooks)
    if last or run.step % config.save_every == 0:
        counters = {"identity": hooks.identity, "run": asdict(run)}
        state.save_state(hooks.folder, model, optimizer, counters)


def _measured(model, config, run, hooks, last: bool) -> dict:
    """What `evaluate` says where it is due, else nothing."""
    if not hooks.evaluate or not config.eval_every:
        return {}
    if not last and run.step % config.eval_every:
        return {}
    model.eval()
    measured = hooks.evaluate(model)
    model.train()
    return measured


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


def _snapshot_path(folder: Path, name: str) -> Path:
    return folder / "snapshots" / name


def _snapshot(model, run, hooks) -> None:
    """Keep the weights under the name of the FLOPs spent so far."""
    path = _snapshot_path(hooks.folder, f"{run.flops:.3e}")
    path.parent.mkdir(exist_ok=True)
    with state.saving(hooks.folder, "a snapshot"):
        hooks.save_snapshot(model, path)
    if str(path) not in run.snapshots:
        run.snapshots.append(str(path))
