"""Lesson 04's runs: one policy, one budget, several rewards and several ways to learn from them.

Recorded by `python -m o1lab reinforce`; resumable, a run at a time and inside each run. Leaves out
what the lesson reads out of the record (`lesson04`).
"""

import argparse
import json
import time
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from o1lab.make.arms import save
from o1lab.make.sharpness import LENGTH, sharpened
from o1lab.measure.hardware import describe
from o1lab.paths import data_dir
from o1lab.rl.settings import RLConfig
from o1lab.tasks.lessons import exam, lesson

SEEDS = (0, 1, 2)
PROMPTS = 64  # problems an iteration
WATCHED, TWICE = 150, 2  # held-out problems looked at during a run, and rollouts of each
TESTED, TIMES = 400, 4  # held-out problems of the end, and rollouts of each at a temperature
TEMPERATURES = (0.0, 0.3, 0.5, 0.7, 1.0)
LOOKS = 12  # at held-out problems during a run
# Iterations for the FLOPs of one of PPO, and what the others do for them (measured: `spent`):
PER_PPO = {"grpo": 1.9, "process": 1.9}
UPDATES, FRESH = 11.3, 21  # updates of more tuning; problems a round of expert iteration
KEPT = (
    "step", "flops", "seconds", "pass@1", "proxy", "true", "kl", "entropy", "clip_fraction",
    "explained_variance", "length", "zero_variance", "rollout_seconds", "score_seconds",
    "look_seconds", "update_seconds", "right", "kept",
)  # fmt: skip
COMMAND = "python -m o1lab reinforce"


@dataclass(frozen=True)
class Arm:
    """One way to learn. way: "ppo", "grpo", "process" (GRPO's), "expert" or "sft".

    reward: "exact" (outcome and exact steps), "outcome", "placebo", or a form of the learned PRM.
    beta: the leash, where it is not the way's own. length: of its budget, in the others' budgets.
    """

    name: str
    way: str
    reward: str
    note: str
    worlds: tuple[str, ...] = ("stories",)
    beta: float | None = None
    length: float = 1.0
    seeds: tuple[int, ...] = SEEDS


BOTH = ("stories", "countdown")
ARMS = (
    Arm("ppo process", "ppo", "exact", "outcome and the first wrong step, both exact", BOTH),
    Arm("ppo outcome", "ppo", "outcome", "only whether the answer is right", BOTH),
    Arm("grpo outcome", "grpo", "outcome", "the same reward, no critic", BOTH),
    Arm("grpo process", "process", "exact", "DeepSeekMath's process supervision, exact steps"),
    Arm("ppo prm", "ppo", "difference", "the learned PRM alone, each step by what it adds"),
    Arm("ppo prm summed", "ppo", "sum", "the learned PRM alone, each step by its score"),
    Arm(
        "ppo prm summed, leashed",
        "ppo",
        "sum",
        "the same on a leash ten times as short",
        beta=0.5,
        seeds=(0,),  # to look at; no claim is about it
    ),
    Arm("ppo placebo", "ppo", "placebo", "a coin thrown once for each text"),
    Arm("expert iteration", "expert", "outcome", "fine-tuned on its own right rollouts"),
    Arm("more tuning", "sft", "none", "more worked solutions, no reward"),
    Arm("ppo process, longer", "ppo", "exact", "the first arm, four budgets", BOTH, length=4.0),
)

LONGEST = max(ARMS, key=lambda arm: arm.length)  # the policy that is shipped, and looked into


