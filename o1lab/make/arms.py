"""Lesson 01 in plain English: three ways of answering Stories and add-only Sums.

The shipped twins learned Stories from `base` with equal updates and tokens; here each way is
tuned a little further, on both worlds, with three seeds. The way with dots starts from the
twin that answers at once. Recorded by `python -m o1lab arms`. Leaves out the groups (`serial`).
"""

import argparse
import json
import os
import random
import time
from datetime import date
from pathlib import Path

from o1lab.make import corpus
from o1lab.measure.hardware import describe
from o1lab.paths import data_dir
from o1lab.tasks import task

DEPTHS, SEEDS = tuple(range(1, 9)), (0, 1, 2)
WORLDS = ("stories", "sums")
WAYS = {
    "thoughts": corpus.thought,
    "direct": corpus.at_once,
    "filler": corpus.filler,
}
START = {"thoughts": "stories-cot", "direct": "stories-direct", "filler": "stories-direct"}
COMMAND = "python -m o1lab arms"
TOKENS = 4096


def mixture(way: str) -> tuple:
    levels = tuple((depth, 1) for depth in DEPTHS)
    return tuple((WAYS[way](task(world), levels), 1) for world in WORLDS)


def exam_problems(world: str, depth: int, count: int) -> list:
    """The same held-out problems for every arm and seed."""
    rng = random.Random(f"arms {world} {depth}")
    return [task(world).problem(rng, depth, "test") for _ in range(count)]


def solved(policy, way: str, problems: list) -> list[bool]:
    """Which problems the policy answers right, greedily, in its own way."""
    from o1lab.model.checkpoints import think_all

    world = task(problems[0].task)
    if way == "thoughts":
        groups = think_all(policy, problems, temperature=0.0, max_new_tokens=180)
        return [world.grade(p, g[0].answer) for p, g in zip(problems, groups, strict=True)]
    texts = [p.prompt for p in problems]
    if way == "filler":
        texts = [p.prompt + corpus.dots(world.solution(p)[0]) for p in problems]
    said = next_words(policy, texts)
    return [world.grade(p, word) for p, word in zip(problems, said, strict=True)]


def next_words(policy, texts: list[str]) -> list[str]:
    """The likeliest next token after each text, decoded: a Stories answer is one token."""
    import torch

    tok = policy.tokenizer
    rows = [tok.encode(text) for text in texts]
    ids = torch.full((len(rows), max(map(len, rows))), tok.pad_token_id)  # (B, T)
    for i, row in enumerate(rows):
        ids[i, : len(row)] = torch.tensor(row)
    with torch.inference_mode():
        hidden = policy.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        last = hidden[torch.arange(len(rows)), torch.tensor([len(row) - 1 for row in rows])]
        best = policy.model.get_output_embeddings()(last).argmax(-1)  # (B,)
    return [tok.decode([i]) for i in best.tolist()]


def run(way: str, seed: int, updates: int, problems: int = 200) -> dict:
    """Tune a twin in one way and return its record: cost and right answers at each depth."""
    from o1lab.model.checkpoints import load
    from o1lab.model.train import TrainConfig, train

    policy = load(START[way])
    examples = corpus.stream(mixture(way), TOKENS, 1000 + seed)
    config = TrainConfig(updates, 3e-3, 0.05, 0.5, optimizer="muon", seed=seed)
    began = time.perf_counter()
    done = train(policy.model, examples, config)
    right = {
        world: [solved(policy, way, exam_problems(world, d, problems)) for d in DEPTHS]
        for world in WORLDS
    }
    return {
        "way": way,
        "seed": seed,
        "updates": updates,
        "tokens": done.tokens,
        "flops": done.flops,
        "seconds": round(time.perf_counter() - began, 1),
        "right": {w: ["".join("01"[r] for r in row) for row in rows] for w, rows in right.items()},
    }


def main(argv: list[str] | None = None) -> None:
    """Run what is missing and write data/results/arms.json."""
    parser = argparse.ArgumentParser(prog="o1lab arms", description=main.__doc__)
    parser.add_argument("--updates", type=int, default=300)
    parser.add_argument("--work", type=Path, default=Path("build/arms"))
    args = parser.parse_args(argv)
    args.work.mkdir(parents=True, exist_ok=True)
    cells = [(way, seed) for seed in SEEDS for way in WAYS]
    paths = [args.work / f"{way.replace(' ', '-')}-{seed}.json" for way, seed in cells]
    for (way, seed), path in zip(cells, paths, strict=True):
        if not path.exists() or json.loads(path.read_text())["updates"] != args.updates:
            save(path, run(way, seed, args.updates))
    record = {"command": f"{COMMAND} --updates {args.updates}"}
    record |= {"date": date.today().isoformat(), "device": str(describe())}
    record |= {"depths": DEPTHS, "runs": [json.loads(path.read_text()) for path in paths]}
    save(data_dir() / "results" / "arms.json", record)


def save(path: Path, record: dict) -> None:
    """Write JSON to a temporary name, then rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(record) + "\n")
    os.replace(fresh, path)


def save_arrays(path: Path, arrays: dict) -> None:
    """Write safetensors, readable for all, to a temporary name, then rename."""
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    save_file(arrays, fresh)
    fresh.chmod(0o644)  # safetensors writes files for their owner only
    os.replace(fresh, path)
