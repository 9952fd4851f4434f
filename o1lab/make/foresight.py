"""Lesson 05's learned value: from a beginning of a Countdown thought, can it still succeed?

Trained by `python -m o1lab foresight` on random beginnings that the solver has labelled, token by
token; no policy is asked, and no state of a test puzzle is shown. Leaves out what searches make of
it (`searching`).
"""

import argparse
import random
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path

from o1lab.make import chances, goals
from o1lab.model.batches import Example
from o1lab.model.settings import TrainConfig
from o1lab.model.tokens import build_tokenizer
from o1lab.rewards.models import RewardModel, token_classifier
from o1lab.tasks import task
from o1lab.tasks.base import END_THINK, Problem, write_completion
from o1lab.tasks.countdown import left_of, write_solution
from o1lab.tasks.countdown_solver import Move, State, after, moves, reachable
from o1lab.tasks.countdown_splits import is_reserved

POLICY = "countdown-cot"
POLICIES = {"cot": "countdown-cot", "ppo": "countdown-ppo"}  # that `searching` leads with it
NUMBERS = (3, 4, 4, 5, 5, 6)  # of a puzzle, drawn evenly
EACH = 8  # beginnings of a puzzle: a large one takes long to solve
LIVING = 0.6  # chance that a move keeps the target in reach, where there are both kinds
LAYERS, TOKENS = 2, 4096  # on top of the policy's; an update
TESTED = 150  # held-out puzzles of a size, 4 rollouts of the policy each
CONFIG = TrainConfig(
    3000, learning_rate=3e-3, decay=0.5, optimizer="muon", tokens_per_batch=2048, seed=3
)


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
    """A beginning as an example: every token of a step says whether the state after it lives.

    The last token of a step has the columns of `goals` too.
    """
    tokenizer = build_tokenizer()
    steps, alive = beginning(problem, rng)
    read = tokenizer.encode(problem.prompt)
    ids, label, weight = list(read), [0.0] * len(read), [0.0] * len(read)
    others = [[0.0] * len(goals.COLUMNS) for _ in read]
    for count in range(len(steps) + 1):
        text = write_completion(steps[:count], "").partition(END_THINK)[0]
        more = tokenizer.encode(text)[len(ids) - len(read) :]
        ids += more
        label += [float(alive[count - 1]) if count else 0.0] * len(more)
        weight += [float(count > 0)] * len(more)
        others += [[0.0] * len(goals.COLUMNS) for _ in more]
        if count:
            others[-1] = goals.labels(left_of(steps[count - 1]))
    columns = dict(zip(goals.COLUMNS, map(list, zip(*others, strict=True)), strict=True))
    return Example(ids, weight, {"label": label, **columns})


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
    goals.attach(model)
    done = train(model, stream(TOKENS, config.seed), config, folder, goals.loss)
    del model.goals
    facts = {"kind": "prm", "start": POLICY, "config": asdict(config)}
    facts["training"] = {"tokens": done.tokens, "flops": done.flops, "seconds": done.seconds}
    return RewardModel(model, policy.tokenizer, "prm", "countdown-prm", facts)


def measured(value: RewardModel, problems: int = TESTED) -> dict:
    """{numbers of a puzzle: {numbers left: {"auroc", "within auroc", "alive"}}}, held out.

    On what the policy itself writes at the temperature of a search, up to its first slip.
    """
    from o1lab.make.labelling import by_numbers_left, legal_part
    from o1lab.model.checkpoints import load, think_all
    from o1lab.tasks.lessons import exam

    world, policy, out = task("countdown"), load(POLICY), {}
    for numbers in (4, 5, 6):
        asked = exam("countdown", problems, numbers, seed=5)
        groups = think_all(policy, asked, 4, temperature=0.7, max_new_tokens=130, seed=71)
        kept = [legal_part(world, r) for group in groups for r in group]
        kept = [r for r in kept if r]
        found = by_numbers_left(world, kept, {"prm": value(kept)})
        out[str(numbers)] = {
            left: {key: found[key][left]["prm"] for key in ("auroc", "within auroc")}
            | {"alive": found["alive"][left], "prefixes": found["prefixes"][left]}
            for left in found["auroc"]
        }
    return out


def main(argv: list[str] | None = None) -> None:
    """Train the value and put it into data/verifiers/countdown-prm, with how well it ranks."""
    from o1lab.measure.hardware import describe
    from o1lab.model.checkpoints import load, save
    from o1lab.paths import data_dir

    parser = argparse.ArgumentParser(prog="o1lab foresight", description=main.__doc__)
    parser.add_argument("--updates", type=int, default=CONFIG.steps)
    parser.add_argument("--work", type=Path, default=Path("build/foresight"))
    parser.add_argument("--out", type=Path, default=data_dir() / "verifiers")
    args = parser.parse_args(argv)
    value = build(args.work / str(args.updates), replace(CONFIG, steps=args.updates))
    known = {"command": f"python -m o1lab foresight --updates {args.updates}"}
    known |= {"date": date.today().isoformat(), "device": str(describe())}
    value.recipe |= known | {"measured": measured(value)}
    value.recipe["chances"] = {
        name: chances.fit(value, load(policy)) for name, policy in POLICIES.items()
    }
    save(value, args.out / "countdown-prm")
