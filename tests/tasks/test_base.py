"""Tests of o1lab/tasks/base.py: what is wrong with a step, and with a whole thought."""

import random

import pytest

from o1lab.tasks.base import Verdict, fault
from o1lab.tasks.stories import Stories

RIGHT, IDLE = Verdict(True), Verdict(False, "irrelevant", "true, but not needed")
SLIP, STALE = Verdict(False, "arithmetic"), Verdict(False, "stale value")


def test_an_idle_step_is_neither_right_nor_false():
    assert [v.false for v in (RIGHT, IDLE, SLIP)] == [False, False, True]
    assert not IDLE.ok


@pytest.mark.parametrize(
    ("verdicts", "right", "kind"),
    [
        ([RIGHT, RIGHT], True, "ok"),
        ([RIGHT, IDLE], True, "ok"),
        ([RIGHT, RIGHT], False, "unfinished"),
        ([IDLE, RIGHT], False, "unfinished"),
        ([], False, "unfinished"),
        ([IDLE, SLIP, STALE], False, "arithmetic"),
        ([STALE, RIGHT], True, "stale value"),
    ],
)
def test_the_fault_of_a_thought(verdicts, right, kind):
    assert fault(verdicts, right) == kind


@pytest.mark.parametrize("depth", [2, 5])
def test_a_story_that_stops_early_is_unfinished(depth):
    world = Stories()
    problem = world.problem(random.Random(depth), depth)
    steps, answer = world.solution(problem)
    assert fault(world.verdicts(problem, steps), world.grade(problem, answer)) == "ok"
    early = steps[:-1]
    value = early[-1].split()[-1]
    assert fault(world.verdicts(problem, early), world.grade(problem, value)) == "unfinished"
