"""Writes the repository's public address, whose one source is `pyproject.toml`, into the README's
commands, the badges of the README and the lessons, and every lesson's Colab cell. Leaves out the
text around."""

import argparse
import json
import os
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BRANCH = "main"
COLAB_ID = "colab-setup"
PIP = re.compile(r'git\+https://[^"@\s]+')
CLONE = re.compile(r"git clone https://\S+ && cd \S+")
OPEN, CLOSE = "<!-- badges -->", "<!-- /badges -->"
COLAB_CELL = """\
# On Colab this installs the lab from its repository; anywhere else it does nothing.
import importlib.util
import os
import subprocess
import sys

if "COLAB_RELEASE_TAG" in os.environ and importlib.util.find_spec("o1lab") is None:
    source = os.environ.get("O1LAB_SOURCE", "git+{address}@{branch}")
    subprocess.check_call([sys.executable, "-m", "pip", "install", "-q", source])
    importlib.invalidate_caches()"""


def address(root: Path = ROOT) -> str:
    """The repository's public address, from `[project.urls] Repository`."""
    table = tomllib.loads((root / "pyproject.toml").read_text())
    return table["project"]["urls"]["Repository"].rstrip("/")


def colab_cell(repository: str) -> str:
    """The source of the set-up cell for Colab, the same in every lesson."""
    return COLAB_CELL.format(address=repository, branch=BRANCH)


def badges(repository: str, notebook: str) -> str:
    """Links that open one notebook on Colab and on Binder, between their markers."""
    owner_name = repository.removeprefix("https://github.com/")
    colab = "https://colab.research.google.com"
    binder = "https://mybinder.org"
    return "\n".join([
        OPEN,
        f"[![Open in Colab]({colab}/assets/colab-badge.svg)]"
        f"({colab}/github/{owner_name}/blob/{BRANCH}/{notebook})",
        f"[![Open on Binder]({binder}/badge_logo.svg)]"
        f"({binder}/v2/gh/{owner_name}/{BRANCH}?urlpath=lab/tree/{notebook})",
        CLOSE,
    ])  # fmt: skip


def put_badges(text: str, new: str, where: str) -> str:
    """`text` with what stands between the markers replaced; ValueError where they are missing."""
    pattern = re.compile(re.escape(OPEN) + ".*?" + re.escape(CLOSE), re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{where}: put {OPEN} and {CLOSE} under its title")
    return pattern.sub(lambda _: new, text, count=1)


def put_colab(cells: list[dict], source: str) -> None:
    """Bring the Colab cell up to date, or add it right after the parameters cell."""
    cell = {"cell_type": "code", "execution_count": None, "id": COLAB_ID}
    cell |= {"metadata": {"tags": ["colab"]}, "outputs": [], "source": as_lines(source)}
    there = [i for i, c in enumerate(cells) if c.get("id") == COLAB_ID]
    if there:
        cells[there[0]] = cell
        return
    after = [i for i, c in enumerate(cells) if "parameters" in c["metadata"].get("tags", [])]
    cells.insert(after[0] + 1 if after else 1, cell)


def as_lines(text: str) -> list[str]:
    """Text as a notebook file stores it: lines that keep their ends."""
    return text.splitlines(keepends=True)


def synced_notebook(text: str, repository: str, name: str) -> str:
    """A lesson's file with badges in its first cell and the Colab cell as they should be."""
    notebook = json.loads(text)
    first = notebook["cells"][0]
    title = put_badges("".join(first["source"]), badges(repository, f"notebooks/{name}"), name)
    first["source"] = as_lines(title)
    put_colab(notebook["cells"], colab_cell(repository))
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def synced_files(root: Path = ROOT) -> dict[Path, str]:
    """What the README and every lesson should hold."""
    repository = address(root)
    readme = root / "README.md"
    new = badges(repository, "notebooks/00_start_here.ipynb")
    text = PIP.sub(f"git+{repository}", readme.read_text())
    text = CLONE.sub(f"git clone {repository} && cd {repository.rsplit('/', 1)[1]}", text)
    files = {readme: put_badges(text, new, readme.name)}
    for path in sorted((root / "notebooks").glob("*.ipynb")):
        files[path] = synced_notebook(path.read_text(), repository, path.name)
    return files


def stale(root: Path = ROOT) -> list[Path]:
    """The files that differ from what they should hold."""
    return [path for path, text in synced_files(root).items() if path.read_text() != text]


def main(argv: list[str] | None = None) -> int:
    """Write what is out of date, or with --check only name it and return 1."""
    parser = argparse.ArgumentParser(prog="o1lab sync", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, return 1 if stale")
    args = parser.parse_args(argv)
    files = synced_files()
    old = stale()
    for path in old:
        print(f"{path.relative_to(ROOT)} {'is out of date' if args.check else 'written'}")
        if not args.check:
            fresh = path.with_name(path.name + ".tmp")
            fresh.write_text(files[path])
            os.replace(fresh, path)
    return int(args.check and bool(old))
