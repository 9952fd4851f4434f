"""Lesson 05's learned value: from a beginning of a Countdown thought, can it still succeed?

Learned from random beginnings that the solver has labelled, token by token; no policy is asked,
and no state of a test puzzle is shown. Leaves out what searches make of it (`paid_search`).
"""

import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from o1lab.model.batches import Example
from o1lab.model.settings import TrainConfig
from o1lab.model.tokens import build_tokenizer
from o1lab.rewards.models import RewardModel, label_loss, token_classifier
from o1lab.tasks import task
from o1lab.tasks.base import END_THINK, Problem, write_completion
from o1lab.tasks.countdown import write_solution
from o1lab.tasks.countdown_solver import Move, State, after, moves, reachable
from o1lab.tasks.countdown_splits import is_reserved

POLICY = "countdown-cot"
NUMBERS = (3, 4, 4, 5, 5, 6)  # of a puzzle, drawn evenly
EACH = 8  # beginnings of a puzzle: a large one takes long to solve
LIVING = 0.6  # chance that a move keeps the target in reach, where there are both kinds
LAYERS, TOKENS = 2, 4096  # on top of the policy's; an update
CONFIG = TrainConfig(4000, learning_rate=3e-3, decay=0.5, optimizer="muon", seed=3)


def beginning(problem: Problem, rng: random.Random) -> tuple[list[str], list[bool]]:
    """Steps of a random legal play, the last one or two left out, and after which it lives."""
    given, target = problem.data
    state, played, alive = tuple(sorted(given)), [], []
    while len(state) > 2:
        chosen = _move(state, target, rng, not alive or alive[-1])
        if chosen is None:
            break
        state = after(state, chosen)
        played.append(chosen)
        alive.append(reachable(state, target))
    return write_solution(given, played)[0], alive


def _move(state: State, target: int, rng: random.Random, living: bool) -> Move | None:
    """A move that keeps off the states of test puzzles; None where there is none.

    In a living state it is one that lives on with the chance LIVING.
    """
    wanted = living and rng.random() < LIVING
    choices = list(moves(state))
    rng.shuffle(choices)
    spare = None
    for move in choices:
        new = after(state, move)
        if len(new) > 2 and is_reserved(new, target):
            continue
        if not living or reachable(new, target) == wanted:
            return move
        spare = spare or move
    return spare


def document(problem: Problem, rng: random.Random) -> Example:
    """A beginning as an example: every token of a step says whether the state after it lives."""
    tokenizer = build_tokenizer()
    steps, alive = beginning(problem, rng)
    read = tokenizer.encode(problem.prompt)
    ids, label, weight = list(read), [0.0] * len(read), [0.0] * len(read)
    for count in range(len(steps) + 1):
        text = write_completion(steps[:count], "").partition(END_THINK)[0]
        more = tokenizer.encode(text)[len(ids) - len(read) :]
        ids += more
        label += [float(alive[count - 1]) if count else 0.0] * len(more)
        weight += [float(count > 0)] * len(more)
    return Example(ids, weight, {"label": label})


def stream(tokens: int, seed: int) -> Callable[[int], list[Example]]:
    """`examples(step)` for the training loop: at least `tokens` tokens, EACH of a puzzle."""
    world = task("countdown")

    def examples(step: int) -> list[Example]:
        rng, out, total = random.Random(f"foresight {seed} {step}"), [], 0
        while total < tokens:
            problem = world.problem(rng, rng.choice(NUMBERS))
            fresh = [document(problem, rng) for _ in range(EACH)]
            out += fresh
            total += sum(len(example.ids) for example in fresh)
        return out

    return examples


def build(folder: Path | None = None, config: TrainConfig = CONFIG, size: int = LAYERS):
    """Train the value, resuming what `folder` holds. size: layers on top of the policy's."""
    from o1lab.model.checkpoints import load
    from o1lab.model.train import train

    policy = load(POLICY)
    model = token_classifier(policy, size)
    done = train(model, stream(TOKENS, config.seed), config, folder, label_loss)
    facts = {"kind": "prm", "start": POLICY, "config": asdict(config)}
    facts["training"] = {"tokens": done.tokens, "flops": done.flops, "seconds": done.seconds}
    return RewardModel(model, policy.tokenizer, "prm", "countdown-prm", facts)
