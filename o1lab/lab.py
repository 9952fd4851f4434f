"""Where the lab runs and how big it is there: profile, device, sizes, expected minutes.

Leaves out Colab's installation, which stands in each notebook's first cell.
"""

import json
import os
import random
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from o1lab.paths import data_dir
from o1lab.show.view import box, escape, present, tag


@dataclass(frozen=True)
class Profile:
    """What a profile is for, and the most minutes a notebook may take there."""

    place: str
    limit: float


PROFILES = {
    "smoke": Profile("tests: everything runs, nothing is learned", 1 / 3),
    "cpu": Profile("a laptop or Binder", 5),
    "gpu": Profile("one NVIDIA card", 15),
}


@dataclass(frozen=True)
class Minutes:
    """How long one notebook took under one profile, and on what."""

    notebook: str
    profile: str
    minutes: float
    device: str


@dataclass(frozen=True)
class Lab:
    """Where this notebook runs. `small`: one core only, or O1LAB_FAST is set (Binder)."""

    profile: str
    device: str
    threads: int
    dtype: Any
    headless: bool
    small: bool
    notebook: str = "00"
    machine: str = ""
    memory: float | None = field(default=None, compare=False)  # GB usable

    def size(self, *, smoke, cpu, gpu=None, small=None):
        """The value for this profile; gpu defaults to cpu's.

        small: what the cpu profile takes instead where the machine is `small`.
        """
        if self.profile == "cpu" and self.small and small is not None:
            return small
        return {"smoke": smoke, "cpu": cpu, "gpu": cpu if gpu is None else gpu}[self.profile]

    def rng(self, seed: int = 0) -> random.Random:
        """A fresh generator of Python's own kind, for making problems."""
        return random.Random(seed)

    def torch_rng(self, seed: int = 0):
        """A fresh torch generator on the CPU."""
        import torch

        return torch.Generator().manual_seed(seed)

    def facts(self) -> dict[str, str]:
        """What the box says, in order."""
        facts = {"device": self.machine, "profile": f"{self.profile} ({self._place()})"}
        facts["expected time"] = _expected(self.notebook, self.profile)
        if self.memory:
            facts["memory"] = f"{self.memory:.1f} GB"
        return facts

    def _place(self) -> str:
        return PROFILES[self.profile].place + (", small sizes" if self.small else "")

    def __repr__(self) -> str:
        return f"o1lab {self.notebook} | " + " | ".join(
            f"{name}: {value}" for name, value in self.facts().items()
        )

    def _repr_html_(self) -> str:
        cells = [tag("b", f"o1lab {escape(self.notebook)}", "font-size:110%")]
        for name, value in self.facts().items():
            head = tag("span", f"{name} ", "opacity:.7")
            cells.append(tag("span", head + tag("b", escape(value)), "white-space:nowrap"))
        return box("".join(cells), "display:flex;flex-wrap:wrap;gap:2px 22px;align-items:baseline;")


def start(profile: str = "auto", notebook: str = "00") -> Lab:
    """Find the device, choose the sizes, say so in one box. Safe to run twice.

    profile: "smoke", "cpu", "gpu" or "auto" (the variable O1LAB_PROFILE if set, else gpu where
    CUDA is there, else cpu). Changes no folder and seeds nothing; it lowers torch's threads
    where this process may use fewer cores than the machine has. ValueError for a profile that
    is not there or has no card.
    """
    import torch

    torch.set_num_threads(min(torch.get_num_threads(), cores()))
    chosen = _choose(profile, torch.cuda.is_available())
    lab = _lab(chosen, notebook[:2])
    _plotly_renderer()
    _colab_widgets()
    present(lab)
    return lab


