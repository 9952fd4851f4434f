"""Lesson 02's store: many rollouts of the same held-out problems, kept as right-or-wrong bits.

Recorded by `python -m o1lab sampling`; resumable, a block of problems at a time. Leaves out what
the lesson reads out of it (`lesson02`).
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np

from o1lab.make.arms import save
from o1lab.make.exam import guess_chances
from o1lab.measure.compute import ledger_of
from o1lab.measure.hardware import describe
from o1lab.model.rollouts import Rollout
from o1lab.paths import data_dir
from o1lab.tasks.base import Problem
from o1lab.tasks.countdown import Countdown
from o1lab.tasks.countdown_solver import play_probability
from o1lab.tasks.lessons import exam, lesson

POLICIES = {"stories": "stories-cot", "countdown": "countdown-cot"}
TEMPERATURES = (0.0, 0.5, 0.7, 1.0)
LONGEST = {"stories": 220, "countdown": 80}  # new tokens
BLOCK = 20  # problems sampled at once
NO_ANSWER, OTHER = 255, 254  # codes of Stories' answers beside 0..99
COMMAND = "python -m o1lab sampling"


@dataclass(frozen=True)
class Job:
    """One part of the store: which problems of a world, how many rollouts, how hot."""

    name: str
    world: str
    problems: list[Problem]
    n: int
    temperature: float = 1.0
    seed: int = 0


def hard_problems(world: str, count: int) -> list[Problem]:
    """Chosen by the problem alone: stories two steps deeper, puzzles hardest for blind play."""
    if world == "stories":
        return exam(world, count, lesson(world)[1] + 2)
    pool = exam(world, 20 * count, seed=1)
    return sorted(pool, key=lambda p: play_probability(*p.data))[:count]


def jobs(problems: int, n: int, hard: int, hard_n: int, warm_n: int) -> list[Job]:
    """Everything the store holds. Temperature 1 has the most rollouts, greedy one a problem."""
    out = []
    for world in POLICIES:
        asked = exam(world, problems)
        out.append(Job(f"{world} lesson", world, asked, n, seed=101))
        for t in TEMPERATURES:
            out.append(Job(f"{world} at {t}", world, asked, warm_n if t else 1, t, seed=103))
        out.append(Job(f"{world} hard", world, hard_problems(world, hard), hard_n, seed=107))
    return out


def sample(job: Job, folder: Path, progress: bool = True) -> None:
    """Sample what is missing of a job, a file a block of problems."""
    from safetensors.numpy import save_file
    from tqdm.auto import tqdm

    from o1lab.model.checkpoints import load, think_all

    folder.mkdir(parents=True, exist_ok=True)
    starts = [s for s in range(0, len(job.problems), BLOCK) if not _block(folder, s).exists()]
    policy = load(POLICIES[job.world]) if starts else None
    for start in tqdm(starts, job.name, disable=not progress, unit="block"):
        asked = job.problems[start : start + BLOCK]
        how = {"temperature": job.temperature, "seed": job.seed + 1000 * start}
        groups = think_all(policy, asked, job.n, max_new_tokens=LONGEST[job.world], **how)
        fresh = _block(folder, start).with_suffix(".tmp")
        save_file(read(job.world, groups), fresh)
        fresh.replace(_block(folder, start))


def _block(folder: Path, start: int) -> Path:
    return folder / f"{start:05d}.safetensors"


def read(world: str, groups: Sequence[Sequence[Rollout]]) -> dict[str, np.ndarray]:
    """What is kept of rollouts (problems, n): right, sound (every step too), answers, cost.

    right, sound: bits packed along n. answers: codes of Stories' answers, empty for Countdown.
    distinct answers, distinct thoughts: counts a problem. tokens, flops: sums a problem.
    """
    problem_task = lesson(world)[0]
    marks = [[_marks(problem_task, r) for r in group] for group in groups]
    codes = [[_code(r.answer) for r in group] for group in groups] if world == "stories" else []
    ledgers = [ledger_of(group) for group in groups]
    return {
        "right": np.packbits([[right for right, _ in row] for row in marks], axis=1),
        "sound": np.packbits([[sound for _, sound in row] for row in marks], axis=1),
        "answers": np.array(codes, dtype=np.uint8),
        "distinct answers": np.array([len({r.answer for r in g}) for g in groups], np.int32),
        "distinct thoughts": np.array([len({r.thoughts for r in g}) for g in groups], np.int32),
        "tokens": np.array([one.generated_tokens for one in ledgers], np.int64),
        "flops": np.array([one.flops for one in ledgers]),
    }


def _marks(world, rollout: Rollout) -> tuple[bool, bool]:
    """(the answer is right, and so is every step)."""
    right = rollout.answer is not None and world.grade(rollout.problem, rollout.answer)
    if not right:
        return False, False
    verdicts = world.verdicts(rollout.problem, world.steps(rollout.thoughts or ""))
    return True, bool(verdicts) and all(verdict.ok for verdict in verdicts)


def _code(answer: str | None) -> int:
    if answer is None:
        return NO_ANSWER
    return int(answer) if answer.isdecimal() and answer.isascii() and len(answer) < 3 else OTHER


def gather(job: Job, folder: Path) -> dict[str, np.ndarray]:
    """All blocks of a job in order, as `read` gives them."""
    from safetensors.numpy import load_file

    blocks = [load_file(_block(folder, s)) for s in range(0, len(job.problems), BLOCK)]
    return {key: np.concatenate([block[key] for block in blocks]) for key in blocks[0]}


def floors(job: Job) -> list:
    """Each problem's exact chance of one blind try; in Stories a list for each of two guessers.

    Which guesser is better depends on how often it may try, so both are kept.
    """
    if job.world == "countdown":
        return [round(play_probability(*p.data), 6) for p in job.problems]
    guesses = guess_chances(lesson(job.world)[0], job.problems)
    return [[round(chance, 6) for chance in chances] for chances in guesses]


def with_floors(record: dict) -> dict:
    """The record with its floors worked out afresh from the same problems; its samples stay.

    ValueError if today's code makes other problems.
    """
    parts = dict(record["parts"])
    for job in jobs(*_sizes(parts)):
        if [p.answer for p in job.problems if job.world == "stories"] != parts[job.name]["answer"]:
            raise ValueError(f"{job.name}: the record is of other problems, sample them again")
        parts[job.name] = parts[job.name] | {"floor": floors(job)}
    done = {"command": f"{COMMAND} --floors", "date": date.today().isoformat()}
    return record | {"parts": parts, "floors recomputed": done}


def _sizes(parts: dict) -> list[int]:
    """The sizes a record was sampled with, in the order of `jobs`."""
    usual, hard, warm = (parts[f"stories {part}"] for part in ("lesson", "hard", "at 1.0"))
    return [usual["problems"], usual["n"], hard["problems"], hard["n"], warm["n"]]


def blind_rates(count: int, low: float, high: float, seed: int = 0) -> list[float]:
    """Exact success rates of random legal play on Countdown problems with rates in low..high."""
    import random

    rng, world, found = random.Random(f"blind {seed}"), Countdown(max_p=high), []
    while len(found) < count:
        rate = play_probability(*world.problem(rng, 4, "test").data)
        if rate >= low:
            found.append(rate)
    return found


def main(argv: list[str] | None = None) -> None:
    """Sample what is missing and write data/results/sampling.json and sampling.safetensors."""
    parser = argparse.ArgumentParser(prog="o1lab sampling", description=main.__doc__)
    parser.add_argument("--problems", type=int, default=500, help="of each world's lesson")
    parser.add_argument("--n", type=int, default=512, help="rollouts of each at temperature 1")
    parser.add_argument("--hard", type=int, default=60, help="hard problems of each world")
    parser.add_argument("--hard-n", type=int, default=4096, help="rollouts of each of these")
    parser.add_argument("--warm-n", type=int, default=64, help="rollouts at each temperature")
    parser.add_argument("--work", type=Path, default=Path("build/sampling"))
    parser.add_argument("--out", type=Path, default=data_dir() / "results")
    parser.add_argument("--floors", action="store_true", help="only mend the record's floors")
    args = parser.parse_args(argv)
    if args.floors:
        path = args.out / "sampling.json"
        return save(path, with_floors(json.loads(path.read_text())))
    sizes = [args.problems, args.n, args.hard, args.hard_n, args.warm_n]
    todo = jobs(*sizes)
    for job in todo:
        sample(job, args.work / "-".join([*job.name.split(), *map(str, sizes)]))
    write(todo, args, sizes)


def write(todo: list[Job], args, sizes: list[int]) -> None:
    """Gather the store into the two files of the record."""
    from safetensors.numpy import save_file

    names = ("problems", "n", "hard", "hard-n", "warm-n")
    options = " ".join(f"--{name} {size}" for name, size in zip(names, sizes, strict=True))
    record = {"command": f"{COMMAND} {options}", "date": date.today().isoformat()}
    record |= {"device": str(describe()), "parts": {}}
    arrays = {}
    for job in todo:
        found = gather(job, args.work / "-".join([*job.name.split(), *map(str, sizes)]))
        tokens, flops = int(found.pop("tokens").sum()), float(found.pop("flops").sum())
        record["parts"][job.name] = {
            "policy": POLICIES[job.world],
            "n": job.n,
            "temperature": job.temperature,
            "problems": len(job.problems),
            "difficulty": job.problems[0].difficulty,
            "floor": floors(job),
            "answer": [p.answer for p in job.problems] if job.world == "stories" else [],
            "tokens": tokens,
            "flops": flops,
        }
        arrays |= {f"{job.name}/{key}": value for key, value in found.items() if value.size}
    record["blind"] = {"natural": _natural(2000), "narrow": _narrow(2000)}
    fresh = args.out / "sampling.tmp"
    save_file(arrays, fresh)
    fresh.chmod(0o644)  # safetensors writes files for their owner only
    fresh.replace(args.out / "sampling.safetensors")
    save(args.out / "sampling.json", json.loads(json.dumps(record)))


def _natural(count: int) -> list[float]:
    """Blind play's rates on puzzles of any difficulty: a tail that reaches far down."""
    return [round(rate, 6) for rate in blind_rates(count, 0.0, 1.0)]


def _narrow(count: int) -> list[float]:
    """As many puzzles whose rates lie within a narrow band about the same mean: no tail."""
    mean = float(np.mean(blind_rates(count, 0.0, 1.0)))
    return [round(rate, 6) for rate in blind_rates(count, 0.8 * mean, 1.2 * mean, seed=1)]
