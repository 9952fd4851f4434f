"""What a training run leaves on disk, and how it is found again. Leaves out the loop itself.

One safetensors file holds weights, moments and the counters, so it is replaced whole: a
process killed at any moment leaves either the old file or the new one.
"""

import hashlib
import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from o1lab.model.batches import Example

STATE, METRICS = "state.safetensors", "metrics.jsonl"
MOMENTS = ("step", "exp_avg", "exp_avg_sq", "momentum_buffer")  # of AdamW and Muon


def prepare(folder: Path, model, snapshots: int = 0) -> None:
    """Make the folder and prove that the run's files fit, before any work. OSError otherwise."""
    weights = sum(4 * p.numel() for p in model.parameters())
    need = (2 * 3 + snapshots) * weights  # old and new state of three copies, and snapshots
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / "probe.tmp"
        probe.write_bytes(b"\0" * 4096)
        probe.unlink()
    except OSError as problem:
        raise OSError(f"cannot write to {folder}: {problem}. Choose another folder.") from problem
    free = shutil.disk_usage(folder).free
    if free < need:
        raise OSError(
            f"{folder} has {free / 1e6:.0f} MB free and the run needs {need / 1e6:.0f} MB: "
            "free some space or choose another folder."
        )


@contextmanager
def saving(folder: Path, what: str):
    """Turn whatever goes wrong while writing into an OSError that says what to do."""
    try:
        yield
    except (OSError, SafetensorError) as problem:
        raise OSError(
            f"could not save {what} to {folder}: {problem}. The last good checkpoint is kept; "
            "make room and run again to go on from it."
        ) from problem


def fingerprint(model) -> str:
    """A short hash of names, shapes and values of the parameters."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def fingerprint_examples(examples: list[Example]) -> str:
    """A short hash of the ids, weights and extra columns of these examples, in order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(repr((example.ids, example.weight, sorted(example.extra.items()))).encode())
    return digest.hexdigest()[:16]


def save_state(folder: Path, model, optimizer, counters: dict) -> None:
    """Write weights, moments and counters as one file, under a temporary name first."""
    from safetensors.torch import save

    tensors = {}
    for name, parameter in model.named_parameters():
        tensors[f"weight.{name}"] = parameter.detach()
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{key}.{name}"] = value
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    with saving(folder, "a checkpoint"):
        # Not `save_file`: killed while writing, it leaves a file of a random name behind.
        write_whole(folder / STATE, save(tensors, {"counters": json.dumps(counters)}))


def write_whole(path: Path, data: bytes) -> None:
    """Write under a temporary name, then rename: readers see the old file or the new one."""
    fresh = path.with_name(path.name + ".tmp")
    try:
        fresh.write_bytes(data)
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def read_counters(folder: Path) -> dict | None:
    """The counters of the folder's checkpoint, or None when there is none.

    ValueError if the file is damaged or not a checkpoint of this loop.
    """
    from safetensors import safe_open

    path = folder / STATE
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            return json.loads(file.metadata()["counters"])
    except (SafetensorError, KeyError, TypeError, ValueError) as problem:
        raise ValueError(
            f"{path} is not a whole checkpoint ({problem}): delete it to start again, or choose "
            "another folder."
        ) from problem


def load_state(folder: Path, model, optimizer) -> None:
    """Put weights and moments of the folder's checkpoint into model and optimizer."""
    import torch
    from safetensors.torch import load_file

    tensors = load_file(folder / STATE)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"weight.{name}"])
            state = {
                key: tensors[f"{key}.{name}"].to(parameter.device)
                for key in MOMENTS
                if f"{key}.{name}" in tensors
            }
            if state:
                optimizer.state[parameter] = state


def check_same(found: dict, wanted: dict, folder: Path) -> None:
    """ValueError naming what differs between the run in the folder and the run asked for.

    Only what both name is compared, so checkpoints of an older version go on.
    """
    differing = [key for key in wanted if key in found and found[key] != wanted[key]]
    if differing:
        shown = "; ".join(f"{key}: {found[key]} there, {wanted[key]} now" for key in differing)
        raise ValueError(
            f"{folder} holds another run ({shown}). Choose another folder, delete this one, "
            "or ask for the same run to go on with it."
        )


def read_metrics(folder: Path, last_step: int) -> list[dict]:
    """Cut metrics.jsonl back to the lines up to `last_step` and return them."""
    path = folder / METRICS
    lines = path.read_text().splitlines() if path.exists() else []
    records = [record for line in lines if (record := _parsed(line))]
    kept = [record for record in records if record["step"] <= last_step]
    write_whole(path, "".join(json.dumps(record) + "\n" for record in kept).encode())
    return kept


def _parsed(line: str) -> dict | None:
    """One record; None for a line that was cut short when the process died."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def append_metrics(folder: Path, record: dict) -> None:
    with saving(folder, "a record"), open(folder / METRICS, "a") as file:
        file.write(json.dumps(record) + "\n")


def save_pretrained_snapshot(model, path: Path) -> None:
    """`model.save_pretrained` in the weights' own dtype; the folder appears whole or not at all."""
    fresh = path.with_name(path.name + ".tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    model.save_pretrained(fresh)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(fresh, path)
