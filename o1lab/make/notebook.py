"""What a lesson's file must be: clean, short-celled, and true to the library's text.

Each check returns a list of complaints, empty when all is well. Leaves out running (`run`).
"""

import ast
import re
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

LONGEST, MEDIAN, FEWEST, MOST = 25, 8, 40, 60
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
_WORDS = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_HEX = re.compile(r"[0-9a-f]{8}(-?[0-9a-f]{4,})*")


def read(path: Path) -> Any:
    """The notebook at `path`, as nbformat 4; raises nbformat's error when it is not one."""
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: Any) -> list[Any]:
    """The code cells that hold something."""
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]


def tags(cell: Any) -> list[str]:
    """The cell's tags."""
    return list(cell.metadata.get("tags", []))


def hygiene(notebook: Any) -> list[str]:
    """Complaints about the whole file, then about each cell."""
    faults = [f"holds metadata.{k}" for k in ("widgets", "papermill") if k in notebook.metadata]
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        faults.append("its kernel is not python3")
    if sum("parameters" in tags(c) for c in notebook.cells) != 1:
        faults.append("has not exactly one cell tagged parameters")
    ids = [c.get("id", "") for c in notebook.cells]
    faults += [f"cell id {i!r} is not made of words" for i in ids if not is_words(i)]
    faults += [f"cell id {i!r} stands twice" for i in sorted({i for i in ids if ids.count(i) > 1})]
    for cell in code_cells(notebook):
        faults += [f"cell {cell.id}: {fault}" for fault in cell_faults(cell)]
    return faults


def is_words(name: str) -> bool:
    """Whether a cell id is made by a person: lower-case words with hyphens, no hex digits."""
    return bool(_WORDS.fullmatch(name)) and not _HEX.fullmatch(name)


def cell_faults(cell: Any) -> list[str]:
    """Complaints about one code cell."""
    faults = []
    if cell.outputs or cell.execution_count is not None:
        faults.append("holds outputs or a count: run nbstripout")
    lines = cell.source.splitlines()
    if len(lines) > LONGEST:
        faults.append(f"{len(lines)} lines, at most {LONGEST}")
    magic = [line for line in lines if line.lstrip().startswith(("!", "%"))]
    if magic:
        return [*faults, f"shell or magic line {magic[0]!r}: its failure would pass unseen"]
    return faults + [f"uses {name}: go through o1lab.show.widgets" for name in widgets(cell.source)]


def widgets(source: str) -> list[str]:
    """Names in a cell that belong to ipywidgets and swallow errors when run headless."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            modules = [getattr(node, "module", None) or "", *(a.name for a in node.names)]
            found += [m for m in modules if m.split(".")[0] == "ipywidgets"]
        name = getattr(node, "id", None) or getattr(node, "attr", None)
        found += [name] if name in ("interact", "Output", "ipywidgets") else []
    return found


def anatomy(notebook: Any) -> list[str]:
    """Complaints about a lesson's size: how many cells, how long the middle one is."""
    count = len(notebook.cells)
    faults = [] if FEWEST <= count <= MOST else [f"{count} cells, not {FEWEST} to {MOST}"]
    middle = median(len(c.source.splitlines()) for c in code_cells(notebook))
    return faults + ([f"median code cell {middle} lines, at most {MEDIAN}"] * (middle > MEDIAN))


def mirror(notebook: Any) -> list[str]:
    """Complaints about cells tagged `lib:MODULE` whose syntax tree is not the library's."""
    faults = []
    for cell in code_cells(notebook):
        for tag in tags(cell):
            if tag.startswith("lib:"):
                faults += [f"cell {cell.id}: {f}" for f in differs(cell.source, tag[4:])]
    return faults


def differs(source: str, module: str) -> list[str]:
    """Where a cell's functions and classes differ from the same names in `module`.

    Comments and layout do not count, docstrings do. Other statements but imports must stand
    in the module too.
    """
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        return [f"tag lib:{module} names no module"]
    library = ast.parse(Path(spec.origin).read_text())
    named = {node.name: ast.dump(node) for node in library.body if hasattr(node, "name")}
    plain = {ast.dump(node) for node in library.body}
    faults, compared = [], 0
    for node in ast.parse(source).body:
        if hasattr(node, "name"):
            compared += 1
            if named.get(node.name) != ast.dump(node):
                faults.append(f"{node.name} is not the text of {module}.{node.name}")
        elif not isinstance(node, ast.Import | ast.ImportFrom) and ast.dump(node) not in plain:
            faults.append(f"line {node.lineno} does not stand in {module}")
    return faults if compared else [*faults, f"tagged lib:{module} but defines nothing"]


def swallowed(notebook: Any) -> list[str]:
    """Errors in an executed notebook: in outputs, in widget state, and on stderr.

    papermill stops at an ordinary error but passes over one inside a widget or a thread.
    """
    outputs = [o for c in code_cells(notebook) for o in c.outputs]
    state = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for model in state.values():
        outputs += model.get("state", {}).get("outputs") or []
    faults = [f"{o['ename']}: {o['evalue']}" for o in outputs if o["output_type"] == "error"]
    stderr = [o["text"] for o in outputs if o.get("name") == "stderr"]
    return faults + [f"stderr: {text.strip().splitlines()[-1]}" for text in stderr if text.strip()]
