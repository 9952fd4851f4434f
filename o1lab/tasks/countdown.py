"""Countdown, the world of planning: make a target from 3 to 6 numbers, each used once.

Leaves out the exact solver (countdown_solver.py), the splits (countdown_splits.py) and
expressions (expressions.py).
"""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import ClassVar

from o1lab.tasks.base import Problem, Verdict, lines_of
from o1lab.tasks.countdown_solver import (
    TOP,
    Move,
    State,
    play_probability,
    random_play,
    reachable,
    solve,
    state_of,
)
from o1lab.tasks.countdown_splits import (
    canonical_state,
    clean_chance,
    game24_puzzles,
    is_reserved,
    split_of_state,
    touches_reserved,
)
from o1lab.tasks.expressions import ExpressionError, numbers, parse, values

WORDS = ("Make", "from", "left")
MAX_STEPS, MAX_LINE = 32, 200
_PATIENCE = 200_000  # draws before a setting counts as impossible
_STEP = re.compile(
    r"(\d{1,4}) *([-+*/]) *(\d{1,4}) *= *(-?\d{1,4}) +left((?: +-?\d{1,4})+)", re.ASCII
)


@dataclass(frozen=True)
class Countdown:
    """The Countdown world; `difficulty` is how many numbers, 3 to 6.

    max_p: only problems that one random legal play solves with at most this chance.
    low, high: the range of the given numbers. min_target, max_target: of the target.
    `Problem.data` is (numbers in the order shown, target).
    """

    max_p: float | None = None
    low: int = 1
    high: int = 20
    min_target: int = 10
    max_target: int = 99

    name: ClassVar[str] = "countdown"
    mistakes: ClassVar[tuple[str, ...]] = (
        "arithmetic",
        "missing number",
        "left wrong",
        "illegal",
        "dead end",
        "malformed",
        "after the end",
    )

    def __post_init__(self):
        if not 0 <= self.low <= self.high <= TOP:
            raise ValueError(f"numbers {self.low}..{self.high} must lie in 0..{TOP}")
        if not 0 <= self.min_target <= self.max_target <= TOP:
            raise ValueError(f"targets {self.min_target}..{self.max_target} must lie in 0..{TOP}")
        if self.max_p is not None and not self.max_p > 0:
            raise ValueError("max_p must be above 0: it is a chance, or None for any problem")

    def problem(self, rng: random.Random, difficulty: int, split: str = "train") -> Problem:
        """A random problem with a solution; ValueError if the settings leave too few."""
        given, played = self._draw(rng, difficulty, split)
        return make_problem(given, played[-1][3])

    def worked(
        self, rng: random.Random, difficulty: int, split: str = "train"
    ) -> tuple[Problem, list[str], str]:
        """(problem, steps, answer) from one random play, with no solver: the training path.

        In "train" no state on the way with three or more numbers is reserved.
        """
        given, played = self._draw(rng, difficulty, split)
        return make_problem(given, played[-1][3]), *write_solution(given, played)

    def solution(self, problem: Problem, rng: random.Random) -> tuple[list[str], str]:
        """A solution drawn from random legal play given success; ValueError if none exists.

        For a train problem it keeps off reserved states if any solution does.
        """
        given, target = problem.data
        played = []
        if not is_reserved(given, target):
            played = solve(given, target, rng, clean_chance)
        played = played or solve(given, target, rng)
        if not played:
            raise ValueError(f"{target} cannot be made from {given}: ask `reachable` first")
        return write_solution(given, played)

    def steps(self, thoughts: str) -> list[str]:
        """One step a line."""
        return lines_of(thoughts)

    def verdicts(self, problem: Problem, steps: Sequence[str]) -> list[Verdict]:
        """A verdict a step, in order; never raises on hostile text.

        After a step whose operands are there and whose true result is legal, the state goes on
        with the *true* result; after any other step it stays. A right step in a state that can
        no longer reach the target is a "dead end", and so are all right steps after it.
        """
        state, target = state_of(problem.data[0]), problem.data[1]
        dead = None if reachable(state, target) else 0
        out = []
        for i, step in enumerate(steps, 1):
            if i > MAX_STEPS:
                out.append(Verdict(False, "malformed", f"more than {MAX_STEPS} steps"))
                continue
            verdict, state = _judge(state, step)
            if dead is None and not reachable(state, target):
                dead = i
            if verdict.ok and dead is not None:
                verdict = Verdict(False, "dead end", _dead_words(state, target, dead, i))
            out.append(verdict)
        return out

    def grade(self, problem: Problem, answer: str) -> bool:
        """Whether the expression makes the target from exactly the given numbers.

        Every value on the way must be an integer in 0..99, as in the steps. Never raises.
        """
        given, target = problem.data
        try:
            tree = parse(answer or "")
            worth = values(tree)
        except ExpressionError:
            return False
        whole = all(v.denominator == 1 and 0 <= v <= TOP for v in worth)
        return whole and worth[-1] == target and sorted(numbers(tree)) == sorted(given)

    def canonical(self, problem: Problem) -> str:
        """ "countdown 2 3 5 7 -> 24": the sorted numbers and the target."""
        return canonical_state(*problem.data)

    def test_set(
        self, difficulty: int, count: int, seed: int, max_p: float | None = None
    ) -> list[Problem]:
        """`count` distinct problems of the test split; max_p as in the class if None.

        At most 2,000 and at most a tenth of all pairs of numbers and target; ValueError says
        how many were found when the split has fewer.
        """
        space = comb(self.high - self.low + difficulty, difficulty)
        limit = min(2000, space * (self.max_target - self.min_target + 1) // 10)
        if count > limit:
            raise ValueError(f"{count} test problems asked, at most {limit}: ask for fewer")
        world = self if max_p is None else replace(self, max_p=max_p)
        return world._distinct(random.Random(seed), difficulty, count)

    def _distinct(self, rng: random.Random, difficulty: int, count: int) -> list[Problem]:
        found, repeats = {}, 0
        while len(found) < count:
            problem = self.problem(rng, difficulty, "test")
            known = self.canonical(problem) in found
            repeats = repeats + 1 if known else 0
            found.setdefault(self.canonical(problem), problem)
            if repeats > 200 + 2 * len(found):
                raise ValueError(f"only {len(found)} test problems found of {count}: ask for fewer")
        return list(found.values())

    def _draw(self, rng: random.Random, difficulty: int, split: str) -> tuple[State, list[Move]]:
        """Given numbers, and a random play whose end is a target that fits the settings."""
        if not 3 <= difficulty <= 6:
            raise ValueError(f"difficulty {difficulty}: Countdown has 3 to 6 numbers")
        if split not in ("train", "dev", "test"):
            raise ValueError(f"no split {split!r}: use 'train', 'dev' or 'test'")
        span, draw = self.high - self.low + 1, rng.random
        for _ in range(_PATIENCE):
            given = tuple([self.low + int(draw() * span) for _ in range(difficulty)])
            played = random_play(given, rng)
            if self._fits(given, played, split):
                return given, played
        raise ValueError(f"no problem in {_PATIENCE} draws: raise max_p or widen the ranges")

    def _fits(self, given: State, played: list[Move], split: str) -> bool:
        target = played[-1][3]
        if not self.min_target <= target <= self.max_target:
            return False
        if split == "train":
            if touches_reserved(given, played, target):
                return False
        elif split_of_state(given, target) != split:
            return False
        return self.max_p is None or play_probability(given, target) <= self.max_p


def make_problem(given: Sequence[int], target: int) -> Problem:
    """The problem that shows these numbers in this order."""
    prompt = f"Make {target} from {' '.join(map(str, given))}.\n"
    return Problem("countdown", prompt, str(target), len(given), (tuple(given), target))


def write_solution(given: Sequence[int], played: Sequence[Move]) -> tuple[list[str], str]:
    """The steps' lines and the answer's expression of a play from these numbers."""
    left, texts, steps = list(given), list(map(str, given)), []
    for a, operator, b, result in played:
        first = texts.pop(at := left.index(a))
        del left[at]
        second = texts.pop(at := left.index(b))
        del left[at]
        left.append(result)
        texts.append(f"({first} {operator} {second})")
        steps.append(f"{a} {operator} {b} = {result} left {' '.join(map(str, left))}")
    return steps, texts[0][1:-1]


def game24() -> list[Problem]:
    """The 1,334 Game of 24 puzzles that can be solved inside integers 0..99; never trained on.

    The other 28 of `game24_puzzles()` need a fraction or a number above 99 on the way.
    """
    return [make_problem(given, 24) for given in game24_puzzles() if reachable(given, 24)]


def random_play_coverage(problems: Sequence[Problem], k: int) -> float:
    """The mean chance that k random legal plays solve a problem: mean of 1 - (1 - p)^k."""
    chances = [play_probability(*problem.data) for problem in problems]
    return sum(1 - (1 - p) ** k for p in chances) / max(1, len(chances))


def left_of(step: str) -> State:
    """The sorted numbers that a well-formed step says are left."""
    return tuple(sorted(map(int, step.partition("left")[2].split())))


def _judge(state: State, step: str) -> tuple[Verdict, State]:
    """The verdict on one step (dead ends apart) and the state after it."""
    if len(state) == 1:
        return Verdict(False, "after the end", "only one number was left"), state
    match = _STEP.fullmatch(step) if len(step) <= MAX_LINE else None
    if not match:
        return Verdict(False, "malformed", 'a step reads "3 * 5 = 15 left 7 15"'), state
    a, operator, b, claimed = int(match[1]), match[2], int(match[3]), int(match[4])
    left = list(state)
    for number in (a, b):
        if number not in left:
            return Verdict(False, "missing number", f"{number} is not left"), state
        left.remove(number)
    result = _result(a, operator, b)
    if result is None:
        why = f"{a} {operator} {b} is not an integer in 0..{TOP}"
        return Verdict(False, "illegal", why), state
    state = tuple(sorted([*left, result]))
    if result != claimed:
        why = f"{a} {operator} {b} is {result}, not {claimed}"
        return Verdict(False, "arithmetic", why), state
    if sorted(map(int, match[5].split())) != list(state):
        return Verdict(False, "left wrong", f"left are {_words(state)}"), state
    return Verdict(True), state


def _result(a: int, operator: str, b: int) -> int | None:
    """The legal result, or None."""
    if operator == "/":
        return a // b if b and a % b == 0 else None
    result = {"+": a + b, "-": a - b, "*": a * b}[operator]
    return result if 0 <= result <= TOP else None


def _dead_words(state: State, target: int, since: int, now: int) -> str:
    tail = "" if since == now else f", since step {since}" if since else ", from the start"
    return f"{target} cannot be made from {_words(state)}{tail}"


def _words(state: State) -> str:
    return " ".join(map(str, state))
