"""Lesson 05 on word problems: where no answer shows that it is right, is search worth its price?

Recorded by `python -m o1lab story_search`; resumable, a part at a time. The same held-out stories
for all: choosing among N rollouts with and without the learned PRM, beams and trees led by it, and
for each the FLOPs (policy and verifier) a story took. Leaves out Countdown (`searching`).
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np

from o1lab.make.arms import save, save_arrays
from o1lab.make.ladder import free_curves, known, sizes_of, verifier_curves
from o1lab.measure.compute import ledger_of
from o1lab.measure.hardware import describe
from o1lab.model.checkpoints import load, think_all
from o1lab.paths import data_dir
from o1lab.rewards.base import is_right
from o1lab.rewards.models import load_reward_model
from o1lab.search import beam, mcts
from o1lab.search.budget import Budget
from o1lab.search.tree import Found, choose
from o1lab.search.writing import Writer
from o1lab.tasks.base import Problem
from o1lab.tasks.lessons import exam, lesson

POLICY, VALUE = "stories-cot", "stories-prm"
SEEDS = (0, 1, 2)
N = 64  # rollouts of a story
STEP, LENGTH = 40, 140  # most tokens of a step, of a thought
BUDGETS = (4, 16, 64)  # of a tree, in rollouts of average cost
HOW = "product"  # of the step scores: what serves the PRM best when it chooses alone (lesson 03)
BEAMS = {
    "beam of 4": beam.Settings(4, 4, how=HOW),
    "beam of 4, vote": beam.Settings(4, 4, how=HOW, choose="vote"),
    "beam of 16, vote": beam.Settings(16, 4, how=HOW, choose="vote"),
    "dvts of 4, vote": beam.Settings(1, 4, trees=4, how=HOW, choose="vote"),
}
TREE = mcts.Settings(2000, samples=2, widen=0.5, how=HOW, finish=True)
CHOICES = ("score", "vote")
COMMAND = "python -m o1lab story_search"


def sampled(policy, judge, problems: Sequence[Problem], seed: int) -> dict[str, np.ndarray]:
    """Choosing among 1, 2, 4 … N rollouts: "way/right" and "way/flops", (problems, sizes).

    A rollout's price is the mean over the story's N, its prompt read once.
    """
    groups = think_all(policy, problems, N, max_new_tokens=LENGTH, seed=200 + seed)
    held, sizes = known(groups), sizes_of(N)
    before = judge.ledger.flops
    scores = judge(held.flat)
    scoring = (judge.ledger.flops - before) / len(held.flat)  # a rollout
    writing = np.array([ledger_of(group).flops / N for group in groups])  # (problems,)
    free, paid = free_curves(held), verifier_curves(held, scores, "prm")
    ways = {
        "majority": free["majority/right"],
        "oracle": free["oracle/right"],
        "best of N": paid[f"{HOW}/right"],
        "weighted vote": paid["vote/right"],
    }
    out = {f"{way}/right": rows for way, rows in ways.items()}
    for way in ways:
        each = writing + (0 if way in ("majority", "oracle") else scoring)
        out[f"{way}/flops"] = each[:, None] * np.array(sizes)
    return out


def tree_search(policy, judge, problems: Sequence[Problem], seed: int, price: float):
    """Trees of every budget: "mcts, choice/right" and "…/flops", (problems, budgets).

    One search serves all choices: how its answer is chosen does not change how a tree grows.
    """
    columns = [
        mcts.mcts(_writer(policy, seed), problems, judge, TREE, budget=Budget(flops=n * price))
        for n in BUDGETS
    ]
    out = {}
    for how in CHOICES:
        chosen = [[replace(f, rollout=choose(f.endings, how)) for f in row] for row in columns]
        out |= _table(f"mcts, {how}", chosen)
    return out


def beams(policy, judge, problems: Sequence[Problem], seed: int, name: str):
    """One beam search: "name/right" and "name/flops", (problems, 1)."""
    return _table(name, [beam.beam_search(_writer(policy, seed), problems, judge, BEAMS[name])])


def _writer(policy, seed: int) -> Writer:
    return Writer(policy, STEP, LENGTH, 1.0, seed=seed)


def _table(way: str, columns: Sequence[Sequence[Found]]) -> dict[str, np.ndarray]:
    world = lesson("stories")[0]

    def right(found: Found) -> float:
        return float(found.rollout is not None and is_right(world, found.rollout))

    return {
        f"{way}/right": np.array([[right(f) for f in column] for column in columns]).T,
        f"{way}/flops": np.array([[f.ledger.flops for f in column] for column in columns]).T,
    }


def parts(policy, judge, problems: Sequence[Problem], price: float) -> dict[str, Callable]:
    """Every part of the record: "seed/name" to what computes {"way/what": array}."""
    given, out = (policy, judge, problems), {}
    for seed in SEEDS:
        out[f"{seed}/sampled"] = partial(sampled, *given, seed)
        out[f"{seed}/mcts"] = partial(tree_search, *given, seed, price)
        for name in BEAMS:
            out[f"{seed}/{name}"] = partial(beams, *given, seed, name)
    return out


def main(argv: list[str] | None = None) -> None:
    """Search what is missing and write data/results/story_search.json and .safetensors."""
    from safetensors.numpy import load_file

    parser = argparse.ArgumentParser(prog="o1lab story_search", description=main.__doc__)
    parser.add_argument("--problems", type=int, default=300, help="held-out stories")
    parser.add_argument("--work", type=Path, default=Path("build/story_search"))
    parser.add_argument("--out", type=Path, default=data_dir() / "results")
    args = parser.parse_args(argv)
    folder = args.work / str(args.problems)
    policy, judge = load(POLICY), load_reward_model(VALUE)
    problems = exam("stories", args.problems, seed=7)
    first = think_all(policy, problems, 1, max_new_tokens=LENGTH, seed=199)
    price = float(np.mean([group[0].flops for group in first]))
    arrays = {}
    for name, make in parts(policy, judge, problems, price).items():
        path = folder / f"{name}.safetensors"
        if not path.exists():
            save_arrays(path, {key: np.ascontiguousarray(rows) for key, rows in make().items()})
            print(name, flush=True)
        seed = name.partition("/")[0]
        arrays |= {f"{seed}/{key}": rows for key, rows in load_file(path).items()}
    record = {"command": f"{COMMAND} --problems {args.problems}", "date": date.today().isoformat()}
    record |= {"device": str(describe()), "policy": POLICY, "value": VALUE, "seeds": SEEDS}
    record |= {"problems": len(problems), "rollout flops": price, "budgets": BUDGETS}
    record |= {"sizes": sizes_of(N), "beams": list(BEAMS), "choices": CHOICES}
    save_arrays(args.out / "story_search.safetensors", arrays)
    save(args.out / "story_search.json", record)
