"""Lesson 05's searches that pay for their value: Countdown by size, and the Game of 24.

Recorded by `python -m o1lab searching`; resumable, a cell at a time. A cell is one way to look for
a solution of one set of puzzles, with one policy, one value and one seed; it keeps for each puzzle
the FLOPs and tokens (policy and verifier), the rounds that had to wait for each other and the
verifier's FLOPs alone when the first verified solution was there. Leaves out how the value is made
(`foresight`), word problems (`story_search`) and what the lesson reads out of it (`lesson05`).
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np

from o1lab.make import chances
from o1lab.make.arms import save, save_arrays
from o1lab.make.foresight import POLICIES
from o1lab.make.planning import price_of_a_rollout
from o1lab.measure.compute import forward_flops
from o1lab.measure.hardware import describe
from o1lab.model.rollouts import Rollout
from o1lab.paths import data_dir
from o1lab.rewards.base import ExactScorer, is_right
from o1lab.search import beam, mcts
from o1lab.search.budget import Budget, tokens
from o1lab.search.states import numbers_left
from o1lab.search.tree import Found
from o1lab.search.writing import Writer
from o1lab.tasks.base import Problem
from o1lab.tasks.countdown import game24
from o1lab.tasks.countdown_solver import play_probability
from o1lab.tasks.lessons import exam, lesson

SETS = ("4 hard", "5", "6", "24")
HARD = 0.05  # at most this chance of blind play, for "4 hard"
VALUE = "countdown-prm"
SEEDS = {"6": (0, 1, 2), "24": (0,), "5": (0,), "4 hard": (0,)}
BEST = {"cot": 0.7, "ppo": 1.0}  # sampling's temperature, the better of 0.7 and 1 on dev puzzles
TEMPERATURE = 1.0  # of a search
SAMPLED = {"4 hard": 32, "5": 32, "6": 64, "24": 32}  # rollouts of a puzzle
MOST = 32  # a search's budget, in rollouts of average cost
STEP, LENGTH, BLOCK = 48, 130, 150  # most tokens of a step, of a thought; puzzles at once
TREE = mcts.Settings(2000, samples=1, widen=0.5, c_init=0.1, fpu=0.0, prune=0.02)
DRAWN = {("6", "prm"): 2}  # steps drawn at once, where not 1: tuned on dev puzzles, as all of TREE
BEAMS = {"beam": beam.Settings(4, 4), "dvts": beam.Settings(1, 4, trees=4)}
COMMAND = "python -m o1lab searching"


@dataclass(frozen=True)
class Cell:
    """One way: "sampling", "mcts", "beam" or "dvts", and its value.

    value: "prm", "exact" (free of charge), "rollout" (whether one completion of the prefix by the
    policy succeeds, which is paid for as written), "" for none.
    """

    puzzles: str
    way: str
    value: str = ""
    seed: int = 0
    temperature: float = TEMPERATURE
    policy: str = "cot"

    @property
    def name(self) -> str:
        parts = (self.puzzles, self.way, self.value, self.policy, self.temperature, self.seed)
        return "-".join(str(part).replace(" ", "_") for part in parts if part != "")


def cells() -> list[Cell]:
    """Every cell of the record, all ways' first seeds before the others."""
    out = [Cell(p, "sampling", "", 0, 0.0) for p in SETS[:-1]]
    out += [Cell("24", "sampling", "", 0, 0.0, policy) for policy in POLICIES]
    for seed in sorted({seed for seeds in SEEDS.values() for seed in seeds}):
        for puzzles in [p for p in SETS if seed in SEEDS[p]]:
            out += _cells(puzzles, seed)
    return out


