"""Lesson 05's value: labels that the solver stands by, no test puzzle in training, a small run."""

import random

import pytest

from o1lab.make import foresight
from o1lab.model.settings import TrainConfig
from o1lab.model.tokens import build_tokenizer
from o1lab.tasks.countdown_solver import reachable
from o1lab.tasks.countdown_splits import is_reserved
from o1lab.tasks.lessons import lesson

WORLD = lesson("countdown")[0]


@pytest.fixture(scope="module")
def drawn():
    rng = random.Random(0)
    problems = [WORLD.problem(rng, n) for n in (3, 4, 5) for _ in range(12)]
    return [(problem, *foresight.beginning(problem, rng)) for problem in problems]


def test_labels_are_the_solvers_and_the_checkers(drawn):
    assert {label for _, _, alive in drawn for label in alive} == {True, False}
    for problem, steps, alive in drawn:
        verdicts = WORLD.verdicts(problem, steps)
        assert [verdict.ok for verdict in verdicts] == alive
        assert all(verdict.kind in ("ok", "dead end") for verdict in verdicts)
        assert len(steps) <= problem.difficulty - 2


def test_no_state_is_one_of_a_test_puzzle(drawn):
    for problem, steps, _ in drawn:
        for step in steps:
            left = tuple(sorted(map(int, step.partition("left")[2].split())))
            assert not is_reserved(left, problem.data[1])


def test_a_dead_beginning_stays_dead(drawn):
    for problem, steps, alive in drawn:
        assert alive == sorted(alive, reverse=True)
        left = list(map(int, steps[-1].partition("left")[2].split())) if steps else None
        assert not steps or reachable(left, problem.data[1]) == alive[-1]


def test_every_token_of_a_step_has_its_label(drawn):
    tokenizer = build_tokenizer()
    problem = drawn[0][0]
    example = foresight.document(problem, random.Random(3))
    text = tokenizer.decode([i for i, w in zip(example.ids, example.weight, strict=True) if w])
    steps, alive = foresight.beginning(problem, random.Random(3))
    assert WORLD.steps(text) == steps
    labels = [y for y, w in zip(example.extra["label"], example.weight, strict=True) if w]
    ends = [i for i, t in enumerate(tokenizer.encode(text)) if tokenizer.decode([t]) == "\n"]
    assert [bool(labels[end]) for end in ends] == alive


def test_the_same_step_has_the_same_text():
    one, two = (foresight.stream(300, 1)(5) for _ in range(2))
    assert [example.ids for example in one] == [example.ids for example in two]
    assert foresight.stream(300, 2)(5)[0].ids != one[0].ids


def test_a_small_value_is_whole(tmp_path):
    config = TrainConfig(2, learning_rate=1e-3, optimizer="muon", seed=3)
    value = foresight.build(tmp_path, config)
    assert value.recipe["training"]["flops"] > 0 and value.recipe["start"] == "countdown-cot"
    found = foresight.measured(value, 10)
    assert set(found) == {"4", "5", "6"} and set(found["6"]) <= {"5", "4", "3", "2"}
    assert all(0 <= cell["auroc"] <= 1 for row in found.values() for cell in row.values())
