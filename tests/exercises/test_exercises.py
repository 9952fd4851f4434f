"""Every exercise: the reference passes, each mistake is named, a hint is there, nothing blocks."""

import importlib
import inspect
import pkgutil

import nbformat
import pytest

from o1lab import exercises
from o1lab.exercises import check, find, hint, judge, solution
from o1lab.exercises.solve import exercises_in, solve_notebook

FILES = [m.name for m in pkgutil.iter_modules(exercises.__path__) if m.name.startswith("ex")]
ALL = [e for f in FILES for e in importlib.import_module(f"o1lab.exercises.{f}").EXERCISES]
MISTAKES = [(e, m) for e in ALL for m in e.mistakes]


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_the_reference_passes(exercise):
    assert judge(exercise, exercise.function()) is None


@pytest.mark.parametrize(
    ("exercise", "mistake"), MISTAKES, ids=[f"{e.id}{m.wrong.__name__}" for e, m in MISTAKES]
)
def test_each_mistake_is_named(exercise, mistake, capsys):
    assert mistake.words in judge(exercise, mistake.wrong)
    assert check(exercise.id)(mistake.wrong) is exercise.function()
    assert capsys.readouterr().out.count("\n") == 1


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_every_exercise_teaches(exercise, capsys):
    assert len(exercise.mistakes) >= 2 and len(exercise.hints) >= 2
    said = []
    for _ in range(len(exercise.hints) + 1):
        hint(exercise.id)
        said.append(capsys.readouterr().out)
    assert len(set(said)) == len(exercise.hints) and said[0] == said[-1]
    solution(exercise.id)
    assert f"def {exercise.function().__name__}" in capsys.readouterr().out


def test_a_right_attempt_is_used_and_an_unwritten_one_does_not_block(capsys):
    def majority(answers):
        raise NotImplementedError

    own = find("00.majority").function()
    assert check("00.majority")(majority) is own
    assert "not written yet" in capsys.readouterr().out

    def also_right(answers):
        return own(answers)

    assert check("00.majority")(also_right) is also_right
    assert "right" in capsys.readouterr().out


def test_an_attempt_that_raises_is_told_where(capsys):
    def majority(answers):
        counts = {}
        return counts["nothing"]

    check("00.majority")(majority)
    assert "KeyError" in (said := capsys.readouterr().out) and "line 3" in said


def test_other_arguments_are_named():
    assert "answers" in judge(find("00.majority"), lambda votes: None)


def test_unknown_exercises_say_what_there_is():
    with pytest.raises(ValueError, match="majority"):
        find("00.nothing")
    with pytest.raises(ValueError, match="no exercises"):
        find("99.nothing")


def test_a_notebook_is_solved():
    stub = (
        'x = 1\n@check("00.majority")\ndef majority(answers):\n    raise NotImplementedError\ny = 2'
    )
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(stub)])
    cell = solve_notebook(notebook).cells[0]
    own = inspect.getsource(find("00.majority").function()).rstrip()
    assert cell.source == f'x = 1\n@check("00.majority")\n{own}\ny = 2'
    assert exercises_in(notebook) == ["00.majority"]
    assert notebook.cells[0].source == stub