def _cells(puzzles: str, seed: int) -> list[Cell]:
    """One seed of a set; on the hardest sampling has both temperatures, and DVTS is there."""
    if puzzles == "24":
        out = [Cell("24", "sampling", "", seed, BEST[name], name) for name in POLICIES]
        pairs = [(name, value) for name in POLICIES for value in ("prm", "exact")]
        return out + [Cell("24", "mcts", value, seed, policy=name) for name, value in pairs]
    heats = (0.7, 1.0) if puzzles == "6" else (BEST["cot"],)
    out = [Cell(puzzles, "sampling", "", seed, heat) for heat in heats]
    out += [Cell(puzzles, way, "prm", seed) for way in ("mcts", "beam")]
    out += [Cell(puzzles, "mcts", value, seed) for value in ("exact", "rollout")]
    return out + ([Cell("6", "dvts", "prm", seed)] if puzzles == "6" else [])


@lru_cache(maxsize=len(SETS))
def puzzles_of(name: str, count: int) -> list[Problem]:
    """The first `count` held-out puzzles of a set; "24" is the whole Game of 24 in 0..99."""
    if name == "24":
        return game24()[:count]
    if name == "4 hard":
        return lesson("countdown")[0].test_set(4, count, seed=5, max_p=HARD)
    return exam("countdown", count, int(name), seed=5)


def value_of(cell: Cell):
    """The cell's scorer of prefixes."""
    from o1lab.rewards.models import load_reward_model

    return load_reward_model(VALUE) if cell.value == "prm" else ExactScorer(lesson("countdown")[0])


@lru_cache
def fitted(value: str, policy: str) -> dict:
    """What turns the scores of a value into this policy's chances (`chances`), by numbers left."""
    from o1lab.model.checkpoints import load
    from o1lab.rewards.models import load_reward_model

    if value == "prm":
        return load_reward_model(VALUE).recipe["chances"][policy]
    return chances.fit(ExactScorer(lesson("countdown")[0]), load(POLICIES[policy]))


def rules(rollout: Rollout) -> float | None:
    """What the rules show of a play: 0 after an illegal step, 0 or 1 without a move left.

    None while it goes on. Right arithmetic and the last number are there for all to see.
    """
    left = numbers_left(lesson("countdown")[0])(rollout)
    if left is None:
        return 0.0 if rollout.step_ends else None
    return float(left[0] == rollout.problem.data[1]) if len(left) == 1 else None


def searched(
    cell: Cell, policy, problems: Sequence[Problem], scorer, budget: float, tree=TREE
) -> list[Found]:
    """The search of each puzzle, stopped at its first verified solution or its budget in FLOPs."""
    world = lesson("countdown")[0]
    writer = Writer(policy, STEP, LENGTH, cell.temperature, seed=cell.seed)
    about = {"budget": Budget(flops=budget), "check": lambda r: is_right(world, r)}
    about |= {"outcome": lambda r: float(is_right(world, r)), "rules": rules}
    if cell.value in ("prm", "exact"):
        about["worth"] = chances.worth(fitted(cell.value, cell.policy))
    if cell.way == "mcts":
        tree = replace(tree, samples=DRAWN.get((cell.puzzles, cell.value), tree.samples))
        tree = replace(tree, mix=1.0, prune=None) if cell.value == "rollout" else tree
        return mcts.mcts(writer, problems, scorer, tree, state=numbers_left(world), **about)
    return beam.beam_search(writer, problems, scorer, BEAMS[cell.way], **about)


def sampled_at(policy, problems: Sequence[Problem], cell: Cell, n: int) -> np.ndarray:
    """(FLOPs, rounds, tokens, 0) at the first right rollout: (puzzles, 4). A round is a step here.

    One rollout after the other, the prompt read once; they could be written side by side, so only
    the longest counts as waiting. inf where none is right.
    """
    from o1lab.model.checkpoints import think_all

    world, config, rows = lesson("countdown")[0], policy.model.config, []
    groups = think_all(policy, problems, n if cell.temperature else 1,
                       temperature=cell.temperature, max_new_tokens=LENGTH,
                       seed=100 + cell.seed)  # fmt: skip
    for group in groups:
        size = len(group[0].prompt_ids)
        read = forward_flops(config, size, (size + 1) / 2, logits_tokens=1)
        spent = read + np.cumsum([rollout.flops - read / len(group) for rollout in group])
        hits = [i for i, rollout in enumerate(group) if is_right(world, rollout)]
        tried = group[: hits[0] + 1] if hits else []
        rounds = max((len(rollout.step_ends) + 1 for rollout in tried), default=np.inf)
        tokens = size + sum(len(rollout.ids) for rollout in tried)
        rows.append((spent[hits[0]], rounds, tokens, 0.0) if hits else (np.inf,) * 4)
    return np.array(rows, dtype=float)


