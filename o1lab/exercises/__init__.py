"""Exercises that never block: check an attempt, name the likely mistake, go on either way.

Each notebook's exercises stand in `exNN.py`. Leaves out solving a whole notebook (`solve`).
"""

import importlib
import inspect
import linecache
from collections.abc import Callable
from dataclasses import dataclass

from o1lab.show.view import View, box, escape, present, tag


@dataclass(frozen=True)
class Mistake:
    """A wrong version of a function, and words that the line about it must contain."""

    wrong: Callable
    words: str


@dataclass(frozen=True)
class Exercise:
    """One function for the reader to write.

    id: "NN.name". reference: dotted name of the library's own. tests(fn): None if fn is right,
    else one sentence that names the likely mistake; it may raise what fn raises.
    minutes: how long it takes; difficulty: 1 to 3.
    """

    id: str
    reference: str
    tests: Callable[[Callable], str | None]
    hints: tuple[str, ...]
    mistakes: tuple[Mistake, ...]
    minutes: int = 5
    difficulty: int = 1

    def function(self) -> Callable:
        """The library's own version."""
        module, _, name = self.reference.rpartition(".")
        return getattr(importlib.import_module(module), name)


def find(id: str) -> Exercise:
    """The exercise of that id; ValueError with the ids there are."""
    number = id.partition(".")[0]
    try:
        known = importlib.import_module(f"o1lab.exercises.ex{number}").EXERCISES
    except ModuleNotFoundError as missing:
        if missing.name != f"o1lab.exercises.ex{number}":
            raise
        raise ValueError(f"exercise {id!r}: notebook {number!r} has no exercises") from None
    for exercise in known:
        if exercise.id == id:
            return exercise
    raise ValueError(f"no exercise {id!r}: there are {', '.join(e.id for e in known)}")


def check(id: str) -> Callable[[Callable], Callable]:
    """Test the decorated attempt and say one line about it.

    Hands back the attempt if it is right, else the library's function, so that the cells after
    it run either way.
    """
    exercise = find(id)

    def decorate(attempt: Callable) -> Callable:
        own = exercise.function()
        wrong = judge(exercise, attempt)
        _say(exercise, wrong)
        return own if wrong else attempt

    return decorate


def judge(exercise: Exercise, attempt: Callable) -> str | None:
    """None if the attempt is right, else what is wrong with it in one sentence."""
    wanted = inspect.signature(exercise.function())
    if list(inspect.signature(attempt).parameters) != list(wanted.parameters):
        return f"the arguments should be {', '.join(wanted.parameters)}, in this order"
    try:
        return exercise.tests(attempt)
    except NotImplementedError:
        return "not written yet"
    except Exception as problem:  # whatever an attempt may raise
        return f"it stops with {type(problem).__name__}: {problem}{_line_of(problem, attempt)}"


def _line_of(problem: Exception, attempt: Callable) -> str:
    """Where in the attempt it stopped, as its text."""
    trace, text = problem.__traceback__, ""
    while trace:
        code = trace.tb_frame.f_code
        if code is getattr(attempt, "__code__", None):
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
        trace = trace.tb_next
    return f", at `{text}`" if text else ""


def _say(exercise: Exercise, wrong: str | None) -> None:
    if wrong is None:
        _tell("✓", f"{exercise.id}: right. The cells below use your function.")
    elif wrong == "not written yet":
        more = f"about {exercise.minutes} minutes, hint({exercise.id!r}) helps"
        _tell("○", f"{exercise.id}: not written yet ({more}). The library's own goes on.")
    else:
        _tell("✗", f"{exercise.id}: {wrong}. The library's own goes on.")


def _tell(sign: str, words: str) -> None:
    present(View(box(tag("b", f"{sign} ") + escape(words)), f"{sign} {words}"))


_given: dict[str, int] = {}


def hint(id: str) -> None:
    """Show the next hint of an exercise; after the last one, the first again."""
    exercise = find(id)
    number = _given.get(id, 0) % len(exercise.hints)
    _given[id] = number + 1
    _tell("?", f"{id}, hint {number + 1} of {len(exercise.hints)}: {exercise.hints[number]}")


def solution(id: str) -> None:
    """Print the library's source of an exercise's function."""
    print(inspect.getsource(find(id).function()))
