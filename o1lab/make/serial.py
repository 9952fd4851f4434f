"""The grid of lesson 01: four ways of answering S5 words and the commuting control, three depths.

Recorded by `python -m o1lab serial`. Leaves out the worlds themselves (`tasks/groups`).
"""

import argparse
import json
import os
import time
from datetime import date
from pathlib import Path

import numpy as np

from o1lab.measure.hardware import describe
from o1lab.paths import data_dir
from o1lab.tasks import groups
from o1lab.tasks.groups import ARMS, ASK, FIRST_MOVE, LONGEST, MOVES, rows_of, words

LAYERS, SEEDS = (1, 2, 4), (0, 1, 2)
ROWS = 512  # words an update
COMMAND = "python -m o1lab serial"


def small_model(layers: int, seed: int):
    """A width-64 Llama for the group worlds, float32."""
    from o1lab.model.network import tiny_policy

    return tiny_policy("xs", seed, groups.VOCABULARY, layers)


def examples(world: str, arm: str, seed: int, rows: int = ROWS):
    """`examples(step)` for `train`: words of four random lengths, none of them reserved."""
    from o1lab.model.batches import Example

    def make(step: int) -> list:
        rng = np.random.default_rng((seed, step))
        out = []
        for length in rng.choice(LONGEST, 4, replace=False) + 1:
            moves, states = words(world, rng, rows // 4, int(length))
            keep = ~groups.reserved(moves)
            ids, weight = rows_of(moves[keep], states[keep], arm)
            out += [Example(i, w) for i, w in zip(ids.tolist(), weight.tolist(), strict=True)]
        return out

    return make


def unspoken_loss(world: str):
    """The direct loss plus every state as a target at its move: thoughts taught, never written."""
    import torch
    from torch.nn import functional as F

    from o1lab.model.train import hidden_states, next_token_loss

    transitions = torch.tensor(groups.transitions(world))

    def loss(model, batch):
        table = transitions.to(batch.ids.device)
        hidden = hidden_states(model, batch.ids)[:, :LONGEST]  # (B, LONGEST, D)
        moves = batch.ids[:, :LONGEST] - FIRST_MOVE  # (B, LONGEST), negative where resting
        logits = model.get_output_embeddings()(hidden).float()
        state, total = torch.zeros_like(moves[:, 0]), 0.0
        for t in range(LONGEST):
            alive = moves[:, t] >= 0
            state = torch.where(alive, table[state, moves[:, t].clamp(min=0)], state)
            total = total + F.cross_entropy(logits[:, t][alive], state[alive], reduction="sum")
        return next_token_loss(model, batch) + total / LONGEST

    return loss


def right_answers(model, world: str, arm: str, rows: int = 300, seed: int = 77) -> list[list[bool]]:
    """Which held-out words are answered right, greedily: (LONGEST, rows), one row a length.

    The same words for every arm, network and seed, so that differences are paired.
    """
    rng = np.random.default_rng(seed)
    out = []
    for length in range(1, LONGEST + 1):
        moves, states = words(world, rng, rows * (1 if length < 4 else 20), length)
        if length >= 4:
            keep = groups.reserved(moves)
            moves, states = moves[keep][:rows], states[keep][:rows]
        out.append((_answers(model, moves, states, arm) == states[:, -1]).tolist())
    return out


def _answers(model, moves, states, arm: str) -> np.ndarray:
    """The model's greedy answers, (rows,): thoughts are written state by state, dots are given."""
    import torch

    ids, _ = rows_of(moves, states, arm)
    start = LONGEST + 1
    end = start if arm == "thoughts" else ids.shape[1] - 1
    text = torch.tensor(ids[:, :end], device=next(model.parameters()).device)
    with torch.inference_mode():
        for _ in range(moves.shape[1] if arm == "thoughts" else 1):
            best = model(text).logits[:, -1].argmax(-1, keepdim=True)
            text = torch.cat([text, best], 1)
    return text[:, -1].cpu().numpy()


def run(world: str, arm: str, layers: int, seed: int, updates: int = 400, progress=False) -> dict:
    """Train one small model and return its record; `right` has a string of 0 and 1 a length."""
    from o1lab.model.train import TrainConfig, next_token_loss, train

    model = small_model(layers, seed)
    config = TrainConfig(updates, 2e-3, 0.1, 0.3, weight_decay=0.01, seed=seed, bf16=False)
    loss = unspoken_loss(world) if arm == "unspoken" else next_token_loss
    began = time.perf_counter()
    done = train(model, examples(world, arm, seed), config, loss=loss, progress=progress)
    return {
        "world": world,
        "arm": arm,
        "layers": layers,
        "seed": seed,
        "updates": updates,
        "tokens": done.tokens,
        "flops": done.flops,
        "seconds": round(time.perf_counter() - began, 1),
        "right": ["".join("01"[r] for r in row) for row in right_answers(model, world, arm)],
    }


def grid() -> list[tuple]:
    """(world, arm, layers, seed): direct answering at every depth, the other arms at two layers."""
    cells = [("s5", "direct", n) for n in LAYERS] + [("s5", arm, 2) for arm in ARMS[1:]]
    cells += [("s5", "thoughts", 1), ("sum", "direct", 2)]
    return [(*cell, seed) for seed in SEEDS for cell in cells]


def main(argv: list[str] | None = None) -> None:
    """Run what is missing of the grid, one process a core, and write data/results/serial.json."""
    parser = argparse.ArgumentParser(prog="o1lab serial", description=main.__doc__)
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--part", default="0/1", help="k/n: every n-th cell from k, for parallel")
    parser.add_argument("--work", type=Path, default=Path("build/serial"))
    args = parser.parse_args(argv)
    part, parts = map(int, args.part.split("/"))
    args.work.mkdir(parents=True, exist_ok=True)
    from tqdm.auto import tqdm

    for cell in tqdm(grid()[part::parts], unit="run"):
        path = args.work / ("-".join(map(str, cell)) + ".json")
        if not path.exists() or json.loads(path.read_text())["updates"] != args.updates:
            fresh = path.with_suffix(".tmp")
            fresh.write_text(json.dumps(run(*cell, updates=args.updates)))
            os.replace(fresh, path)
    write(args.work)


def write(work: Path) -> None:
    """Gather the finished cells into the recorded result, if all are there."""
    cells = [work / ("-".join(map(str, cell)) + ".json") for cell in grid()]
    if not all(path.exists() for path in cells):
        return
    runs = [json.loads(path.read_text()) for path in cells]
    if len({run["updates"] for run in runs}) > 1:
        return
    record = {"command": f"{COMMAND} --updates {runs[0]['updates']}"}
    record |= {"date": date.today().isoformat(), "device": str(describe())}
    path = data_dir() / "results" / "serial.json"
    path.parent.mkdir(exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(record | {"moves": MOVES, "ask": ASK, "runs": runs}) + "\n")
    os.replace(fresh, path)
