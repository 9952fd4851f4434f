"""Every exercise: the reference passes, each mistake is named, a hint is there, nothing blocks."""

import ast
import importlib
import inspect
import pkgutil

import nbformat
import pytest

from o1lab import exercises
from o1lab.exercises import check, find, hint, judge, solution
from o1lab.exercises.solve import exercises_in, solve_cell, solve_notebook

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
    said = capsys.readouterr().out
    assert "KeyError" in said and 'at `return counts["nothing"]`' in said


def test_other_arguments_are_named():
    assert "answers" in judge(find("00.majority"), lambda votes: None)


def test_unknown_exercises_say_what_there_is():
    with pytest.raises(ValueError, match="majority"):
        find("00.nothing")
    with pytest.raises(ValueError, match="no exercises"):
        find("99.nothing")


STUB = """x = 1
@check("00.majority")
def majority(answers):
    'The commonest.'
    raise NotImplementedError  # your code
y = 2"""


def test_a_notebook_is_solved_and_keeps_its_own_signature():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(STUB)])
    cell = solve_notebook(notebook).cells[0]
    head, tail = STUB.split("    raise NotImplementedError  # your code\n")
    assert cell.source.startswith(head) and cell.source.endswith(tail)
    assert "Counter(given).most_common(1)" in cell.source and "raise" not in cell.source
    assert exercises_in(notebook) == ["00.majority"] and notebook.cells[0].source == STUB


def stub(exercise) -> str:
    own = exercise.function()
    given = inspect.signature(own).parameters.values()
    names = ", ".join(str(p.replace(annotation=p.empty)) for p in given)
    return f'@check("{exercise.id}")\ndef {own.__name__}({names}):\n    raise NotImplementedError'


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_a_solved_stub_is_the_reference(exercise):
    solved = ast.parse(solve_cell(stub(exercise))).body[0].body
    body = ast.parse(inspect.getsource(exercise.function())).body[0].body
    without = [n for n in body if not isinstance(n, ast.Expr)]
    assert [ast.dump(n) for n in solved][-len(without) :] == [ast.dump(n) for n in without]
    assert all(isinstance(n, ast.ImportFrom) for n in solved[: -len(without)])


@pytest.mark.parametrize("exercise", ALL, ids=lambda e: e.id)
def test_a_solved_stub_is_right_by_itself(exercise, capsys):
    exec(solve_cell(stub(exercise)), {"check": check})
    assert f"✓ {exercise.id}: right" in capsys.readouterr().out
