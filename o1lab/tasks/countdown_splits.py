"""Which Countdown states are kept for tests, and the Game of 24. Leaves out drawing problems."""

from collections.abc import Sequence
from fractions import Fraction
from functools import cache, lru_cache
from itertools import combinations, combinations_with_replacement

from o1lab.tasks.base import split_of
from o1lab.tasks.countdown_solver import (
    Move,
    State,
    after,
    moves,
    play_probability,
    reachable,
)


def canonical_state(given: Sequence[int], target: int) -> str:
    """The same text for the same numbers in any order."""
    return f"countdown {' '.join(map(str, sorted(given)))} -> {target}"


def split_of_state(given: Sequence[int], target: int) -> str:
    """ "train", "dev", "test", or "game24" for four numbers in 1..13 with target 24."""
    if target == 24 and len(given) == 4 and min(given) >= 1 and max(given) <= 13:
        return "game24"
    return split_of(canonical_state(given, target))


def is_reserved(given: Sequence[int], target: int) -> bool:
    """Whether training must never see this state; states of two numbers are single facts."""
    return len(given) > 2 and split_of_state(given, target) != "train"


def touches_reserved(given: Sequence[int], played: Sequence[Move], target: int) -> bool:
    """Whether the play starts in or passes a reserved state."""
    state = tuple(sorted(given))
    for move in played:
        if len(state) < 3:
            return False
        if is_reserved(state, target):
            return True
        state = after(state, move)
    return False


@lru_cache(100_000)
def clean_chance(state: State, target: int) -> float:
    """The chance that random play succeeds and meets no reserved state on its way."""
    if not reachable(state, target) or is_reserved(state, target):
        return 0.0
    if len(state) < 3:
        return play_probability(state, target)
    choices = moves(state)
    return sum(clean_chance(after(state, move), target) for move in choices) / len(choices)


def game24_puzzles() -> list[State]:
    """The 1,362 sorted sets of four numbers in 1..13 that make 24 with exact fractions.

    Any order of operations and any rational value on the way; about half a second.
    """
    deals = combinations_with_replacement(range(1, 14), 4)
    return [deal for deal in deals if _makes(deal, Fraction(24))]


def _makes(state: State, target: Fraction) -> bool:
    """Whether some cut of the numbers in two makes the target by one last operation."""
    for size in (1, 2):
        for chosen in combinations(range(len(state)), size):
            one = tuple(state[i] for i in chosen)
            two = tuple(state[i] for i in range(len(state)) if i not in chosen)
            if any(_partners(v, target) & _rationals(two) for v in _rationals(one)):
                return True
    return False


def _partners(v: Fraction, target: Fraction) -> set[Fraction]:
    """Every w that makes the target, which is not 0, with v: v + w, v - w, w - v, v * w, ..."""
    found = {target - v, v - target, target + v}
    return found | {target * v, target / v, v / target} if v else found


@cache
def _rationals(state: State) -> frozenset[Fraction]:
    """Every value that exact arithmetic makes from all of one to three numbers."""
    if len(state) == 1:
        return frozenset([Fraction(state[0])])
    found = set()
    for i, number in enumerate(state):
        a = Fraction(number)
        for b in _rationals(state[:i] + state[i + 1 :]):
            found |= {a + b, a - b, b - a, a * b}
            found |= {a / b} if b else set()
            found |= {b / a} if a else set()
    return frozenset(found)
