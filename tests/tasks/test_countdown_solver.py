"""Tests of o1lab/tasks/countdown_solver.py: exact answers against brute force."""

import random
from collections import Counter
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.tasks import countdown_solver as solver

QUICK = settings(max_examples=40, deadline=None)
small_states = st.lists(st.integers(0, 12), min_size=1, max_size=3)


def brute_moves(state):
    """Distinct (a, operator, b, result, rest) by trying every ordered pair and operator."""
    found = set()
    for a, b, *rest in permutations(state):
        rest = tuple(sorted(rest))
        results = {"-": a - b}
        if a >= b:
            results |= {"+": a + b, "*": a * b}
        if b and a % b == 0:
            results["/"] = a // b
        found |= {(a, o, b, r, rest) for o, r in results.items() if 0 <= r <= 99}
    return found


def brute_plays(state):
    """Every play as (chance, moves, final value)."""
    if len(state) == 1:
        return [(1.0, (), state[0])]
    choices = brute_moves(state)
    return [
        (chance / len(choices), ((a, o, b, r), *more), final)
        for a, o, b, r, rest in choices
        for chance, more, final in brute_plays((*rest, r))
    ]


@QUICK
@given(small_states)
def test_solver_agrees_with_brute_force(state):
    plays = brute_plays(state)
    chances, counts = np.zeros(100), Counter(final for _, _, final in plays)
    for chance, _, final in plays:
        chances[final] += chance
    np.testing.assert_allclose(solver.outcome_distribution(state), chances, atol=1e-12)
    for target in (*counts, 97):
        assert solver.solution_count(state, target) == counts[target]
        assert solver.reachable(state, target) == (counts[target] > 0)
        assert solver.play_probability(state, target) == pytest.approx(chances[target])


@pytest.mark.parametrize("state", [(3, 5, 7, 2), (1, 1, 6, 0), (13, 4, 4, 9)])
def test_solver_agrees_with_brute_force_on_four_numbers(state):
    chances = np.zeros(100)
    for chance, _, final in brute_plays(state):
        chances[final] += chance
    np.testing.assert_allclose(solver.outcome_distribution(state), chances, atol=1e-12)


@settings(max_examples=5, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=5, max_size=5))
def test_five_numbers_lose_no_chance(state):
    chances = solver.outcome_distribution(state)
    assert chances.sum() == pytest.approx(1)
    assert all(solver.reachable(state, t) == (chances[t] > 0) for t in range(100))


def test_six_numbers_are_exact_too():
    state = (1, 2, 3, 4, 5, 6)
    assert solver.outcome_distribution(state).sum() == pytest.approx(1)
    played = solver.solve(state, 99, random.Random(0))
    assert len(played) == 5 and played[-1][3] == 99


def test_a_solution_is_drawn_from_play_given_success():
    state, target, rng = (2, 3, 4), 24, random.Random(0)
    wins = {moves: chance for chance, moves, final in brute_plays(state) if final == target}
    drawn = Counter(tuple(solver.solve(state, target, rng)) for _ in range(4000))
    assert set(drawn) <= set(wins)
    for moves, chance in wins.items():
        assert drawn[moves] / 4000 == pytest.approx(chance / sum(wins.values()), abs=0.04)


def test_random_play_succeeds_as_often_as_the_solver_says():
    state, target, rng = (3, 5, 7, 2), 24, random.Random(1)
    wins = sum(solver.random_play(state, rng)[-1][3] == target for _ in range(20_000))
    assert wins / 20_000 == pytest.approx(solver.play_probability(state, target), abs=0.005)


def test_a_perfect_end_is_as_good_as_the_chance_to_get_there():
    for state, target in (((3, 5, 7), 24), ((2, 3, 5, 7), 24), ((1, 4, 4, 9), 31)):
        rng, wins = random.Random(1), 0
        for _ in range(4000):
            now = state
            while len(now) > 2:
                now = solver.after(now, rng.choice(solver.moves(now)))
            wins += solver.reachable(now, target)
        said = solver.play_probability(state, target, perfect_end=True)
        assert wins / 4000 == pytest.approx(said, abs=0.03)
        assert said >= solver.play_probability(state, target)
    assert solver.play_probability((3, 4), 12, perfect_end=True) == 1.0


def test_bad_states_are_refused():
    for state in ((), (100, 1), (-1, 2), (1,) * 7):
        with pytest.raises(ValueError, match="1 to 6 integers"):
            solver.outcome_distribution(state)
    assert not solver.reachable((1, 2), 100) and solver.play_probability((1, 2), -1) == 0
    assert solver.solve((1, 1), 99, random.Random(0)) == []
