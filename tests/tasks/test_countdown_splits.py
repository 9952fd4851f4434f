"""Tests of which Countdown problems are drawn: splits, reserved states, chances and test sets."""

import random
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.tasks import countdown_solver as solver
from o1lab.tasks.base import Task
from o1lab.tasks.countdown import Countdown, game24, make_problem, random_play_coverage
from o1lab.tasks.countdown_splits import (
    clean_chance,
    game24_puzzles,
    is_reserved,
    split_of_state,
    touches_reserved,
)

WORLD = Countdown()
QUICK = settings(max_examples=40, deadline=None)


@QUICK
@given(st.integers(0, 10**6), st.sampled_from([3, 4, 5]))
def test_solutions_are_right_and_keep_off_reserved_states(seed, difficulty):
    rng = random.Random(seed)
    problem = WORLD.problem(rng, difficulty)
    steps, answer = WORLD.solution(problem, rng)
    assert all(verdict.ok for verdict in WORLD.verdicts(problem, steps))
    assert WORLD.grade(problem, answer)
    played = solver.solve(*problem.data, rng, clean_chance)
    assert not touches_reserved(problem.data[0], played, problem.data[1])


@QUICK
@given(st.permutations([3, 5, 7, 2]), st.integers(0, 99))
def test_order_keeps_the_canonical_form(order, target):
    text = WORLD.canonical(make_problem(order, target))
    assert text == f"countdown 2 3 5 7 -> {target}"


def test_no_training_trace_meets_a_reserved_state():
    rng = random.Random(0)
    for i in range(2000):
        problem, steps, _ = WORLD.worked(rng, 3 + i % 3)
        target = problem.data[1]
        states = [problem.data[0], *(tuple(map(int, s.split("left ")[1].split())) for s in steps)]
        for state in states:
            if len(state) > 2:
                assert split_of_state(state, target) == "train"
                assert not (len(state) == 4 and target == 24 and set(state) <= set(range(1, 14)))


def test_splits_are_disjoint():
    rng, seen = random.Random(0), {}
    for split in ("train", "dev", "test"):
        seen[split] = {WORLD.canonical(WORLD.problem(rng, 3, split)) for _ in range(300)}
    assert not seen["train"] & seen["dev"] | seen["train"] & seen["test"]
    assert not seen["dev"] & seen["test"]
    assert not is_reserved((3, 4), 24) and is_reserved((13, 1, 6, 6), 24)


def test_game_of_24():
    puzzles, inside = game24_puzzles(), game24()
    assert len(puzzles) == 1362 and len(inside) == 1334
    assert (3, 3, 8, 8) in puzzles and (3, 3, 8, 8) not in [p.data[0] for p in inside]
    assert {split_of_state(*problem.data) for problem in inside} == {"game24"}


def test_max_p_bounds_the_chance_of_random_play():
    world = Countdown(max_p=0.05)
    found = [world.problem(random.Random(i), 4) for i in range(50)]
    chances = [solver.play_probability(*problem.data) for problem in found]
    assert 0 < max(chances) <= 0.05
    assert random_play_coverage(found, 1) == pytest.approx(np.mean(chances))
    assert random_play_coverage(found, 64) == pytest.approx(
        np.mean([1 - (1 - p) ** 64 for p in chances])
    )


def test_test_set_is_distinct_and_repeatable():
    one, two = WORLD.test_set(4, 100, seed=0), WORLD.test_set(4, 100, seed=0)
    assert one == two and len({WORLD.canonical(problem) for problem in one}) == 100
    assert {split_of_state(*problem.data) for problem in one} == {"test"}
    hard = WORLD.test_set(4, 20, seed=1, max_p=0.01)
    assert all(solver.play_probability(*problem.data) <= 0.01 for problem in hard)


def test_too_much_asked_says_what_to_do():
    with pytest.raises(ValueError, match="at most 2000: ask for fewer"):
        WORLD.test_set(4, 2001, seed=0)
    with pytest.raises(ValueError, match="ask for fewer"):
        Countdown(high=5).test_set(3, 300, seed=0)
    with pytest.raises(ValueError, match="3 to 6 numbers"):
        WORLD.problem(random.Random(0), 7)
    with pytest.raises(ValueError, match="no split"):
        WORLD.problem(random.Random(0), 4, "validation")
    for wrong in ({"low": 9, "high": 3}, {"max_target": 100}, {"max_p": 0.0}):
        with pytest.raises(ValueError):
            Countdown(**wrong)


def test_the_same_seed_gives_the_same_problem():
    assert WORLD.worked(random.Random(7), 5) == WORLD.worked(random.Random(7), 5)
    assert isinstance(WORLD, Task)


def test_worked_problems_are_quick():
    world, rng = Countdown(max_p=0.05), random.Random(0)
    start = time.perf_counter()
    for _ in range(2000):
        world.worked(rng, 4)
    assert time.perf_counter() - start < 10
