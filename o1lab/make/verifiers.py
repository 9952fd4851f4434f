"""The verifiers of lesson 03: on which of the same practice rollouts, and by which labels.

Leaves out what they are worth (`ladder`) and how good the labels are (`labelling`).
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from o1lab.model.rollouts import Rollout
from o1lab.rewards.labels import Labels, exact_labels, monte_carlo_labels, noisy_labels
from o1lab.tasks import task

POLICY, WORLD = "stories-cot", "stories"
SEEN = (2, 3, 4, 5, 6)  # depths of the practice problems
EACH = 8  # rollouts of each
AFTER = "masked"  # steps after a wrong one carry no label, in training and in evaluation
CORE_SEEDS = (0, 1, 2)
SIDE_SEEDS = (0, 3, 4)  # of side arms that carry a claim
STARTS = ("expecting", "checker")  # made by `checker`, once for all arms


START = "checker"


@dataclass(frozen=True)
class Arm:
    """One verifier: its kind, its share of the practice problems, its labels, its start.

    labels: "exact", "shuffled", "hard" or "soft" (Monte-Carlo), or "noisy" at a rate.
    start: one of STARTS, the policy's bare weights, or a size whose weights are random.
    tuned: False leaves the start as it is, and reads no rollout.
    """

    name: str
    kind: str
    note: str
    share: float = 1.0
    labels: str = "exact"
    rate: float = 0.0
    start: str = START
    seeds: tuple[int, ...] = (0,)
    tuned: bool = True


ARMS = (
    Arm("prm", "prm", "exact step labels", seeds=CORE_SEEDS),
    Arm("orm", "orm", "outcome labels of the same rollouts", seeds=CORE_SEEDS),
    Arm(
        "prm equal labels",
        "prm",
        "as many step labels as the ORM has outcomes",
        0.2,
        seeds=SIDE_SEEDS,
    ),
    Arm("prm 1/4", "prm", "a quarter of the rollouts", 1 / 4),
    Arm("prm 1/16", "prm", "a sixteenth of the rollouts", 1 / 16),
    Arm("orm 1/4", "orm", "a quarter of the rollouts", 1 / 4),
    Arm("orm 1/16", "orm", "a sixteenth of the rollouts", 1 / 16),
    *[
        Arm(
            f"prm noise {rate:.0%}",
            "prm",
            f"{rate:.0%} of labels flipped",
            1 / 2,
            "noisy",
            rate,
            seeds=SIDE_SEEDS,
        )
        for rate in (0.0, 0.1, 0.2, 0.3, 0.4)
    ],
    Arm("prm mc hard 4", "prm", "Monte-Carlo, any of 4 right", 1 / 4, "hard"),
    Arm("prm mc soft 4", "prm", "Monte-Carlo, share of 4 right", 1 / 4, "soft"),
    Arm("prm shuffled", "prm", "placebo: labels of other steps", 1 / 4, "shuffled"),
    Arm("checks", "prm", "a million checked steps, none of this policy's", tuned=False),
    Arm("prm unchecked", "prm", "layers that knew only what is likely", start="expecting"),
    Arm("orm unchecked", "orm", "layers that knew only what is likely", start="expecting"),
    Arm("prm plain", "prm", "the policy's own layers, none on top", start=POLICY, seeds=SIDE_SEEDS),
    Arm("prm small", "prm", "a tenth of the parameters, random start", start="xs"),
    Arm("prm from scratch", "prm", "random start: no sums, no stories", start="m"),
)


def practice(problems: int, policy=None, seed: int = 31) -> list[Rollout]:
    """EACH rollouts of so many train problems, in an order that mixes the depths.

    policy: POLICY unless another is given.
    """
    from o1lab.model.checkpoints import load, think_all

    rng, world = random.Random("ladder practice"), task(WORLD)
    asked = [world.problem(rng, rng.choice(SEEN)) for _ in range(problems)]
    policy = policy or load(POLICY)
    groups = think_all(policy, asked, n=EACH, max_new_tokens=200, seed=seed, progress=True)
    return [rollout for group in groups for rollout in group]


def labels_of(arm: Arm, rollouts: Sequence[Rollout]) -> Labels:
    """The arm's step labels of these rollouts."""
    from o1lab.model.checkpoints import load
    from o1lab.rewards.completions import Completer

    world = task(WORLD)
    if arm.labels in ("hard", "soft"):
        completer = Completer(load(POLICY), world, n=4, max_new_tokens=200, seed=57, progress=True)
        return monte_carlo_labels(completer, rollouts, arm.labels)
    exact = exact_labels(world, rollouts, AFTER)
    if arm.labels == "noisy":
        return noisy_labels(exact, rollouts, arm.rate)
    return shuffled(exact) if arm.labels == "shuffled" else exact


def shuffled(labels: Labels, seed: int = 0) -> Labels:
    """The same labels in a random order over all steps: what says nothing teaches nothing."""
    pool = [label for row in labels.rows for label in row]
    random.Random(seed).shuffle(pool)
    drawn = iter(pool)
    return replace(
        labels, name="shuffled", rows=[[next(drawn) for _ in row] for row in labels.rows]
    )


def start(name: str, seed: int, folder: Path):
    """What an arm's training begins with; those of STARTS are made in `folder` where missing."""
    from o1lab.make import checker
    from o1lab.model.checkpoints import Policy, load, save
    from o1lab.model.network import tiny_policy
    from o1lab.rewards.models import load_reward_model

    if name not in STARTS:
        policy = load(POLICY)
        return (
            policy
            if name == POLICY
            else Policy(tiny_policy(name, seed), policy.tokenizer, f"random {name}")
        )
    if not (folder / name / "recipe.json").exists():
        training = folder / f"{name}-training"
        if name == "expecting":
            made = checker.expecting(POLICY, training)
        else:
            made = checker.checker(start("expecting", seed, folder), training)
        save(made, folder / name)
    return load_reward_model(folder / name)


def build(arm: Arm, rollouts: Sequence[Rollout], seed: int, starts: Path, folder=None):
    """Train the arm's verifier on its share of these rollouts; its first problems, all of EACH.

    starts: the folder of `start`.
    """
    from o1lab.rewards.models import ORM, PRM, outcomes, train_orm, train_prm
    from o1lab.rewards.screen import screen

    begin = start(arm.start, seed, starts)
    if not arm.tuned:
        return begin
    part = rollouts[: round(len(rollouts) * arm.share / EACH) * EACH]
    part = screen(part, context=1024, allow=("unclosed thought", "no answer")).kept
    recipe = PRM if arm.kind == "prm" else ORM
    updates = max(1, round(len(part) / recipe.rows))
    recipe = replace(recipe, config=replace(recipe.config, steps=updates, seed=seed))
    if arm.kind == "orm":
        return train_orm(begin, part, outcomes(task(WORLD), part), recipe, folder)
    return train_prm(begin, part, labels_of(arm, part), recipe, folder)
