"""Solve a notebook's exercises with the library's own functions. For tests and instructors."""

import ast
import copy
import inspect
import re
from types import CodeType

from o1lab.exercises import find

_CHECK = re.compile(r'^@check\("([^"]+)"\)', re.MULTILINE)


def solve_notebook(notebook):
    """A copy of an nbformat notebook in which every `@check` stub does what the library's does."""
    solved = copy.deepcopy(notebook)
    for cell in solved.cells:
        if cell.cell_type == "code" and _CHECK.search(cell.source):
            cell.source = solve_cell(cell.source)
    return solved


def solve_cell(source: str) -> str:
    """The cell with the body of each `@check` stub replaced; signature and docstring stay."""
    lines = source.split("\n")
    for node in reversed(ast.parse(source).body):
        if not isinstance(node, ast.FunctionDef) or not node.decorator_list:
            continue
        found = _CHECK.match(lines[node.decorator_list[0].lineno - 1])
        if found:
            lines[_rest(node).start : node.end_lineno] = _own_body(found[1])
    return "\n".join(lines)


def _own_body(id: str) -> list[str]:
    """The lines of the library's function below its docstring, and the imports they need."""
    function = find(id).function()
    source = inspect.getsource(function)
    known = sorted(_names(function.__code__) & function.__globals__.keys())
    needed = [f"    from {function.__module__} import {', '.join(known)}"] if known else []
    return needed + source.split("\n")[_rest(ast.parse(source).body[0])]


def _names(code: CodeType) -> set[str]:
    """The global names and attributes that a function's code reads, inner functions included."""
    inner = [_names(part) for part in code.co_consts if isinstance(part, CodeType)]
    return set(code.co_names).union(*inner)


def _rest(function: ast.FunctionDef) -> slice:
    """Which lines of a function's source stand below its docstring, comments included."""
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        return slice(first.end_lineno, function.end_lineno)
    return slice(first.lineno - 1, function.end_lineno)


def exercises_in(notebook) -> list[str]:
    """The ids of the exercises that a notebook asks."""
    return [i for c in notebook.cells if c.cell_type == "code" for i in _CHECK.findall(c.source)]
