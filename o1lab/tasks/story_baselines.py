"""What Stories are worth to someone who does not follow them: guesses, and a verb-reading script.

Exact chances where a guess is random. Leaves out models.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Sequence

from o1lab.tasks.base import Problem
from o1lab.tasks.story_world import LIMIT, Line

_NUMBER = re.compile(r"\d+", re.ASCII)
# What the script does with a verb: the sign of the sentence's number, or a factor.
_SIGN = {"more": 1, "fewer": -1, "gain": 1, "lose": -1}
_TIMES = {"twice": 2, "triple": 3, "half": 0.5, "double": 2, "halve": 0.5}


def constant_guess(seen: Sequence[Problem]) -> Callable[[Problem], str]:
    """Always the commonest answer of the problems seen."""
    best = Counter(problem.answer for problem in seen).most_common(1)[0][0]
    return lambda problem: best


def number_guess(rng: random.Random) -> Callable[[Problem], str]:
    """One of the numbers printed in the story, drawn evenly."""
    return lambda problem: rng.choice(printed(problem))


def answer_guess(seen: Sequence[Problem], rng: random.Random) -> Callable[[Problem], str]:
    """The answer of one of the problems seen, drawn evenly."""
    return lambda problem: rng.choice(seen).answer


def printed(problem: Problem) -> list[str]:
    """The numbers of the story as text, in order, repeats kept."""
    return _NUMBER.findall(problem.prompt)


def number_chance(problem: Problem) -> float:
    """The exact chance that `number_guess` is right."""
    numbers = printed(problem)
    return numbers.count(problem.answer) / len(numbers)


def answer_chance(seen: Sequence[Problem]) -> Callable[[Problem], float]:
    """The exact chance that `answer_guess` is right on a problem."""
    counts = Counter(problem.answer for problem in seen)
    return lambda problem: counts[problem.answer] / len(seen)


def verb_script(start: str = "first", moved: int = 1) -> Callable[[Problem], str]:
    """The script that ignores who and what: it carries one number through the sentences' verbs.

    start: it begins with the "first", "last" or "largest" number that someone has. moved: what
    "gives" and "takes" do, +1 adds, -1 takes away, 0 nothing. Sentences with no number but
    another person's ("as many as", swaps, sums) leave the number alone; so does a division that
    does not come out even or a result outside 0..99.
    """

    def answer(problem: Problem) -> str:
        lines = problem.data[0].lines
        given = [line.c for line in lines if line.form == "given"]
        number = {"first": given[0], "last": given[-1], "largest": max(given)}[start]
        for line in lines:
            number = _carried(number, line, moved)
        return str(number)

    return answer


def _carried(number: int, line: Line, moved: int) -> int:
    sign = moved if line.form == "give" else _SIGN.get(line.form, 0)
    fresh = (number + sign * line.c) * _TIMES.get(line.form, 1)
    return int(fresh) if fresh == int(fresh) and 0 <= fresh <= LIMIT else number


SCRIPTS = {(start, moved): verb_script(start, moved)
           for start in ("first", "last", "largest") for moved in (-1, 0, 1)}  # fmt: skip


def floors(world, asked: Sequence[Problem], count: int = 2000, seed: int = 0) -> dict[str, float]:
    """What is solved of `asked` blindly: "guessing", and "ignoring who and what".

    The first is the best of the guesses, after `count` train problems of the same depth; the
    second the best of all `SCRIPTS`, chosen on the scored problems themselves: an upper bound.
    """
    rng = random.Random(f"floors {seed}")
    seen = [world.problem(rng, asked[0].difficulty) for _ in range(count)]
    return {"guessing": max(_guesses(world, asked, seen).values()),
            "ignoring who and what": max(_scripts(world, asked).values())}  # fmt: skip


def rates(world, depth: int, count: int = 2000, seed: int = 0, split: str = "test") -> dict:
    """The mean score of every baseline on `count` random problems of that depth and split.

    The guesses see as many train problems first. "script" is the best of all `SCRIPTS`, chosen
    on the scored problems themselves, so it is an upper bound.
    """
    rng = random.Random(seed)
    seen = [world.problem(rng, depth) for _ in range(count)]
    asked = [world.problem(rng, depth, split) for _ in range(count)]
    scripts = _scripts(world, asked)
    best = max(scripts, key=scripts.get)
    return {"depth": depth, "problems": count, **_guesses(world, asked, seen),
            "script": scripts[best], "script reads": best}  # fmt: skip


def _guesses(world, asked: Sequence[Problem], seen: Sequence[Problem]) -> dict[str, float]:
    """The mean score of each guess, exact where it is drawn."""
    drawn = answer_chance(seen)
    return {
        "constant": _share(world, asked, constant_guess(seen)),
        "number in the story": sum(map(number_chance, asked)) / len(asked),
        "answer of another": sum(map(drawn, asked)) / len(asked),
    }


def _scripts(world, asked: Sequence[Problem]) -> dict[tuple, float]:
    return {key: _share(world, asked, script) for key, script in SCRIPTS.items()}


def _share(world, problems: Sequence[Problem], answer: Callable[[Problem], str]) -> float:
    return sum(world.grade(p, answer(p)) for p in problems) / len(problems)