def settings(arm: Arm, world: str, iterations: int, seed: int) -> RLConfig:
    """The RL settings of an arm whose budget is PPO's of that many iterations: 256 samples each."""
    from o1lab.rl.grpo import GRPO, PROCESS
    from o1lab.rl.ppo import PPO

    start = {"ppo": PPO, "grpo": GRPO, "process": PROCESS}[arm.way]
    count = max(1, round(iterations * arm.length * PER_PPO.get(arm.way, 1.0)))
    changes = {"max_new_tokens": LENGTH[world], "seed": seed, "iterations": count, "epochs": 1}
    changes |= {"bf16": "auto", "eval_every": max(1, count // LOOKS), "tokens_per_batch": 4096}
    changes |= {"optimizer": "muon", "learning_rate": 4e-4}
    if arm.way == "ppo":
        changes |= {"critic": "separate", "critic_rate": 3.0, "value_coefficient": 1.0}
    if arm.beta is not None:
        changes["beta"] = arm.beta
    return replace(start, **changes)


def reward(arm: Arm, world):
    """The reward of an arm, from named parts."""
    from o1lab.rewards.base import ExactScorer
    from o1lab.rewards.models import load_reward_model
    from o1lab.rl.rewards import Reward, outcome, placebo, steps

    if arm.reward == "exact":
        form = "sum" if arm.way == "process" else "min"
        return Reward(world, (outcome(world), steps(ExactScorer(world), form)))
    if arm.reward == "outcome":
        return Reward(world, (outcome(world),))
    if arm.reward == "placebo":
        return Reward(world, (placebo(),))
    judge = load_reward_model(f"{world.name}-prm")
    return Reward(world, (steps(judge, arm.reward),))


def run(world: str, arm: Arm, seed: int, iterations: int, folder: Path) -> dict:
    """Train one policy, resuming what `folder` holds; its curve, its cost, its exam."""
    from o1lab.model.checkpoints import load
    from o1lab.model.checkpoints import save as save_model
    from o1lab.rl.metrics import held_out

    policy, task = load(f"{world}-cot"), lesson(world)[0]
    watched = exam(world, WATCHED, seed=3)
    evaluate = held_out(policy, task, watched, LENGTH[world], n=TWICE)
    learn = {"expert": _expert, "sft": _more_tuning}.get(arm.way, _reinforce)
    began = time.perf_counter()
    records, flops = learn(policy, world, arm, seed, iterations, folder / "training", evaluate)
    save_model(policy, folder / "model")
    return {
        "world": world,
        "arm": arm.name,
        "seed": seed,
        "flops": flops,
        "seconds": round(time.perf_counter() - began, 1),
        "curve": [{key: r[key] for key in KEPT if key in r} for r in records],
        "exam": examined(policy, world),
    }


def examined(policy, world: str) -> dict[str, list[int]]:
    """At each temperature, how many of TIMES rollouts of each held-out problem are right."""
    from o1lab.model.checkpoints import think_all
    from o1lab.rewards.base import is_right

    task, problems, found = lesson(world)[0], exam(world, TESTED, seed=4), {}
    for heat in TEMPERATURES:
        n = TIMES if heat else 1
        groups = think_all(policy, problems, n, temperature=heat, seed=5,
                           max_new_tokens=LENGTH[world])  # fmt: skip
        found[str(heat)] = [sum(is_right(task, r) for r in group) * TIMES // n for group in groups]
    return found


def _reinforce(policy, world, arm, seed, iterations, folder, evaluate) -> tuple[list, dict]:
    from o1lab.rl.experience import drawn
    from o1lab.rl.loop import learn

    task, difficulty = lesson(world)
    config = settings(arm, world, iterations, seed)
    problems = drawn(task, difficulty, PROMPTS * 4 // config.rollouts, seed)
    done = learn(policy, problems, reward(arm, task), config, folder, evaluate)
    return done.records, done.flops


def _expert(policy, world, arm, seed, iterations, folder, evaluate) -> tuple[list, dict]:
    from o1lab.model.settings import TrainConfig
    from o1lab.rl.experience import drawn
    from o1lab.rl.rounds import ExpertConfig, Sampling, expert_iteration

    task, difficulty = lesson(world)
    per_round = max(1, round(FRESH * iterations))
    training = TrainConfig(max(1, per_round // 10), 1e-3, 0.05, 0.6, optimizer="muon", seed=seed)
    sampling = Sampling(8, LENGTH[world], seed=seed)
    config = ExpertConfig(training, rounds=3, sampling=sampling)
    problems = drawn(task, difficulty, per_round, seed)
    first = {"step": 0, "flops": 0.0, **evaluate(policy.model)}
    records = expert_iteration(policy, problems, task, config, folder, evaluate)
    records = [first, *({"step": r["round"] + 1} | r for r in records)]
    return records, {"all": records[-1]["flops"]}


def _more_tuning(policy, world, arm, seed, iterations, folder, evaluate) -> tuple[list, dict]:
    from o1lab.make import corpus
    from o1lab.model.settings import TrainConfig
    from o1lab.model.train import train

    task, difficulty = lesson(world)
    examples = corpus.stream(((corpus.thought(task, ((difficulty, 1),)), 1),), 4096, 2000 + seed)
    updates = LOOKS * max(1, round(UPDATES * iterations / LOOKS))
    config = TrainConfig(updates, 1e-3, 0.05, 0.6, optimizer="muon", seed=seed,
                         eval_every=updates // LOOKS)  # fmt: skip
    first = {"step": 0, "flops": 0.0, **evaluate(policy.model)}
    done = train(policy.model, examples, config, folder, evaluate=evaluate)
    return [first, *done.records], {"all": done.flops}


def cells(worlds: tuple[str, ...] = BOTH) -> list[tuple[str, Arm, int]]:
    """(world, arm, seed) of every run, all arms' first seeds before the others."""
    found = [(w, arm, s) for w in worlds for arm in ARMS if w in arm.worlds for s in arm.seeds]
    return sorted(found, key=lambda cell: cell[2])


def main(argv: list[str] | None = None) -> None:
    """Run what is missing and write data/results/reinforce.json."""
    from o1lab.model.checkpoints import load

    parser = argparse.ArgumentParser(prog="o1lab reinforce", description=main.__doc__)
    parser.add_argument("--iterations", type=int, default=45, help="of PPO, 256 samples each")
    parser.add_argument("--work", type=Path, default=Path("build/reinforce"))
    parser.add_argument("--out", type=Path, default=data_dir() / "results")
    args = parser.parse_args(argv)
    work = args.work / str(args.iterations)
    paths = {cell: work / _name(*cell) / "done.json" for cell in cells()}
    for (world, arm, seed), path in paths.items():
        if not path.exists():
            save(path, run(world, arm, seed, args.iterations, path.parent))
    parts = {f"{world}-start": lambda w=world: examined(load(f"{w}-cot"), w) for world in BOTH}
    longest = work / _name("stories", LONGEST, 0) / "model"
    parts["stories-coverage"] = lambda: sharpened("stories", longest)
    extra: dict[str, dict] = {}
    for name, make in parts.items():
        path = work / f"{name}.json"
        if not path.exists():
            save(path, make())
        world, part = name.split("-")
        extra.setdefault(part, {})[world] = json.loads(path.read_text())
    record = {"command": f"{COMMAND} --iterations {args.iterations}"}
    record |= {"date": date.today().isoformat(), "device": str(describe())}
    record |= {"temperatures": TEMPERATURES, "times": TIMES, **extra}
    record |= {"runs": [json.loads(path.read_text()) for path in paths.values()]}
    save(args.out / "reinforce.json", record)
    ship(work, args.out.parent / "checkpoints", record)


def ship(work: Path, out: Path, record: dict) -> None:
    """The long run's first seed of each world as `<world>-ppo`; its exam is the saved file's."""
    from o1lab.make.lesson04 import minutes
    from o1lab.model.checkpoints import load
    from o1lab.model.checkpoints import save as save_model

    for world in BOTH:
        folder = work / _name(world, LONGEST, 0)
        policy, done = load(folder / "model"), json.loads((folder / "done.json").read_text())
        known = {key: record[key] for key in ("command", "date", "device")}
        known |= {"start": f"{world}-cot", "arm": LONGEST.name, "note": LONGEST.note, "seed": 0}
        known |= {"flops": sum(done["flops"].values()), "minutes": round(minutes(done), 1)}
        exams = {t: sum(row) / len(row) / TIMES for t, row in examined(policy, world).items()}
        policy.recipe = known | {"measured": {"pass@1 by temperature": exams}}
        save_model(policy, out / f"{world}-ppo")


def _name(world: str, arm: Arm, seed: int) -> str:
    return f"{world}-{arm.name.replace(', ', '-').replace(' ', '-')}-{seed}"
