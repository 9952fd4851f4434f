"""The set-up: what make does on a fresh machine, on a second run and when something is missing."""

import itertools
import os
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import zipfile
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from o1lab.__main__ import COMMANDS
from o1lab.__main__ import main as o1lab_main
from o1lab.make import lab, setup, sync

ROOT = Path(__file__).resolve().parents[1]


def make(folder: Path, *targets: str, **environ: str) -> subprocess.CompletedProcess:
    command = [shutil.which("make") or "make", *targets]
    everything = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "")} | environ
    return subprocess.run(command, cwd=folder, env=everything, capture_output=True, text=True)


@pytest.fixture
def copy(tmp_path):
    """The files that the set-up reads, in a folder whose name has a space."""
    folder = tmp_path / "a lab"
    (folder / "o1lab" / "make").mkdir(parents=True)
    for name in ("Makefile", "requirements.txt", "pyproject.toml", "o1lab/make/setup.py"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def installed(copy):
    """The same with a `.venv` that looks installed."""
    (copy / ".venv" / "bin").mkdir(parents=True)
    (copy / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (copy / ".venv" / "o1lab-stamp").write_text(setup.fingerprint(copy))
    return copy


def test_help_names_every_target():
    done = make(ROOT, "help")
    assert done.returncode == 0
    named = set(re.findall(r"^make (\w+)", done.stdout, re.MULTILINE))
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert named == set(phony.group(1).split()) - {"help", "setup"}


def test_a_second_run_installs_nothing(installed):
    done = make(installed, "setup")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_stamp_follows_content_not_time(installed):
    os.utime(installed / "requirements.txt")
    assert setup.ready(installed)
    with (installed / "requirements.txt").open("a") as file:
        file.write("# changed\n")
    assert not setup.ready(installed)


def test_a_moved_folder_is_not_ready(installed, tmp_path):
    moved = tmp_path / "elsewhere"
    installed.rename(moved)
    assert not setup.ready(moved)


def fake(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_too_old_a_python_is_said_in_one_line(copy, tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("python3", "python3.11", "python"):
        fake(tools, name, "exit 1")  # what an older Python answers to the version check
    (tools / "sh").symlink_to("/bin/sh")
    done = make(copy, "setup", PATH=str(tools))
    assert done.returncode != 0
    assert done.stderr.startswith("o1lab needs Python 3.11 or newer")
    assert "PYTHON=" in done.stderr.splitlines()[0]


def test_a_named_python_is_tried_first(copy, tmp_path):
    fake(tmp_path, "mine", '[ "$1" = -c ] || echo "mine runs $1"')
    done = make(copy, "setup", f"PYTHON={tmp_path / 'mine'}")
    assert done.stdout == "mine runs o1lab/make/setup.py\n"


def test_a_missing_venv_module_names_the_package():
    with pytest.raises(setup.SetupError, match=r"sudo apt install python3\.\d+-venv"):
        setup.check_venv(find=lambda name: None)


def test_a_full_disk_says_how_much_is_needed():
    setup.check_disk(free=5e9, needed=4)
    with pytest.raises(setup.SetupError, match=r"needs 4 GB .* 1\.5 GB are free"):
        setup.check_disk(free=1.5e9, needed=4)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Retrying: NewConnectionError\nERROR: No matching distribution found", "no network"),
        ("ERROR: [Errno 28] No space left on device", "the disk is full"),
        ("x\nERROR: it broke\ny", "installing failed: ERROR: it broke"),
        ("", "gave no reason"),
    ],
)
def test_what_a_failure_of_pip_means(said, expected):
    assert expected in setup.reason(said) and "\n" not in setup.reason(said)


def test_torch_comes_from_its_cpu_index_only_where_that_helps():
    asked = []

    def reach(url):
        asked.append(url)
        return True

    assert setup.torch_source("Linux", nvidia=False, reach=reach)[1] == setup.CPU_INDEX
    assert setup.torch_source("Linux", nvidia=False, reach=lambda url: False) == []
    assert setup.torch_source("Linux", nvidia=True, reach=reach) == []
    assert setup.torch_source("Darwin", nvidia=False, reach=reach) == []
    assert len(asked) == 1


def test_an_address_that_does_not_answer_costs_little():
    assert not setup.reachable("http://127.0.0.1:9/", seconds=1)


def test_a_taken_port_gives_the_next():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        taken = busy.getsockname()[1]
        assert taken < lab.free_port(taken) < taken + lab.TRIES
        with pytest.raises(OSError, match="all taken"):
            lab.free_port(taken, tries=1)


def test_a_browser_opens_only_where_there_is_a_display():
    assert not lab.has_display({}, "linux")
    assert lab.has_display({"DISPLAY": ":0"}, "linux")
    assert not lab.has_display({"DISPLAY": ":0", "SSH_CONNECTION": "1"}, "linux")
    assert lab.has_display({}, "darwin")
    assert "--no-browser" in lab.command(8888, display=False, root=False)
    assert "--no-browser" not in lab.command(8888, display=True, root=False)


def test_the_kernel_is_this_environments_own():
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    assert spec.argv[0] == "python" or Path(spec.argv[0]).samefile(sys.executable)


def test_the_wheel_carries_the_data(tmp_path):
    options = ["--no-deps", "--no-build-isolation", "--no-index", "-q"]
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), *options, "-w", str(tmp_path)]
    subprocess.run(command, check=True)
    target = tmp_path / "site"
    (wheel,) = tmp_path.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(target)
    code = "import o1lab.paths as p; print(p.data_dir())"
    environ = os.environ | {"PYTHONPATH": str(target)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert Path(done.stdout.strip()) == target / "o1lab" / "data", done.stderr
    ours = {p.relative_to(ROOT / "data") for p in (ROOT / "data").rglob("*") if p.is_file()}
    assert {
        p.relative_to(target / "o1lab/data") for p in (target / "o1lab/data").rglob("*")
    } >= ours


def test_every_command_has_its_module(capsys):
    for module, _ in COMMANDS.values():
        path = ROOT / (module.replace(".", "/") + ".py")
        assert path.exists(), f"{module} is missing"
    assert o1lab_main(["nonsense"]) == 2 and "no command 'nonsense'" in capsys.readouterr().err
    assert o1lab_main([]) == 0


def test_the_exact_set_fits_the_ranges():
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    ranges = [project["dependencies"], *project["optional-dependencies"].values()]
    for wanted in map(Requirement, itertools.chain(*ranges)):
        assert wanted.name == "o1lab" or wanted.specifier.contains(pins[wanted.name])


def test_binder_names_its_python_and_the_root_files():
    folder = ROOT / "binder"
    assert re.fullmatch(r"python-3\.1[1-4]\s*", (folder / "runtime.txt").read_text())
    lines = (folder / "requirements.txt").read_text().splitlines()
    assert "-r ../requirements.txt" in lines and "-e ." in lines
    assert any(line.startswith("torch==") and line.endswith("+cpu") for line in lines)
    assert "set -e" in (folder / "postBuild").read_text()
    assert (folder / "start").read_text().rstrip().endswith('exec "$@"')
    for name in ("postBuild", "start"):
        assert os.access(folder / name, os.X_OK)
        subprocess.run(["bash", "-n", str(folder / name)], check=True)


def test_ci_runs_make_test():
    assert "\nmake test\n" in (ROOT / ".ci" / "run").read_text()
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_the_public_address_is_the_same_everywhere():
    assert sync.stale() == [], "run `python -m o1lab sync`"


def test_sync_follows_the_address_and_is_stable():
    cell = {"cell_type": "markdown", "id": "title", "metadata": {}}
    cell["source"] = ["# Title\n", f"{sync.OPEN}{sync.CLOSE}\n"]
    text = sync.json.dumps({"cells": [cell], "metadata": {}})
    once = sync.synced_notebook(text, "https://github.com/a/b", "00_x.ipynb")
    assert sync.synced_notebook(once, "https://github.com/a/b", "00_x.ipynb") == once
    assert (
        "github/a/b/blob/main/notebooks/00_x.ipynb" in once and "git+https://github.com/a/b" in once
    )
    other = sync.synced_notebook(once, "https://github.com/c/d", "00_x.ipynb")
    assert "a/b" not in other and other.count(f'"{sync.COLAB_ID}"') == 1
    with pytest.raises(ValueError, match="put <!-- badges -->"):
        sync.put_badges("# no markers", "", "x")


def test_the_colab_cell_is_short_and_installs_only_there(monkeypatch):
    source = sync.colab_cell(sync.address())
    assert len(source.splitlines()) <= 10 and "!" not in source and "%" not in source
    called = []
    monkeypatch.setattr(subprocess, "check_call", called.append)
    run_as_module(source)
    assert called == []
    monkeypatch.setenv("COLAB_RELEASE_TAG", "test")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    run_as_module(source)
    assert called[0][-1] == f"git+{sync.address()}@main"


def run_as_module(source: str) -> dict:
    """Run source text in a module of its own; returns its names."""
    names: dict = {"__name__": "example"}
    exec(compile(source, "example", "exec"), names)
    return names


def blocks() -> list[str]:
    """The Python examples of the README that are marked as tested."""
    text = (ROOT / "README.md").read_text()
    return re.findall(r"<!-- tested -->\n```python\n(.*?)```", text, re.DOTALL)


def test_every_example_of_the_readme_is_tested_and_short():
    assert len(blocks()) == (ROOT / "README.md").read_text().count("```python")
    for block in blocks():
        assert len([line for line in block.splitlines() if line.strip()]) <= 20


def test_the_examples_of_the_readme_run(capsys):
    from o1lab.tasks.base import Task

    names = run_as_module("\n".join(blocks()))
    printed = capsys.readouterr().out
    assert isinstance(names["Doubling"](), Task)
    assert "<think>" in printed and re.search("^(right|wrong)$", printed, re.MULTILINE)
    problem = names["problem"]
    steps, _ = names["Doubling"]().solution(problem)
    assert all(v.ok for v in names["Doubling"]().verdicts(problem, steps))
    assert not names["Doubling"]().verdicts(problem, ["1 + 1 = 3"])[0].ok


def test_the_script_needs_nothing_but_python():
    """`setup` runs before anything is installed: it imports the standard library only."""
    spec = spec_from_file_location("alone", ROOT / "o1lab" / "make" / "setup.py")
    spec.loader.exec_module(module_from_spec(spec))
    text = (ROOT / "o1lab" / "make" / "setup.py").read_text()
    modules = set(re.findall(r"^(?:import|from) (\w+)", text, re.MULTILINE))
    assert modules <= set(sys.stdlib_module_names)
