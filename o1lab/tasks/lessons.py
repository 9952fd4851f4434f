"""The difficulty at which each world is taught and claimed, from `data/lessons.json`."""

import json
import random

from o1lab.paths import data_dir
from o1lab.tasks.base import Problem, Task
from o1lab.tasks.countdown import Countdown
from o1lab.tasks.stories import Stories

PATIENCE = 300  # repeats in a row after which a split counts as exhausted


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

    The same seed gives the same problems, and fewer are the first of more. ValueError when the
    test split has not that many (single facts are few).
    """
    task, usual = lesson(world)
    rng = random.Random(f"exam {world} {difficulty or usual} {seed}")
    found: dict[str, Problem] = {}
    repeats = 0
    while len(found) < count:
        problem = task.problem(rng, difficulty or usual, "test")
        form = task.canonical(problem)
        repeats = repeats + 1 if form in found else 0
        found.setdefault(form, problem)
        if repeats > PATIENCE:
            raise ValueError(f"only {len(found)} test problems found of {count}: ask for fewer")
    return list(found.values())
