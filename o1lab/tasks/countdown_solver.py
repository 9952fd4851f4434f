"""Exact answers about Countdown states: legal moves, random play, what can still be reached.

A state is a multiset of 1 to 6 integers in 0..99. Leaves out texts, splits and checking.
"""

import random
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from itertools import combinations

import numpy as np

TOP = 99  # every value of the world is an integer in 0..TOP
MOST = 6  # numbers in a state
_CACHE = 100_000  # states remembered a function; at most about 100 MB

State = tuple[int, ...]  # sorted
Move = tuple[int, str, int, int]  # (a, operator, b, result)


def state_of(numbers: Sequence[int]) -> State:
    """The sorted state; ValueError if it is not 1 to 6 integers in 0..99."""
    state = tuple(sorted(numbers))
    if not 1 <= len(state) <= MOST or state[0] < 0 or state[-1] > TOP:
        raise ValueError(f"a state is 1 to {MOST} integers in 0..{TOP}, not {state}")
    return state


@cache
def _pair_moves(low: int, high: int) -> tuple[Move, ...]:
    """The legal moves on two numbers, low <= high."""
    moves = [(high, "-", low, high - low)]
    if low + high <= TOP:
        moves.append((high, "+", low, high + low))
    if low * high <= TOP:
        moves.append((high, "*", low, high * low))
    if low and high % low == 0:
        moves.append((high, "/", low, high // low))
    if low == 0 < high:
        moves.append((0, "/", high, 0))
    return tuple(moves)


@lru_cache(_CACHE)
def moves(state: State) -> tuple[Move, ...]:
    """The distinct legal moves (a, operator, b, result) of a sorted state.

    The result is an integer in 0..99; `+` and `*` have the larger operand first. Subtraction
    is always legal, so only a state of one number has no move.
    """
    pairs = dict.fromkeys(combinations(state, 2))
    return tuple(move for pair in pairs for move in _pair_moves(*pair))


def after(state: State, move: Move) -> State:
    """The state that a legal move leads to."""
    left = list(state)
    left.remove(move[0])
    left.remove(move[2])
    left.append(move[3])
    left.sort()
    return tuple(left)


def random_play(numbers: Sequence[int], rng: random.Random) -> list[Move]:
    """Uniformly random legal moves until one number is left: n - 1 moves."""
    state, played, draw = tuple(sorted(numbers)), [], rng.random
    while len(state) > 1:
        choices = moves(state)
        move = choices[int(draw() * len(choices))]
        played.append(move)
        state = after(state, move)
    return played


@lru_cache(_CACHE)
def _outcomes(state: State, perfect_end: bool = False) -> np.ndarray:
    chances = np.zeros(TOP + 1)  # (100,)
    choices = moves(state)
    if len(state) == 1:
        chances[state[0]] = 1.0
    elif len(state) == 2:
        for move in choices:
            chances[move[3]] = 1.0 if perfect_end else chances[move[3]] + 1 / len(choices)
    else:
        for move in choices:
            chances += _outcomes(after(state, move), perfect_end)
        chances /= len(choices)
    chances.setflags(write=False)
    return chances


def outcome_distribution(numbers: Sequence[int]) -> np.ndarray:
    """The probability of each final value 0..99 under random legal play: (100,), sums to 1.

    Exact recursion, remembered a state, read-only. On one core the first call takes about
    0.3 ms for 4 numbers, 3 ms for 5 and 40 ms for 6.
    """
    return _outcomes(state_of(numbers))


def play_probability(numbers: Sequence[int], target: int, perfect_end: bool = False) -> float:
    """The chance that one random legal play ends on the target.

    perfect_end: whoever plays is blind up to the last two numbers, and tries all moves on those.
    """
    state = state_of(numbers)
    return float(_outcomes(state, perfect_end)[target]) if 0 <= target <= TOP else 0.0


@lru_cache(_CACHE)
def _reach(state: State) -> int:
    """The final values that can be reached, as a set of bits."""
    if len(state) == 1:
        return 1 << state[0]
    reached = 0
    for move in moves(state):
        reached |= _reach(after(state, move)) if len(state) > 2 else 1 << move[3]
    return reached


def reachable(numbers: Sequence[int], target: int) -> bool:
    """Whether legal play can end on the target."""
    return 0 <= target <= TOP and bool(_reach(state_of(numbers)) >> target & 1)


def targets_in_reach(numbers: Sequence[int]) -> int:
    """The set of targets that legal play can end on: bit t is 1 where t is one of them."""
    return _reach(state_of(numbers))


@lru_cache(_CACHE)
def _count(state: State, target: int) -> int:
    if not _reach(state) >> target & 1:
        return 0
    if len(state) == 1:
        return 1
    return sum(_count(after(state, move), target) for move in moves(state))


def solution_count(numbers: Sequence[int], target: int) -> int:
    """The number of distinct move sequences that end on the target."""
    return _count(state_of(numbers), target) if 0 <= target <= TOP else 0


Chance = Callable[[State, int], float]


def _play_chance(state: State, target: int) -> float:
    return float(_outcomes(state)[target])


def solve(
    numbers: Sequence[int], target: int, rng: random.Random, chance: Chance = _play_chance
) -> list[Move]:
    """A solution drawn from random legal play given that it succeeds; [] if there is none.

    Each move is drawn in proportion to `chance(next state, target)`, the success of random
    play from there; another `chance` draws from another set of plays.
    """
    state, played = state_of(numbers), []
    if not 0 <= target <= TOP or not chance(state, target):
        return []
    while len(state) > 1:
        choices = moves(state)
        weights = [chance(after(state, move), target) for move in choices]
        move = rng.choices(choices, weights)[0]
        played.append(move)
        state = after(state, move)
    return played
