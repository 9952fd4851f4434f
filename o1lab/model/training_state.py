"""What a training run leaves on disk, and how it is found again. Leaves out the loop itself.

One safetensors file holds weights, AdamW moments and the counters, so it is replaced whole: a
process killed at any moment leaves either the old file or the new one.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

STATE, METRICS = "state.safetensors", "metrics.jsonl"


def prepare(folder: Path, model) -> None:
    """Make the folder and prove that a checkpoint fits, before any work. OSError otherwise."""
    need = 2 * 3 * sum(4 * p.numel() for p in model.parameters())
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
            f"{folder} has {free / 1e6:.0f} MB free and a checkpoint needs {need / 1e6:.0f} MB: "
            "free some space or choose another folder."
        )


def fingerprint(model) -> str:
    """A short hash of names, shapes and values of the parameters."""
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def save_state(folder: Path, model, optimizer, counters: dict) -> None:
    """Write weights, moments and counters as one file, under a temporary name first."""
    from safetensors.torch import save_file

    tensors = {}
    for name, parameter in model.named_parameters():
        tensors[f"weight.{name}"] = parameter.detach()
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{key}.{name}"] = value
    tensors = {name: tensor.contiguous().cpu() for name, tensor in tensors.items()}
    fresh = folder / f"{STATE}.tmp"
    try:
        save_file(tensors, fresh, metadata={"counters": json.dumps(counters)})
    except Exception as problem:
        fresh.unlink(missing_ok=True)
        raise OSError(
            f"could not save a checkpoint to {folder}: {problem}. The last good one is kept; "
            "make room and run again to go on from it."
        ) from problem
    os.replace(fresh, folder / STATE)


def read_counters(folder: Path) -> dict | None:
    """The counters of the folder's checkpoint, or None when there is none."""
    from safetensors import safe_open

    if not (folder / STATE).exists():
        return None
    with safe_open(folder / STATE, framework="pt") as file:
        return json.loads(file.metadata()["counters"])


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
                for key in ("step", "exp_avg", "exp_avg_sq")
                if f"{key}.{name}" in tensors
            }
            if state:
                optimizer.state[parameter] = state


def check_same(found: dict, wanted: dict, folder: Path) -> None:
    """ValueError naming what differs between the run in the folder and the run asked for."""
    differing = [key for key in wanted if found.get(key) != wanted[key]]
    if differing:
        shown = "; ".join(f"{key}: {found.get(key)} there, {wanted[key]} now" for key in differing)
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
    fresh = folder / f"{METRICS}.tmp"
    fresh.write_text("".join(json.dumps(record) + "\n" for record in kept))
    os.replace(fresh, path)
    return kept


def _parsed(line: str) -> dict | None:
    """One record; None for a line that was cut short when the process died."""
    try:
        return json.loads(line)
    except json.JSONDecodeError:
        return None


def append_metrics(folder: Path, record: dict) -> None:
    with open(folder / METRICS, "a") as file:
        file.write(json.dumps(record) + "\n")


def save_pretrained_snapshot(model, path: Path) -> None:
    """`model.save_pretrained` in the weights' own dtype; the folder appears whole or not at all."""
    fresh = path.with_name(path.name + ".tmp")
    shutil.rmtree(fresh, ignore_errors=True)
    model.save_pretrained(fresh)
    shutil.rmtree(path, ignore_errors=True)
    os.replace(fresh, path)
