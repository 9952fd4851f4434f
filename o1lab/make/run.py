"""`make run`: notebooks headless into `build/`, a progress line each, executed file and HTML.

Leaves out what a lesson's file must look like (`notebook`).
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from o1lab.lab import PROFILES, Minutes, record_minutes
from o1lab.make.notebook import code_cells, read, swallowed

ROOT = Path(__file__).resolve().parents[2]
PLOTLY = "application/vnd.plotly.v1+json"
START_SECONDS = 120  # for a kernel to answer
CELL_SECONDS = {"smoke": 300, "cpu": 900, "gpu": 1800}
HEADLESS = {
    "O1LAB_HEADLESS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}


@dataclass(frozen=True)
class Run:
    """How one notebook went: seconds taken, and complaints (none when it went well)."""

    notebook: Path
    seconds: float
    faults: tuple[str, ...] = ()


def lessons(only: str = "", folder: Path | None = None) -> list[Path]:
    """The notebooks in order, or those whose name begins with `only` ("05", "05_tree_search").

    ValueError that names what there is when nothing fits.
    """
    folder = folder or ROOT / "notebooks"
    every = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    found = [path for path in every if path.stem.startswith(only.removesuffix(".ipynb"))]
    if not found:
        there = ", ".join(path.stem for path in every) or "none"
        raise ValueError(f"no notebook {only!r} in {folder.name}/: there are {there}")
    return found


def check_parameters(path: Path, parameters: dict[str, Any]) -> None:
    """ValueError for a parameter that the notebook's parameters cell lacks (papermill warns)."""
    import papermill

    known = papermill.inspect_notebook(str(path))
    unknown = sorted(set(parameters) - set(known))
    if unknown:
        raise ValueError(f"{path.name} has no parameter {', '.join(unknown)}: it has {[*known]}")


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set variables for the kernels started inside, and put the old ones back."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, old in before.items():
            os.environ.pop(name, None)
            os.environ.update({name: old} if old is not None else {})


def execute(path: Path, target: Path, profile: str, retries: int = 1) -> Run:
    """Run one notebook under a profile and write the executed copy to `target`.

    It works in its own folder, `target`'s. A kernel that does not start gets a second try.
    An error in a cell comes back as a fault, and `target` holds the traceback.
    """
    import papermill
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from traitlets.config import Config

    check_parameters(path, {"PROFILE": profile})
    target.parent.mkdir(parents=True, exist_ok=True)
    config = Config()
    config.KernelManager.transport_encryption = "auto"
    began = time.perf_counter()
    try:
        with environment(HEADLESS):
            papermill.execute_notebook(
                str(path), str(target), parameters={"PROFILE": profile}, kernel_name="python3",
                cwd=str(target.parent), progress_bar=False, start_timeout=START_SECONDS,
                execution_timeout=CELL_SECONDS[profile], config=config,
            )  # fmt: skip
    except papermill.PapermillExecutionError as error:
        fault = f"cell {error.exec_count}: {error.ename}: {error.evalue}"
        return Run(path, time.perf_counter() - began, (fault,))
    except (CellTimeoutError, DeadKernelError) as error:
        fault = str(error).strip().splitlines()[0]
        return Run(path, time.perf_counter() - began, (fault,))
    except RuntimeError:  # the kernel never answered
        if not retries:
            raise
        return execute(path, target, profile, retries - 1)
    return Run(path, time.perf_counter() - began, tuple(faults(target)))


def faults(executed: Path) -> list[str]:
    """Complaints about an executed notebook: cells that did not run, errors that were swallowed."""
    notebook = read(executed)
    skipped = [c.id for c in code_cells(notebook) if not c.execution_count]
    return [f"cell {name} did not run" for name in skipped] + swallowed(notebook)


def write_html(executed: Path) -> Path:
    """The executed notebook as one HTML page beside it, its figures alive without a network."""
    from nbconvert import HTMLExporter

    notebook = read(executed)
    draw_figures(notebook)
    page, _ = HTMLExporter(embed_images=True).from_notebook_node(notebook)
    target = executed.with_suffix(".html")
    target.write_text(page, encoding="utf-8")
    return target


def draw_figures(notebook: Any) -> None:
    """Give every plotly output an HTML form; only the first brings plotly's script along."""
    from plotly.io import to_html

    first = True
    for output in (o for c in code_cells(notebook) for o in c.outputs):
        figure = output.get("data", {}).pop(PLOTLY, None)
        if figure is not None:
            config = figure.pop("config", None)
            output["data"]["text/html"] = to_html(
                figure, config=config, full_html=False, validate=False, include_plotlyjs=first
            )
            first = False


def choose(profile: str) -> str:
    """The profile meant by "auto": gpu where CUDA is there, else cpu. ValueError if unknown."""
    if profile in PROFILES:
        return profile
    if profile != "auto":
        raise ValueError(f"PROFILE={profile}: choose auto, {', '.join(PROFILES)}")
    import torch

    return "gpu" if torch.cuda.is_available() else "cpu"


def device(profile: str) -> str:
    """What the minutes were measured on, in words."""
    import torch

    if profile == "gpu":
        return torch.cuda.get_device_name(0)
    threads = torch.get_num_threads()
    return f"{threads} CPU core" + "s" * (threads != 1)


def report(run: Run, profile: str, executed: Path) -> None:
    """Print how a run went; keep its minutes when it is a measured one that went well."""
    if run.faults:
        print("failed after " + f"{run.seconds:.0f} s", flush=True)
        for fault in run.faults:
            print(f"    {fault}", flush=True)
        print(f"    see {os.path.relpath(executed)}", flush=True)
        return
    print(f"{run.seconds:.0f} s", flush=True)
    if profile != "smoke":
        minutes = round(run.seconds / 60, 2)
        record_minutes(Minutes(run.notebook.stem[:2], profile, minutes, device(profile)))


def main(argv: list[str] | None = None) -> int:
    """Run the notebooks; 1 when one fails, 2 when the request makes no sense."""
    parser = argparse.ArgumentParser(prog="o1lab run", description=__doc__)
    parser.add_argument("--profile", default="auto", help="smoke, cpu, gpu or auto")
    parser.add_argument("--only", default="", help="a notebook's number, such as 05")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "notebooks")
    args = parser.parse_args(argv)
    try:
        profile, paths = choose(args.profile), lessons(args.only)
    except ValueError as error:
        print(f"o1lab: {error}", file=sys.stderr)
        return 2
    failed = 0
    for place, path in enumerate(paths, 1):
        print(f"[{place}/{len(paths)}] {path.stem} ({profile}) ... ", end="", flush=True)
        executed = args.build / profile / path.name
        run = execute(path, executed, profile)
        report(run, profile, executed)
        if executed.exists():
            write_html(executed)
        failed += bool(run.faults)
    return int(failed > 0)