def _choose(profile: str, cuda: bool) -> str:
    asked = profile
    if profile == "auto":
        profile = os.environ.get("O1LAB_PROFILE", "auto")
    if profile == "auto":
        return "gpu" if cuda else "cpu"
    if profile not in PROFILES:
        where = f"PROFILE = {asked!r}" if asked == profile else f"O1LAB_PROFILE={profile}"
        raise ValueError(f"{where}: choose auto, {', '.join(PROFILES)}")
    if profile == "gpu" and not cuda:
        raise ValueError("profile 'gpu' needs an NVIDIA card and CUDA finds none: use 'auto'")
    return profile


def _lab(profile: str, notebook: str) -> Lab:
    import torch

    gpu = profile == "gpu"
    threads = torch.get_num_threads()
    return Lab(
        profile=profile,
        device="cuda" if gpu else "cpu",
        threads=threads,
        dtype=_half() if gpu else torch.float32,
        headless=headless(),
        small=not gpu and (bool(os.environ.get("O1LAB_FAST")) or cores() == 1),
        notebook=notebook,
        machine=torch.cuda.get_device_name(0) if gpu else _count(threads, "CPU core"),
        memory=torch.cuda.mem_get_info()[1] / 1e9 if gpu else memory(),
    )


def _half():
    """bfloat16 from compute capability 8.0 on, float16 on older cards."""
    import torch

    return torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16


def headless() -> bool:
    """Whether O1LAB_HEADLESS is set: no widgets, plain figures only."""
    return os.environ.get("O1LAB_HEADLESS", "") not in ("", "0")


def cores() -> int:
    """The cores this process may use: its affinity and its container's quota, at least 1."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _first_line("/sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0].isdigit():
        count = min(count, max(1, round(int(quota[0]) / int(quota[1]))))
    return count


def memory() -> float | None:
    """GB of main memory this process may use; None where the system does not say."""
    try:
        total = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None
    limit = _first_line("/sys/fs/cgroup/memory.max")
    return min(total, int(limit)) / 1e9 if limit.isdigit() else total / 1e9


def _first_line(path: str) -> str:
    try:
        return Path(path).read_text().split("\n")[0].strip()
    except OSError:
        return ""


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun}" + ("" if number == 1 else "s")


def _minutes_file() -> Path:
    return data_dir() / "results" / "minutes.json"


def measured_minutes(path: Path | None = None) -> list[Minutes]:
    """What `make run` has measured, from data/results/minutes.json; empty if there is none."""
    path = path or _minutes_file()
    if not path.exists():
        return []
    return [Minutes(**row) for row in json.loads(path.read_text())]


def record_minutes(new: Minutes, path: Path | None = None) -> None:
    """Write one measurement, in place of an older one of that notebook and profile."""
    path = path or _minutes_file()
    key = (new.notebook, new.profile)
    rows = [m for m in measured_minutes(path) if (m.notebook, m.profile) != key]
    rows = sorted([*rows, new], key=lambda m: (m.notebook, m.profile))
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_text(json.dumps([asdict(m) for m in rows], indent=1) + "\n")
    os.replace(fresh, path)


def _expected(notebook: str, profile: str) -> str:
    for row in measured_minutes():
        if (row.notebook, row.profile) == (notebook, profile):
            time = f"{row.minutes:.1f} min" if row.minutes >= 1 else f"{row.minutes * 60:.0f} s"
            return f"about {time} (measured on {row.device})"
    limit = PROFILES[profile].limit
    most = _count(limit, "minute") if limit >= 1 else f"{limit * 60:.0f} s"
    return f"not measured yet, at most {most} by design"


def _on_colab() -> bool:
    return "google.colab" in sys.modules or "COLAB_RELEASE_TAG" in os.environ


def _plotly_renderer() -> None:
    """Interactive figures in JupyterLab; PLOTLY_RENDERER and Colab's own choice stand."""
    if "PLOTLY_RENDERER" in os.environ or _on_colab():
        return
    import plotly.io

    plotly.io.renderers.default = "plotly_mimetype"


def _colab_widgets() -> None:
    if "google.colab" in sys.modules:
        from google.colab import output

        output.enable_custom_widget_manager()
