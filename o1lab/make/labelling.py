"""Lesson 03's labels without a teacher: Monte-Carlo against exact, and dead ends in Countdown.

Recorded by `python -m o1lab labelling`. Leaves out which verifier the labels make (`ladder`).
"""

import argparse
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

import numpy as np

from o1lab.make.arms import save
from o1lab.make.verifiers import POLICY, WORLD, practice
from o1lab.measure.calibration import brier
from o1lab.measure.hardware import describe
from o1lab.measure.ranking import auroc, auroc_by_problem
from o1lab.model.rollouts import Rollout
from o1lab.paths import data_dir
from o1lab.rewards.completions import Completer, step_values
from o1lab.rewards.labels import Labels, exact_labels, omega_labels, value_labels
from o1lab.tasks import task
from o1lab.tasks.lessons import lesson

PLAN = ((4, 8000), (16, 2000), (64, 300))  # completions a prefix, traces
AFTER = "negative"  # after a wrong step nothing can be trusted: what completions should find
COMMAND = "python -m o1lab labelling"


def quality(labels: Labels, exact: Sequence, kinds: Sequence[str]) -> dict:
    """How labels differ from exact ones: rates of false right and false wrong, AUROC, cost.

    exact: rows of 0 and 1. kinds: for each trace the kind of its first mistake, "" if none;
    "false positive rate by kind" is read on first wrong steps alone.
    """
    ours, truth = np.concatenate(labels.rows), np.concatenate(exact) > 0.5
    said = ours > (0 if "hard" in labels.name else 0.5)
    by_kind: dict[str, list[bool]] = {}
    for row, true, kind in zip(labels.rows, exact, kinds, strict=True):
        if kind:
            by_kind.setdefault(kind, []).append(row[list(true).index(0)] > 0)
    return {
        "false positive rate": float(said[~truth].mean()),
        "false negative rate": float((~said)[truth].mean()),
        "auroc": auroc(ours, truth),
        "steps": len(truth),
        "right steps": float(truth.mean()),
        "false positive rate by kind": {
            kind: [float(np.mean(found)), len(found)] for kind, found in by_kind.items()
        },
        "completions": labels.completions,
        "flops": asdict(labels.ledger)["policy_flops"],
    }


def first_kinds(world, rollouts: Sequence[Rollout]) -> list[str]:
    """For each trace the kind of its first mistake, "" where every step is right."""
    verdicts = [world.verdicts(r.problem, world.steps(r.thoughts or "")) for r in rollouts]
    return [next((v.kind for v in row if not v.ok), "") for row in verdicts]


def monte_carlo(rollouts: list[Rollout], plan: Sequence[tuple[int, int]]) -> list[dict]:
    """One row for each n = 1, 2, 4 … of each part of the plan, hard and soft."""
    from o1lab.model.checkpoints import load

    world, rows = task(WORLD), []
    for most, traces in plan:
        part = rollouts[:traces]
        exact, kinds = exact_labels(world, part, AFTER).rows, first_kinds(world, part)
        completer = Completer(load(POLICY), world, most, 200, seed=61, progress=True)
        values = step_values(completer, part)
        for n in [2**i for i in range(most.bit_length())]:
            for kind in ("hard", "soft"):
                found = quality(value_labels(values, kind, n), exact, kinds)
                rows.append({"n": n, "of": most, "traces": len(part), "kind": kind} | found)
    return rows


def omega(rollouts: list[Rollout], n: int) -> dict:
    """OmegaPRM's search on these traces, beside Monte-Carlo on every step of the same traces."""
    from o1lab.model.checkpoints import load

    world = task(WORLD)
    completer = Completer(load(POLICY), world, n, 200, seed=67, progress=True)
    exact, kinds = exact_labels(world, rollouts, AFTER).rows, first_kinds(world, rollouts)
    found = {
        "search": quality(omega_labels(completer, rollouts, AFTER), exact, kinds),
        "every step": quality(value_labels(step_values(completer, rollouts), "hard"), exact, kinds),
    }
    return {"n": n, "traces": len(rollouts)} | found


