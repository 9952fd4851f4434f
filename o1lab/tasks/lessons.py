"""The difficulty at which each world is taught and claimed, from `data/lessons.json`."""

import json
import random

from o1lab.paths import data_dir
from o1lab.tasks.base import Problem, Task
from o1lab.tasks.countdown import Countdown
from o1lab.tasks.stories import Stories


def lesson(world: str) -> tuple[Task, int]:
    """(task, difficulty) of a world's lessons; ValueError with the names there are."""
    known = json.loads((data_dir() / "lessons.json").read_text())
    if world not in known:
        raise ValueError(f"no lesson for {world!r}: there are {', '.join(sorted(known))}")
    settings = known[world]
    task = Countdown(max_p=settings["max_p"]) if world == "countdown" else Stories()
    return task, settings["difficulty"]


def exam(world: str, count: int, difficulty: int | None = None, seed: int = 0) -> list[Problem]:
    """`count` distinct held-out test problems at the lesson's difficulty, or at another.

    The same seed gives the same problems, and fewer are the first of more.
    """
    task, usual = lesson(world)
    rng = random.Random(f"exam {world} {difficulty or usual} {seed}")
    found: dict[str, Problem] = {}
    while len(found) < count:
        problem = task.problem(rng, difficulty or usual, "test")
        found.setdefault(task.canonical(problem), problem)
    return list(found.values())
