"""Lesson 03's ladder: every verifier chooses among the same rollouts of the same held-out stories.

Recorded by `python -m o1lab ladder`; resumable, a verifier at a time. Leaves out how verifiers are
made (`verifiers`) and what the lesson reads out of the record (`lesson03`).
"""

import argparse
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from o1lab.make.arms import save
from o1lab.make.verifiers import (
    AFTER,
    ARMS,
    CORE_SEEDS,
    POLICY,
    STARTS,
    WORLD,
    Arm,
    build,
    practice,
)
from o1lab.measure.compute import Ledger, ledger_of
from o1lab.measure.hardware import describe
from o1lab.model.rollouts import Rollout
from o1lab.paths import data_dir
from o1lab.rewards.aggregate import aggregate
from o1lab.search.curves import best_of_n_curve, oracle_curve, weighted_vote_curve
from o1lab.tasks import task
from o1lab.tasks.lessons import exam

DEPTHS = (3, 4, 5, 6)
LONGER = (3, 4, 5, 6, 7, 8)  # depths of the metrics: the last two were never practised
PRM_METHODS = ("product", "min", "last", "mean")
DRAWS = 60  # random orders a vote is averaged over
COMMAND = "python -m o1lab ladder"


@dataclass
class Held:
    """Rollouts of held-out problems with what is known of them; arrays are (problems, n)."""

    groups: list[list[Rollout]]
    answers: list[list[str | None]]
    right: np.ndarray
    sound: np.ndarray

    @property
    def flat(self) -> list[Rollout]:
        return [rollout for group in self.groups for rollout in group]

    def first(self, problems: int, n: int) -> "Held":
        """The first n rollouts of problems taken evenly from all depths."""
        at = np.linspace(0, len(self.groups) - 1, problems).round().astype(int)
        cut = [self.groups[i][:n] for i in at]
        answers = [self.answers[i][:n] for i in at]
        return Held(cut, answers, self.right[at, :n], self.sound[at, :n])