def dead_ends(problems: int, held: int, n: int) -> dict:
    """A PRM that says from a prefix whether a Countdown target can still be reached.

    Beside: the share of n completions that reach it, and always saying the base rate.
    """
    from o1lab.model.checkpoints import load, think_all
    from o1lab.rewards.models import PRM, train_prm

    world, numbers = lesson("countdown")
    policy, rng = load("countdown-cot"), random.Random("dead ends")
    parts = []
    for count, split in ((problems, "train"), (held, "test")):
        asked = [world.problem(rng, numbers, split) for _ in range(count)]
        groups = think_all(policy, asked, n=8, max_new_tokens=120, seed=71, progress=True)
        parts.append(
            [legal_part(world, r) for group in groups for r in group if legal_part(world, r)]
        )
    kept, tested = parts
    steps = max(1, round(len(kept) / PRM.rows))
    recipe = replace(PRM, config=replace(PRM.config, steps=steps))
    model = train_prm(policy, kept, exact_labels(world, kept, "kept"), recipe)
    values = step_values(Completer(policy, world, n, 120, seed=73, progress=True), tested)
    shares = [[count / n for count in row] for row in values.right()]
    found = by_numbers_left(world, tested, {"prm": model(tested), f"monte carlo {n}": shares})
    cost = {"prm": model.ledger.verifier_flops, f"monte carlo {n}": values.ledger().policy_flops}
    training = model.recipe["training"]
    return {
        "rollouts": len(kept),
        "tested": len(tested),
        "flops": cost,
        "training": training,
    } | found


def legal_part(world, rollout: Rollout) -> Rollout | None:
    """The rollout cut before its first step that is wrong otherwise than by a dead end.

    Its last step too is left out: with one number left there is nothing to predict.
    """
    steps = world.steps(rollout.thoughts or "")
    verdicts = world.verdicts(rollout.problem, steps)
    good = next(
        (i for i, v in enumerate(verdicts) if not v.ok and v.kind != "dead end"), len(steps)
    )
    good = min(good, rollout.problem.difficulty - 2)
    if not good:
        return None
    end = rollout.step_ends[good - 1]
    text = "".join(f"{step}\n" for step in steps[:good])
    return replace(
        rollout,
        ids=rollout.ids[:end],
        logprobs=rollout.logprobs[:end],
        step_ends=rollout.step_ends[:good],
        text=f"<think>\n{text}",
        finished=False,
    )


def by_numbers_left(world, tested: list[Rollout], scorers: dict[str, list]) -> dict:
    """AUROC (pooled and within a problem) and Brier score at each count of numbers left."""
    truth = exact_labels(world, tested, "kept").rows
    names = {r.problem.prompt: i for i, r in enumerate(tested)}
    out: dict = {"auroc": {}, "within auroc": {}, "brier": {}, "alive": {}, "prefixes": {}}
    for place in range(max(map(len, truth))):
        rows = [i for i, row in enumerate(truth) if len(row) > place]
        right = np.array([truth[i][place] for i in rows])
        problem = [names[tested[i].problem.prompt] for i in rows]
        left = str(tested[0].problem.difficulty - 1 - place)
        out["alive"][left], out["prefixes"][left] = float(right.mean()), len(rows)
        out["brier"][left] = {"base rate": brier(np.full(len(rows), right.mean()), right)}
        out["auroc"][left], out["within auroc"][left] = {}, {}
        for name, scores in scores_at(scorers, rows, place).items():
            out["auroc"][left][name] = auroc(scores, right)
            within = auroc_by_problem(scores, right, problem)
            out["within auroc"][left][name] = float(np.nanmean(within))
            out["brier"][left][name] = brier(scores, right)
    return out


def scores_at(scorers: dict[str, list], rows: Sequence[int], place: int) -> dict[str, np.ndarray]:
    """Each scorer's scores of step `place` of these rollouts."""
    return {name: np.array([found[i][place] for i in rows]) for name, found in scorers.items()}


def main(argv: list[str] | None = None) -> None:
    """Measure the labels and write data/results/labelling.json."""
    parser = argparse.ArgumentParser(prog="o1lab labelling", description=main.__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of the traces, for a quick look")
    parser.add_argument("--out", type=Path, default=data_dir() / "results")
    args = parser.parse_args(argv)
    plan = [(n, max(8, round(traces * args.share))) for n, traces in PLAN]
    rollouts = practice(-(-max(traces for _, traces in plan) // 8))
    rollouts = [r for r in rollouts if r.step_ends and r.answer is not None]
    record = {"command": f"{COMMAND} --share {args.share}", "date": date.today().isoformat()}
    record |= {"device": str(describe()), "rows": monte_carlo(rollouts, plan)}
    record["omega"] = omega(rollouts[: max(8, round(1000 * args.share))], 8)
    sizes = [max(8, round(size * args.share)) for size in (2000, 400)]
    record["countdown"] = dead_ends(*sizes, 16)
    save(args.out / "labelling.json", record)
