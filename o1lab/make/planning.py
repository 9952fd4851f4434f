"""Lesson 05's diagnosis on Countdown: how good must a value be before search beats sampling?

Recorded by `python -m o1lab planning`; resumable, a cell at a time. A cell is one way to search
with one value (an oracle with dialled noise, free of charge) and one seed; it keeps for each
puzzle the FLOPs spent when the first verified solution was there. Leaves out learned values and
what the lesson reads out of it (`lesson05`).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from o1lab.make.arms import save, save_arrays
from o1lab.measure.compute import forward_flops
from o1lab.measure.hardware import describe
from o1lab.model.rollouts import Rollout
from o1lab.paths import data_dir
from o1lab.rewards.base import Scorer, is_right
from o1lab.rewards.scorers import NoisyOracle
from o1lab.search import beam, mcts
from o1lab.search.budget import Budget
from o1lab.search.tree import Found
from o1lab.search.writing import Writer
from o1lab.tasks.base import Problem, Task
from o1lab.tasks.lessons import exam, lesson

POLICY, NUMBERS, TEMPERATURE = "countdown-cot", 6, 0.7
AUROCS = (0.5, 0.65, 0.8, 0.9, 1.0)
RHOS = (0.0, 0.8)
SEEDS = (0, 1, 2)
SIZES = (1, 2, 4, 8, 16, 32)  # budgets, in rollouts of average cost
STEP, LENGTH, BLOCK = 24, 130, 50  # most tokens of a step, of a thought; puzzles at once
TREE = mcts.Settings(400, samples=1, widen=0.5, c_init=0.5, fpu=0.0)
COMMAND = "python -m o1lab planning"


@dataclass(frozen=True)
class Cell:
    """One way to search, one value, one seed. way: "mcts", "beam", "dvts" or "sampling"."""

    way: str
    auroc: float = 1.0
    rho: float = 0.0
    seed: int = 0
    temperature: float = TEMPERATURE

    @property
    def name(self) -> str:
        if self.way == "sampling":
            return f"sampling-{self.temperature}-{self.seed}"
        return f"{self.way}-{self.auroc}-{self.rho}-{self.seed}"


def cells() -> list[Cell]:
    """Every cell of the record, the cheap and telling ones first."""
    out = [Cell("sampling", seed=s, temperature=t) for t in (0.7, 1.0) for s in SEEDS]
    dials = [(a, r) for r in RHOS for a in AUROCS if a < 1 or r == 0]  # exact: nothing to share
    out += [Cell("mcts", a, r, s) for s in SEEDS for a, r in dials]
    return out + [Cell(way, 0.8, 0.0, s) for s in SEEDS for way in ("beam", "dvts")]


class KnownEnds:
    """A value for prefixes, and the plain truth for complete thoughts, which show their success."""

    def __init__(self, scorer: Scorer, task: Task):
        self.scorer, self.task = scorer, task

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        rows = self.scorer(rollouts)
        for row, rollout in zip(rows, rollouts, strict=True):
            if row and rollout.finished:
                row[-1] = float(is_right(self.task, rollout))
        return rows


def searched(cell: Cell, policy, problems: Sequence[Problem], budget: float) -> list[Found]:
    """The searches of these puzzles, each stopped at its first verified solution or its budget."""
    world = lesson("countdown")[0]
    value = NoisyOracle(world, cell.auroc, rho=cell.rho, seed=cell.seed)
    writer = Writer(policy, STEP, LENGTH, cell.temperature, seed=cell.seed)
    about = {"budget": Budget(flops=budget), "check": lambda r: is_right(world, r)}
    scorer = KnownEnds(value, world)
    if cell.way == "mcts":
        return mcts.mcts(writer, problems, scorer, TREE, **about)
    settings = beam.Settings(4, 4) if cell.way == "beam" else beam.Settings(1, 4, trees=4)
    return beam.beam_search(writer, problems, scorer, settings, **about)


def found_at(found: Found) -> float:
    """FLOPs spent when the solution was there; inf where there was none."""
    return found.ledger.flops if found.stopped == "verified" else np.inf


def sampled_at(policy, problems: Sequence[Problem], cell: Cell, n: int) -> list[float]:
    """As `found_at`, of sampling one rollout after the other, the prompt read once."""
    from o1lab.model.checkpoints import think_all

    world, config = lesson("countdown")[0], policy.model.config
    groups = think_all(policy, problems, n, temperature=cell.temperature,
                       max_new_tokens=LENGTH, seed=100 + cell.seed)  # fmt: skip
    out = []
    for group in groups:
        size = len(group[0].prompt_ids)
        read = forward_flops(config, size, (size + 1) / 2, logits_tokens=1)
        spent = read + np.cumsum([rollout.flops - read / n for rollout in group])
        hits = [i for i, rollout in enumerate(group) if is_right(world, rollout)]
        out.append(float(spent[hits[0]]) if hits else np.inf)
    return out


def solved_within(spent, budgets) -> np.ndarray:
    """Whether each puzzle was solved for at most so many FLOPs, as 0 or 1: (puzzles, budgets)."""
    return (np.asarray(spent)[:, None] <= np.asarray(budgets)[None]).astype(float)


def price_of_a_rollout(policy, problems: Sequence[Problem]) -> float:
    """Mean FLOPs of one rollout that shares its prompt with none."""
    from o1lab.model.checkpoints import think_all

    groups = think_all(policy, problems, 1, temperature=TEMPERATURE, max_new_tokens=LENGTH, seed=99)
    return float(np.mean([group[0].flops for group in groups]))


def run(cell: Cell, policy, problems: Sequence[Problem], budget: float) -> np.ndarray:
    """FLOPs at the first verified solution of every puzzle, (problems,)."""
    if cell.way == "sampling":
        return np.array(sampled_at(policy, problems, cell, 2 * SIZES[-1]))
    blocks = [problems[i : i + BLOCK] for i in range(0, len(problems), BLOCK)]
    return np.array([found_at(f) for b in blocks for f in searched(cell, policy, b, budget)])


def main(argv: list[str] | None = None) -> None:
    """Search what is missing and write data/results/planning.json and planning.safetensors."""
    from o1lab.model.checkpoints import load

    parser = argparse.ArgumentParser(prog="o1lab planning", description=main.__doc__)
    parser.add_argument("--problems", type=int, default=300, help="held-out puzzles")
    parser.add_argument("--work", type=Path, default=Path("build/planning"))
    parser.add_argument("--out", type=Path, default=data_dir() / "results")
    args = parser.parse_args(argv)
    policy, problems = load(POLICY), exam("countdown", args.problems, NUMBERS)
    price = price_of_a_rollout(policy, problems)
    folder = args.work / str(args.problems)
    folder.mkdir(parents=True, exist_ok=True)
    for cell in cells():
        path = folder / f"{cell.name}.npy"
        if not path.exists():
            spent = run(cell, policy, problems, SIZES[-1] * price)
            fresh = path.with_suffix(".tmp")
            with open(fresh, "wb") as file:
                np.save(file, spent)
            fresh.replace(path)
            print(cell.name, [f"{(spent <= n * price).mean():.3f}" for n in SIZES], flush=True)
    write(args, folder, problems, price)


def write(args, folder: Path, problems: Sequence[Problem], price: float) -> None:
    """Gather the cells into the two files of the record."""
    arrays = {cell.name: np.load(folder / f"{cell.name}.npy") for cell in cells()}
    record = {"command": f"{COMMAND} --problems {args.problems}", "date": date.today().isoformat()}
    record |= {"device": str(describe()), "policy": POLICY, "numbers": NUMBERS}
    record |= {"problems": len(problems), "rollout flops": price, "sizes": SIZES}
    record |= {"aurocs": AUROCS, "rhos": RHOS, "seeds": SEEDS, "temperature": TEMPERATURE}
    save_arrays(args.out / "planning.safetensors", arrays)
    save(args.out / "planning.json", record)
