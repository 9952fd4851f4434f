"""Tests of o1lab/tasks/countdown.py: worked problems, verdicts a step, grading, hostile text."""

import random
import time
from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.tasks import countdown_solver as solver
from o1lab.tasks.countdown import Countdown, make_problem, write_solution
from o1lab.tasks.countdown_splits import split_of_state

WORLD = Countdown()
QUICK = settings(max_examples=40, deadline=None)
seeds = st.integers(0, 10**6)
problems = st.builds(
    make_problem, st.lists(st.integers(0, 20), min_size=2, max_size=4), st.integers(0, 99)
)


def brute_finals(state) -> set[int]:
    """Every final value, by trying every ordered pair and operator."""
    if len(state) == 1:
        return {state[0]}
    found = set()
    for a, b, *rest in permutations(state):
        results = {a + b, a - b, a * b, a // b if b and a % b == 0 else -1}
        found |= {f for r in results if 0 <= r <= 99 for f in brute_finals((*rest, r))}
    return found


@QUICK
@given(seeds, st.sampled_from([3, 4, 5, 6]), st.sampled_from(["train", "dev", "test"]))
def test_worked_problems_are_right(seed, difficulty, split):
    problem, steps, answer = WORLD.worked(random.Random(seed), difficulty, split)
    assert all(verdict.ok for verdict in WORLD.verdicts(problem, steps))
    assert len(steps) == difficulty - 1 and steps[-1].endswith(f"left {problem.answer}")
    assert WORLD.grade(problem, answer) and 10 <= int(problem.answer) <= 99
    assert split_of_state(*problem.data) == split
    given_numbers = " ".join(map(str, problem.data[0]))
    assert problem.prompt == f"Make {problem.answer} from {given_numbers}.\n"


def test_solution_text():
    moves = [(5, "*", 3, 15), (15, "+", 7, 22), (22, "+", 2, 24)]
    steps, answer = write_solution((3, 5, 7, 2), moves)
    assert steps == ["5 * 3 = 15 left 7 2 15", "15 + 7 = 22 left 2 22", "22 + 2 = 24 left 24"]
    assert answer == "((5 * 3) + 7) + 2"
    equal = write_solution((4, 4, 4), [(4, "+", 4, 8), (8, "-", 4, 4)])
    assert equal == (["4 + 4 = 8 left 4 8", "8 - 4 = 4 left 4"], "(4 + 4) - 4")


def test_an_impossible_problem_has_no_solution():
    with pytest.raises(ValueError, match="cannot be made"):
        WORLD.solution(make_problem((1, 1, 1), 99), random.Random(0))


@pytest.mark.parametrize(
    ("lines", "kinds"),
    [
        ("3 * 5 = 15 left 7 2 15|15 + 7 = 22 left 2 22|2 + 22 = 24 left 24", "ok|ok|ok"),
        ("3*5=15 left 15 2 7|15 + 7 = 22 left 22 2|22 + 2 = 24 left 24", "ok|ok|ok"),
        ("5 * 3 = 16 left 7 2 16|15 + 7 = 22 left 2 22", "arithmetic|ok"),
        ("5 * 3 = 16 left 7 2 16|16 + 7 = 23 left 2 23", "arithmetic|missing number"),
        ("9 + 3 = 12 left 5 7 2 12|3 * 5 = 15 left 7 2 15", "missing number|ok"),
        ("3 * 3 = 9 left 5 7 2 9", "missing number"),
        ("5 * 3 = 15 left 7 15|15 + 7 = 22 left 2 22", "left wrong|ok"),
        ("5 * 3 = 15 left 7 2 15 15", "left wrong"),
        ("3 - 5 = -2 left 7 2 -2|3 * 5 = 15 left 7 2 15", "illegal|ok"),
        ("7 / 2 = 3 left 3 5 3", "illegal"),
        ("3 / 0 = 0 left 5 7 2 0", "missing number"),
        ("7 - 5 = 2 left 3 2 2|2 - 2 = 0 left 3 0|3 / 0 = 0 left 0", "dead end|dead end|illegal"),
        ("3 * 5 = 15 left 7 2 15|7 * 2 = 14 left 15 14|15 + 14 = 29 left 29",
         "ok|dead end|dead end"),
        ("5 * 3 = 15 left|nonsense|", "malformed|malformed|malformed"),
        ("5 ** 3 = 125 left 7 2", "malformed"),
        ("\u0663 * 5 = 15 left 7 2 15", "malformed"),
        ("3 * 5 = 15 left 7 2 15|15 + 7 = 22 left 2 22|22 + 2 = 24 left 24|24 + 2 = 26 left 26",
         "ok|ok|ok|after the end"),
    ],
)  # fmt: skip
def test_verdicts(lines, kinds):
    problem = make_problem((3, 5, 7, 2), 24)
    verdicts = WORLD.verdicts(problem, lines.split("|"))
    assert [verdict.kind for verdict in verdicts] == kinds.split("|")
    assert all(verdict.ok == (verdict.kind == "ok") for verdict in verdicts)
    assert all(verdict.why for verdict in verdicts if not verdict.ok)


def test_division_by_zero_is_illegal():
    problem = make_problem((3, 0, 24), 24)
    assert WORLD.verdicts(problem, ["3 / 0 = 0 left 24 0"])[0].kind == "illegal"
    assert WORLD.verdicts(problem, ["0 / 3 = 0 left 24 0"])[0].kind == "ok"


def test_dead_ends_say_since_when():
    problem = make_problem((3, 5, 7, 2), 24)
    lines = ["5 * 3 = 15 left 7 2 15", "7 * 2 = 14 left 15 14", "15 + 14 = 29 left 29"]
    verdicts = WORLD.verdicts(problem, lines)
    assert verdicts[1].why == "24 cannot be made from 14 15"
    assert verdicts[2].why == "24 cannot be made from 29, since step 2"
    hopeless = WORLD.verdicts(make_problem((1, 1, 1), 99), ["1 + 1 = 2 left 1 2"])
    assert hopeless[0].why.endswith("from the start")


@settings(max_examples=60, deadline=None)
@given(problems, seeds)
def test_dead_ends_agree_with_brute_force(problem, seed):
    (state, target), rng = problem.data, random.Random(seed)
    played = solver.random_play(state, rng)
    verdicts = WORLD.verdicts(problem, write_solution(state, played)[0])
    state = solver.state_of(state)
    for move, verdict in zip(played, verdicts, strict=True):
        state = solver.after(state, move)
        alive = target in brute_finals(state)
        assert verdict.kind == ("ok" if alive else "dead end")


steps_like = st.from_regex(r"[0-9]{1,3} [-+*/] [0-9]{1,2} = [0-9]{1,2} left( [0-9]{1,2}){1,4}")
hostile = st.one_of(st.text(), st.text("0123456789+-*/=left ()\n\u0663", max_size=60), steps_like)


@settings(max_examples=150, deadline=None)
@given(problems, st.lists(hostile, max_size=40), hostile)
def test_hostile_text_never_crashes(problem, steps, answer):
    verdicts = WORLD.verdicts(problem, steps)
    assert len(verdicts) == len(steps)
    assert all(v.ok if v.kind == "ok" else v.kind in WORLD.mistakes for v in verdicts)
    assert WORLD.grade(problem, answer) in (True, False)
    assert WORLD.steps("\n".join(steps)) is not None


def test_huge_text_gets_a_quick_verdict():
    problem, start = make_problem((3, 5, 7, 2), 24), time.perf_counter()
    huge = ["3 * 5 = 15 left" + " 7" * 1_000_000, "(" * 1_000_000, "9" * 1_000_000]
    assert {v.kind for v in WORLD.verdicts(problem, huge * 20)} == {"malformed"}
    assert not any(WORLD.grade(problem, text) for text in huge)
    assert time.perf_counter() - start < 2


def test_more_than_32_steps_are_malformed():
    problem = make_problem((3, 5, 7, 2), 24)
    verdicts = WORLD.verdicts(problem, ["9 + 9 = 18 left 18"] * 40)
    assert [v.kind for v in verdicts] == ["missing number"] * 32 + ["malformed"] * 8


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        ("((3 * 5) + 7) + 2", True),
        ("3*5+7+2", True),
        ("2 + (7 + 5 \u00d7 3)", True),
        ("3 * 5 + 7", False),
        ("3 * 5 + 7 + 2 + 0", False),
        ("3 * 5 + 7 * 2", False),
        ("24", False),
        ("3 * 5 + 7 + 2 = 24", False),
        ("(2 - 7) * 3 + 5", False),
        ("", False),
        (None, False),
    ],
)
def test_grade(answer, right):
    assert WORLD.grade(make_problem((3, 5, 7, 2), 24), answer) is right


@pytest.mark.parametrize(
    ("state", "target", "answer"),
    [
        ((3, 3, 8, 8), 24, "8 / (3 - 8 / 3)"),
        ((2, 5, 20), 18, "20 + (2 - 5) + 1 - 0"),
        ((5, 2, 20), 17, "(2 - 5) + 20"),
        ((50, 3, 90), 60, "50 * 3 - 90"),
        ((4, 0, 20), 20, "20 + 4 / 0"),
    ],
)
def test_grade_keeps_to_integers_in_0_to_99(state, target, answer):
    assert not WORLD.grade(make_problem(state, target), answer)