def floors(problems: Sequence[Problem]) -> np.ndarray:
    """The chance that blind play solves each puzzle, and with a perfect last move: (puzzles, 2)."""
    return np.array([[play_probability(*p.data, end) for end in (False, True)] for p in problems])


def run(cell: Cell, policy, problems: Sequence[Problem], price: float) -> np.ndarray:
    """(FLOPs, rounds, tokens, verifier's FLOPs) at each puzzle's first verified solution.

    inf without one: (puzzles, 4).
    """
    if cell.way == "sampling":
        return sampled_at(policy, problems, cell, SAMPLED[cell.puzzles])
    rows = []
    for start in range(0, len(problems), BLOCK):
        block = problems[start : start + BLOCK]
        for found in searched(cell, policy, block, value_of(cell), MOST * price):
            done = found.stopped == "verified"
            spent = found.ledger
            row = (spent.flops, found.depth, tokens(spent), spent.verifier_flops)
            rows.append(row if done else (np.inf,) * 4)
    return np.array(rows, dtype=float)


def main(argv: list[str] | None = None) -> None:
    """Search what is missing and write data/results/searching.json and searching.safetensors."""
    from o1lab.model.checkpoints import load

    parser = argparse.ArgumentParser(prog="o1lab searching", description=main.__doc__)
    parser.add_argument("--problems", type=int, default=300, help="held-out puzzles of a size")
    parser.add_argument("--game24", type=int, default=1334, help="puzzles of the Game of 24")
    parser.add_argument("--work", type=Path, default=Path("build/searching"))
    parser.add_argument("--out", type=Path, default=data_dir() / "results")
    args = parser.parse_args(argv)
    folder = args.work / f"{args.problems}-{args.game24}"
    folder.mkdir(parents=True, exist_ok=True)
    counts = dict.fromkeys(SETS, args.problems) | {"24": args.game24}
    prices = {}
    for name, count in counts.items():
        asked = puzzles_of(name, count)[:100]
        prices[name] = price_of_a_rollout(load(POLICIES["cot"]), asked)
    for cell in cells():
        path = folder / f"{cell.name}.npy"
        if path.exists():
            continue
        problems = puzzles_of(cell.puzzles, counts[cell.puzzles])
        found = run(cell, load(POLICIES[cell.policy]), problems, prices[cell.puzzles])
        fresh = path.with_suffix(".tmp")
        with open(fresh, "wb") as file:
            np.save(file, found)
        fresh.replace(path)
        print(cell.name, f"solved {np.isfinite(found[:, 0]).mean():.3f}", flush=True)
    write(args, folder, counts, prices)


def write(args, folder: Path, counts: dict, prices: dict) -> None:
    """Gather the cells into the two files of the record."""
    asked = f"--problems {args.problems} --game24 {args.game24}"
    record = {"command": f"{COMMAND} {asked}", "date": date.today().isoformat()}
    record |= {"device": str(describe()), "policies": POLICIES, "value": VALUE, "seeds": SEEDS}
    record |= {"puzzles": counts, "rollout flops": prices, "sampled": SAMPLED, "most": MOST}
    arrays = {c.name: np.load(folder / f"{c.name}.npy") for c in cells()}
    arrays |= {f"{name}-floor": floors(puzzles_of(name, counts[name])) for name in SETS}
    save_arrays(args.out / "searching.safetensors", arrays)
    save(args.out / "searching.json", record)
