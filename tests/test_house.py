"""The habits of the house, checked over every file: sizes, floors, imports, forbidden calls."""

import ast
import re
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "o1lab").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in LIBRARY]
FLOORS = [
    {"measure", "show", "lab", "paths"},
    {"tasks"},
    {"model"},
    {"rewards"},
    {"rl"},
    {"search"},
    {"reasoner", "safety"},
    {"make", "exercises", "__main__"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FORBIDDEN = {"eval", "exec", "pickle.load", "pickle.loads", "torch.load"}
OUTSIDE = ("/wo" + "rk/", "/fa" + "rm/", "/ro" + "ot/", "/ho" + "me/")


def tracked() -> list[Path]:
    """The files that git keeps or would keep; without git, everything outside build folders."""
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    names = found.stdout.splitlines() if found.returncode == 0 else []
    if not names:
        skip = {".venv", "build", "dist", ".git", ".hypothesis", "__pycache__", ".ruff_cache"}
        every = (path.relative_to(ROOT) for path in ROOT.rglob("*"))
        names = [str(path) for path in every if not skip & set(path.parts)]
    return [ROOT / name for name in names if (ROOT / name).is_file()]


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in ast.walk(tree) if isinstance(node, kinds)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    first = function.body[0]
    documented = ast.get_docstring(function, clean=False) is not None
    written = (first.end_lineno - first.lineno + 1) if documented else 0
    return function.end_lineno - function.lineno + 1 - written


@pytest.mark.parametrize("path", LIBRARY, ids=NAMES)
def test_a_file_is_short_and_says_what_it_is(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 300
    assert max(map(len, text.splitlines()), default=0) <= 100
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "begin with one sentence"


@pytest.mark.parametrize("path", TESTS, ids=lambda p: str(p.relative_to(ROOT)))
def test_test_files_say_what_they_test(path):
    text = path.read_text()
    assert not text.strip() or ast.get_docstring(ast.parse(text)), "say what it tests"


def test_functions_are_short():
    lengths = {f"{p.name}:{f.name}": length(f) for p in LIBRARY for f in functions(p)}
    assert {name: n for name, n in lengths.items() if n > 50} == {}
    assert median(lengths.values()) <= 10


def room(module: str) -> str:
    """The room of a module: "o1lab.tasks.base" is in "tasks"; the package itself is in ""."""
    return (module.split(".") + [""])[1]


def imported(path: Path) -> list[str]:
    """The modules of this package that a file imports, anywhere in it."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: write the whole module name"
            found.append(node.module)
    return [name for name in found if name.split(".")[0] == "o1lab"]


@pytest.mark.parametrize("path", LIBRARY, ids=NAMES)
def test_imports_go_downward(path):
    here = path.relative_to(ROOT / "o1lab").parts[0].removesuffix(".py")
    if here == "__init__":
        return
    assert here in FLOOR, f"say in tests/test_house.py on which floor {here} stands"
    high = [m for m in imported(path) if FLOOR.get(room(m), 0) > FLOOR[here]]
    assert not high, f"{here} may not import {high}: it stands on a higher floor"


def test_there_are_no_circles():
    names = {".".join(p.relative_to(ROOT).with_suffix("").parts): p for p in LIBRARY}
    names = {name.removesuffix(".__init__"): path for name, path in names.items()}
    edges = {name: [m for m in imported(path) if m in names] for name, path in names.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for other in edges[name]:
                visit(other, (*trail, name))
            done.add(name)

    for name in names:
        visit(name, ())


@pytest.mark.parametrize("path", LIBRARY, ids=NAMES)
def test_nothing_runs_text_as_code(path):
    calls = [n.func for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
    assert not FORBIDDEN & {ast.unparse(function) for function in calls}
    assert "pickle" not in {name.split(".")[0] for name in imported_anything(path)}


def imported_anything(path: Path) -> list[str]:
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    return plain + [n.module for n in nodes if isinstance(n, ast.ImportFrom)]


def test_importing_the_package_is_quick():
    """Best of three, less what an empty interpreter takes: half a second."""

    def seconds(code: str) -> float:
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        return time.perf_counter() - began

    empty = min(seconds("pass") for _ in range(3))
    assert min(seconds("import o1lab") for _ in range(3)) - empty < 0.5


def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, o1lab; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    heavy = {"torch", "transformers", "plotly", "ipywidgets", "scipy", "numpy"}
    assert not heavy & set(done.stdout.split()), done.stderr


def test_no_path_of_one_machine_is_kept():
    pattern = re.compile("(?<![A-Za-z0-9_.])(" + "|".join(OUTSIDE) + ")")
    texts = {path: path.read_bytes().decode("utf-8", "ignore") for path in tracked()}
    assert [str(path) for path, text in texts.items() if pattern.search(text)] == []


def test_what_is_shipped_is_small():
    sizes = [p.stat().st_size for p in (ROOT / "data" / "checkpoints").rglob("*") if p.is_file()]
    assert sum(sizes) <= 60e6