def held_out(problems: int, n: int, depths: Sequence[int] = DEPTHS, seed: int = 41) -> Held:
    """n rollouts of test problems, as many of each depth, in the order of depth."""
    from o1lab.model.checkpoints import load, think_all

    asked = [p for depth in depths for p in exam(WORLD, problems // len(depths), depth)]
    groups = think_all(load(POLICY), asked, n=n, max_new_tokens=220, seed=seed, progress=True)
    return known(groups)


def known(groups: list[list[Rollout]]) -> Held:
    """These rollouts, a group a problem, with what the task's checker says of them."""
    from o1lab.rewards.base import all_right, is_right

    world = task(WORLD)
    right = [[is_right(world, r) for r in group] for group in groups]
    sound = [[ok and all_right(world, r) for r, ok in zip(g, row, strict=True)]
             for g, row in zip(groups, right, strict=True)]  # fmt: skip
    return Held(groups, [[r.answer for r in g] for g in groups], np.array(right), np.array(sound))


def sizes_of(n: int) -> list[int]:
    """1, 2, 4 … n."""
    return [2**i for i in range(n.bit_length()) if 2**i <= n]


def free_curves(held: Held) -> dict[str, np.ndarray]:
    """Choosing without a verifier: "method/right", and "method/sound" where one is chosen."""
    sizes = sizes_of(held.right.shape[1])
    total = likelihoods(held)
    mean = np.array([[sum(r.logprobs) / max(1, len(r.logprobs)) for r in g] for g in held.groups])
    given = np.array([[a is not None for a in row] for row in held.answers])
    lowest = np.array([[_least_likely_step(r) for r in g] for g in held.groups])
    likely = {"log-probability": total, "log-probability per token": mean}
    likely["least likely step"] = lowest
    out = {"majority/right": _vote(held, np.ones(held.right.shape), sizes)}
    for what, rights in (("right", held.right), ("sound", held.sound)):
        out[f"random/{what}"] = np.repeat(rights.mean(1, keepdims=True), len(sizes), axis=1)
        out[f"oracle/{what}"] = oracle_curve(rights, sizes)
        for name, scores in likely.items():
            worth = np.where(given, scores, -np.inf)
            out[f"{name}/{what}"] = best_of_n_curve(rights, worth, sizes)
    return out


def _least_likely_step(rollout: Rollout) -> float:
    """The lowest log-probability of a step: what the policy itself was least sure of."""
    ends = rollout.step_ends  # of a thought without a step there are none
    pairs = zip([0, *ends][: len(ends)], ends, strict=True)
    return min((sum(rollout.logprobs[a:b]) for a, b in pairs), default=-np.inf)


def verifier_curves(held: Held, scores: list[list[float]], kind: str) -> dict[str, np.ndarray]:
    """Choosing by step scores (a row a rollout, problems in order), as `free_curves`."""
    sizes = sizes_of(held.right.shape[1])
    methods = PRM_METHODS if kind == "prm" else ("last",)
    out = {}
    for how in methods:
        worth = worths(held, scores, how)
        out[f"{how}/right"] = best_of_n_curve(held.right, worth, sizes)
        out[f"{how}/sound"] = best_of_n_curve(held.sound, worth, sizes)
    worth = worths(held, scores, methods[0])
    out["vote/right"] = _vote(held, worth, sizes)
    with np.errstate(divide="ignore"):  # what scores 0 comes last, as without an answer
        both = np.log(np.maximum(worth, 0)) + likelihoods(held)
    out["times likelihood/right"] = best_of_n_curve(held.right, both, sizes)
    return out


def likelihoods(held: Held) -> np.ndarray:
    """The policy's log-probability of each rollout: (problems, n)."""
    return np.array([[sum(r.logprobs) for r in group] for group in held.groups])


def worths(held: Held, scores: list[list[float]], how: str) -> np.ndarray:
    """Each rollout's worth (problems, n); -inf without an answer or a step."""
    answers = [answer for row in held.answers for answer in row]
    flat = [
        aggregate(row, how) if answer is not None else -np.inf
        for row, answer in zip(scores, answers, strict=True)
    ]
    return np.array(flat).reshape(held.right.shape)


def _vote(held: Held, weights: np.ndarray, sizes: list[int]) -> np.ndarray:
    return weighted_vote_curve(held.answers, held.right, weights, sizes, DRAWS)


def run(arm: Arm, seed: int, rollouts, core: Held, small: Held, longer: Held, folder: Path) -> dict:
    """Train one verifier, let it choose, measure it: {"facts": ..., "curves": ...}."""
    from o1lab.make.verifier_metrics import metrics
    from o1lab.model.checkpoints import save as save_model

    model = build(arm, rollouts, seed, folder.parent / "starts", folder / "training")
    core_arm = arm.seeds == CORE_SEEDS
    if core_arm:
        save_model(model, folder / "model")
    began = time.perf_counter()
    curves = verifier_curves(small, model(small.flat), arm.kind)
    if core_arm:
        curves = {f"small/{key}": value for key, value in curves.items()}
        model.ledger, began = Ledger(), time.perf_counter()
        curves |= verifier_curves(core, model(core.flat), arm.kind)
    facts = model.recipe
    data = facts.get("data", {"rollouts": 0, "labels": 0, "lost": {}})
    spent = {
        **data,
        "tokens": facts["training"]["tokens"],
        "flops": facts["training"]["flops"],
        "seconds": round(facts["training"]["seconds"], 1),
        "label_flops": sum(v for k, v in facts.get("label ledger", {}).items() if "flops" in k),
        "score_flops": model.ledger.verifier_flops,
        "score_seconds": round(time.perf_counter() - began, 1),
        "parameters": sum(p.numel() for p in model.model.parameters()),
        "metrics": metrics(model, longer, arm.kind, AFTER),
    }
    return {"facts": spent, "curves": curves}


def main(argv: list[str] | None = None) -> None:
    """Run what is missing and write data/results/ladder.json and ladder.safetensors."""
    parser = argparse.ArgumentParser(prog="o1lab ladder", description=main.__doc__)
    parser.add_argument("--practice", type=int, default=1200, help="train problems")
    parser.add_argument("--problems", type=int, default=1000, help="held-out stories")
    parser.add_argument("--n", type=int, default=256, help="rollouts of each")
    parser.add_argument("--small", type=int, default=200, help="stories for the side arms, n <= 64")
    parser.add_argument("--work", type=Path, default=Path("build/ladder"))
    parser.add_argument("--out", type=Path, default=data_dir() / "results")
    args = parser.parse_args(argv)
    core = held_out(args.problems, args.n)
    small = core.first(args.small, min(64, args.n))
    longer = held_out(min(600, args.problems), 16, LONGER, seed=43)
    _keep(args.work / "free", {"flops": ledger_of(core.flat).flops}, free_curves(core))
    _keep(args.work / "free small", {}, free_curves(small))
    rollouts = practice(args.practice)
    cells = [(arm, seed) for arm in ARMS for seed in arm.seeds]
    for arm, seed in sorted(cells, key=lambda cell: cell[1]):
        folder = args.work / f"{_slug(arm.name)}-{seed}"
        if not (folder / "facts.json").exists():
            done = run(arm, seed, rollouts, core, small, longer, folder)
            _keep(folder, done["facts"], done["curves"])
            print(arm.name, seed, json.dumps(done["facts"]["metrics"]), flush=True)
    record = {"command": " ".join([COMMAND, *_asked(args)]), "date": date.today().isoformat()}
    record |= {"device": str(describe()), "policy": POLICY, "depths": DEPTHS}
    write(record, args.work, args.out, core, small)
    ship(args.work, args.out.parent / "verifiers")


def ship(work: Path, out: Path) -> None:
    """Put what the lesson loads into `out`: the first PRM and ORM, and what they started from."""
    import shutil

    shipped = {"prm": "prm-0/model", "orm": "orm-0/model"}
    shipped |= {name: f"starts/{name}" for name in STARTS}
    for name, source in shipped.items():
        fresh = out / f"{name}.tmp"
        shutil.copytree(work / source, fresh)
        shutil.rmtree(out / f"{WORLD}-{name}", ignore_errors=True)
        fresh.replace(out / f"{WORLD}-{name}")


def _asked(args) -> list[str]:
    return [f"--{k} {getattr(args, k)}" for k in ("practice", "problems", "n", "small")]


def _keep(folder: Path, facts: dict, curves: dict[str, np.ndarray]) -> None:
    """Curves first, facts last: a folder with facts is whole."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    fresh = folder / "curves.tmp"
    save_file({k: v.astype(np.float16) for k, v in curves.items()}, fresh)
    fresh.replace(folder / "curves.safetensors")
    save(folder / "facts.json", facts)


def write(record: dict, work: Path, out: Path, core: Held, small: Held) -> None:
    """Gather what `work` holds into the two files of the record."""
    from safetensors.numpy import load_file, save_file

    record |= {
        "n": core.right.shape[1],
        "sizes": sizes_of(core.right.shape[1]),
        "small sizes": sizes_of(small.right.shape[1]),
        "depth": [group[0].problem.difficulty for group in core.groups],
        "small depth": [group[0].problem.difficulty for group in small.groups],
        "arms": {},
    }
    curves = {}
    for folder in sorted(path.parent for path in work.glob("*/facts.json")):
        name, seed = _named(folder.name)
        arm = record["arms"].setdefault(name, _about(name) | {"runs": {}})
        arm["runs"][seed] = json.loads((folder / "facts.json").read_text())
        found = load_file(folder / "curves.safetensors")
        curves |= {f"{name}/{seed}/{key}": value for key, value in found.items()}
    fresh = out / "ladder.tmp"
    save_file(curves, fresh)
    fresh.chmod(0o644)  # safetensors writes files for their owner only
    fresh.replace(out / "ladder.safetensors")
    save(out / "ladder.json", record)


def _named(folder: str) -> tuple[str, str]:
    """(arm, seed) of a work folder's name."""
    if folder.startswith("free"):
        return folder, "0"
    name, _, seed = folder.rpartition("-")
    return next(arm.name for arm in ARMS if _slug(arm.name) == name), seed


def _slug(name: str) -> str:
    return name.replace(" ", "-").replace("/", "-of-").replace("%", "")


def _about(name: str) -> dict:
    arm = next((arm for arm in ARMS if arm.name == name), None)
    if arm is None:
        return {"kind": "none", "note": "no verifier"}
    return {"kind": arm.kind, "note": arm.note, "core": arm.seeds == CORE_SEEDS}
