"""Text that teaches to check: its labels are the task's own verdicts; no test story is in it."""

import random

import pytest

from o1lab.make import checks
from o1lab.model.tokens import END, build_tokenizer
from o1lab.tasks import task
from o1lab.tasks.base import split_of
from o1lab.tasks.stories import worked_lines

STORIES = task("stories")


def test_only_the_last_step_of_a_broken_trace_is_wrong():
    kinds, whole = set(), 0
    for seed in range(400):
        problem, steps, meant, answer = checks.checked(random.Random(seed))
        verdicts = STORIES.verdicts(problem, steps)
        assert all(verdict.ok for verdict in verdicts[:-1])
        assert verdicts[-1].ok == (answer is not None)
        assert answer is not None or steps[-1] != meant
        kinds.add(verdicts[-1].kind)
        whole += answer is not None
        assert split_of(STORIES.canonical(problem), *STORIES.reserved) == "train"
    assert {"ok", "wrong operand", "not ready", "irrelevant", "arithmetic"} <= kinds
    assert 0.3 < whole / 400 < 0.5


@pytest.mark.parametrize("seed", range(40))
def test_labels_are_right_up_to_where_a_step_leaves_the_right_one(seed):
    problem, steps, meant, answer = checks.checked(random.Random(seed))
    example, tokenizer = checks.document(random.Random(seed)), build_tokenizer()
    read = tokenizer.encode(problem.prompt)
    assert example.ids[: len(read)] == read and not any(example.weights()[: len(read)])
    label = example.extra["label"][len(read) :]
    wrong = tokenizer.decode([i for i, y in zip(example.ids[len(read) :], label, strict=True)
                              if not y])  # fmt: skip
    if answer == problem.answer:
        assert all(label)
    elif answer is not None:
        assert wrong.split() == [answer, END]
    else:
        words = wrong.split()
        kept = len(steps[-1].split()) - len(words)
        assert words and steps[-1].split()[kept:] == words
        assert steps[-1].split()[:kept] == meant.split()[:kept]
        assert steps[-1].split()[: kept + 1] != meant.split()[: kept + 1]


def test_the_same_step_gives_the_same_text_and_true_lines_are_true():
    make = checks.stream(2000, 0)
    assert make(3) == make(3) != make(4)
    assert sum(len(example.ids) for example in make(0)) >= 2000
    problem = STORIES.problem(random.Random(1), 4)
    lines = worked_lines(problem)
    assert set(STORIES.solution(problem)[0]) <= set(lines)
    assert {v.kind for v in STORIES.verdicts(problem, lines)} <= {"ok", "irrelevant"}
