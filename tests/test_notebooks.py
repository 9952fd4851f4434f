"""Every lesson: its file is clean, mirrors the library, and runs untouched and solved."""

import inspect
import re
import shutil
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from o1lab.make import notebook as lesson
from o1lab.make import run
from o1lab.search import vote

ROOT = Path(__file__).resolve().parents[1]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
each = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
SMOKE_SECONDS = 20


def test_the_first_two_lessons_are_there():
    assert [p.stem for p in LESSONS][:2] == ["00_start_here", "01_chain_of_thought"]
    assert run.lessons() == LESSONS, "name a notebook NN_topic.ipynb"


@each
def test_the_file_is_clean(path):
    assert lesson.hygiene(lesson.read(path)) == []


@each
def test_the_file_is_of_lesson_size(path):
    assert lesson.anatomy(lesson.read(path)) == []


@each
def test_cells_mirror_the_library(path):
    assert lesson.mirror(lesson.read(path)) == []


@pytest.mark.notebook
@each
def test_it_runs_untouched(path, tmp_path):
    """In an empty folder, so that no lesson needs another one or its own place."""
    source = shutil.copy(path, tmp_path / path.name)
    done = run.execute(Path(source), tmp_path / "out" / path.name, "smoke")
    assert done.faults == ()


@pytest.mark.notebook
@each
def test_it_runs_solved(path, tmp_path):
    from o1lab.exercises.solve import exercises_in, solve_notebook

    solved = solve_notebook(lesson.read(path))
    nbformat.write(solved, tmp_path / path.name)
    done = run.execute(tmp_path / path.name, tmp_path / "out" / path.name, "smoke")
    assert done.faults == ()
    shown = str(lesson.read(tmp_path / "out" / path.name))
    assert [i for i in exercises_in(solved) if f"✓ {i}: right" not in shown] == []


def small(*sources: str, tag: str = "") -> nbformat.NotebookNode:
    """A little lesson: a parameters cell, then one cell a source, tagged `tag`."""
    cells = [new_code_cell('PROFILE = "smoke"', id="parameters", metadata={"tags": ["parameters"]})]
    tags = {"tags": [tag]} if tag else {}
    cells += [
        new_code_cell(s, id=f"cell-number-{i}x", metadata=tags) for i, s in enumerate(sources)
    ]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return new_notebook(cells=cells, metadata={"kernelspec": kernel})


def test_a_clean_lesson_has_no_complaint():
    assert lesson.hygiene(small("x = 1")) == []


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("!ls", "shell or magic"),
        ("%pip install x", "shell or magic"),
        ("x = 1\n" * 26, "26 lines"),
        ("import ipywidgets as w", "ipywidgets"),
        ("from ipywidgets import interact", "interact|ipywidgets"),
        ("w.Output()", "Output"),
    ],
)
def test_what_may_not_stand_in_a_cell(source, complaint):
    assert any(re.search(complaint, f) for f in lesson.hygiene(small(source)))


@pytest.mark.parametrize(
    ("name", "good"),
    [("train-model", True), ("guess", True), ("a1b2c3d4", False), ("deadbeef", False),
     ("5f0d9a1c-1111-4222-8333-444455556666", False), ("Cell 3", False), ("", False)],
)  # fmt: skip
def test_cell_ids_are_words(name, good):
    assert lesson.is_words(name) is good


def test_outputs_kernels_and_repeated_ids_are_noticed():
    dirty = small("x = 1", "y = 2")
    dirty.cells[1].execution_count = 3
    dirty.cells[2].id = dirty.cells[1].id
    dirty.metadata.kernelspec.name = "conda"
    dirty.metadata.widgets = {}
    said = " ".join(lesson.hygiene(dirty))
    assert all(w in said for w in ("a count", "stands twice", "not python3", "metadata.widgets"))


def test_the_mirror_sees_every_difference_but_comments():
    tag = "lib:o1lab.search.vote"
    text = inspect.getsource(vote.majority)
    asked = "from collections import Counter\n\n\n" + text.replace(
        "    given", "    # note\n    given", 1
    )
    assert lesson.mirror(small(asked, tag=tag)) == []
    assert "majority is not" in lesson.mirror(small(text.replace("(1)", "(2)"), tag=tag))[0]
    assert "does not stand in" in lesson.mirror(small(text + "\nx = 1", tag=tag))[0]
    assert "names no module" in lesson.mirror(small(text, tag="lib:o1lab.search.none"))[0]
    assert "defines nothing" in lesson.mirror(small("import math", tag=tag))[0]


def test_anatomy_counts_cells_and_lines():
    short = small("x = 1")
    assert "2 cells" in lesson.anatomy(short)[0]
    full = small(*["x = 1"] * 20)
    full.cells += [new_markdown_cell("text", id=f"text-{i}") for i in range(20)]
    assert lesson.anatomy(full) == []


def executed(tmp_path: Path, *sources: str) -> run.Run:
    path = tmp_path / "00_little.ipynb"
    nbformat.write(small(*sources), path)
    return run.execute(path, tmp_path / "out" / path.name, "smoke")


@pytest.mark.notebook
def test_the_harness_passes_a_good_lesson_and_writes_html(tmp_path):
    source = 'import os\nassert os.environ["O1LAB_HEADLESS"] and PROFILE == "smoke"\nprint("fine")'
    figure = "import plotly.graph_objects as go\n\ngo.Figure(go.Scatter(y=[1, 2]))"
    assert executed(tmp_path, source, figure, figure).faults == ()
    page = run.write_html(tmp_path / "out" / "00_little.ipynb").read_text()
    assert "fine" in page and page.count('class="plotly-graph-div"') == 2
    assert 4e6 < len(page) < 8e6, "the script once, not once a figure"


@pytest.mark.notebook
def test_the_harness_sees_an_error_and_one_that_a_widget_swallowed(tmp_path):
    assert "ZeroDivisionError" in executed(tmp_path, "1 / 0").faults[0]
    hidden = "import ipywidgets as w\n\nout = w.Output()\nwith out:\n    1 / 0"
    thread = "import threading\n\nt = threading.Thread(target=lambda: 1 / 0)\nt.start()\nt.join()"
    said = " ".join(executed(tmp_path, hidden, thread).faults)
    assert "stderr: ZeroDivisionError" in said and "ZeroDivisionError: division" in said


def test_an_unknown_parameter_stops_the_run(tmp_path):
    nbformat.write(small("x = 1"), tmp_path / "00_x.ipynb")
    with pytest.raises(ValueError, match="no parameter STEPS"):
        run.check_parameters(tmp_path / "00_x.ipynb", {"STEPS": 1})


def test_lessons_are_found_by_number():
    with pytest.raises(ValueError, match="no notebook '77'"):
        run.lessons("77")
    assert run.main(["--profile", "huge"]) == 2
