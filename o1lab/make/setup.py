"""Creates `.venv` and installs the lab into it, once; plain Python, for it runs before anything
is installed. Leaves out finding a Python, which the Makefile does."""

import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
GIGABYTES, GIGABYTES_CUDA = 4, 10  # free space wanted with each build of torch
NO_NETWORK = ("Failed to establish", "name resolution", "NewConnection", "timed out", "Max retries")
SHOWN = ("Collecting", "Processing", "Installing collected", "Building")
NO_DISK = ("No space left", "Disk quota")


class SetupError(Exception):
    """What went wrong and what to do next, in one line."""


def fingerprint(root: Path) -> str:
    """What an installation depends on: the tested set, the package's table, and where it lies."""
    digest = hashlib.sha256()
    for name in ("requirements.txt", "pyproject.toml"):
        digest.update((root / name).read_bytes())
    return f"{digest.hexdigest()} {root}\n"


def ready(root: Path) -> bool:
    """Whether `.venv` already holds this very set; reads two files and asks no network."""
    stamp = root / ".venv" / "o1lab-stamp"
    python = root / ".venv" / "bin" / "python"
    return python.exists() and stamp.exists() and stamp.read_text() == fingerprint(root)


def has_nvidia() -> bool:
    """Whether an NVIDIA driver is there."""
    return shutil.which("nvidia-smi") is not None or Path("/proc/driver/nvidia/version").exists()


def reachable(url: str, seconds: float = 4) -> bool:
    """Whether the address answers within a few seconds; no second try."""
    try:
        with urllib.request.urlopen(url, timeout=seconds):
            return True
    except (OSError, ValueError):
        return False


def torch_source(system: str, nvidia: bool, reach=reachable) -> list[str]:
    """pip's options for PyTorch: its CPU index on Linux without a card, where it answers."""
    if system != "Linux" or nvidia or not reach(CPU_INDEX + "/torch/"):
        return []
    return ["--extra-index-url", CPU_INDEX]


def check_disk(free: float, needed: float) -> None:
    """SetupError when fewer bytes are free than the gigabytes needed."""
    if free < needed * 1e9:
        raise SetupError(
            f"the lab needs {needed} GB of free disk and {free / 1e9:.1f} GB are free: "
            "make room, or move this folder to a larger disk"
        )


def check_venv(find=importlib.util.find_spec) -> None:
    """SetupError when this Python cannot make environments (Debian and Ubuntu split it off)."""
    if find("venv") is None or find("ensurepip") is None:
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise SetupError(
            f"Python {version} lacks its venv module: on Debian or Ubuntu run "
            f"`sudo apt install python{version}-venv`, then make again"
        )


def make_venv(root: Path) -> Path:
    """A working `.venv` (a broken one is made anew); returns its Python."""
    python = root / ".venv" / "bin" / "python"
    if not _works([str(python), "-m", "pip", "--version"]):
        check_venv()
        print("making .venv", flush=True)
        base = getattr(sys, "_base_executable", None) or sys.executable
        command = [base, "-m", "venv", "--clear", str(root / ".venv")]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise SetupError(f"could not make .venv: {reason(done.stdout + done.stderr)}")
    return python


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except OSError:
        return False


def pip(python: Path, *options: str) -> None:
    """Run pip, one short line a package on the screen, everything in `.venv/install.log`."""
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", *options]
    log = python.parents[1] / "install.log"
    with (
        log.open("a") as file,
        subprocess.Popen(
            command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        said = []
        for line in process.stdout:
            file.write(line)
            said.append(line)
            if line.startswith(SHOWN) or (line.startswith("  Downloading") and "MB" in line):
                print("  " + line.strip().split(" (from")[0][:90], flush=True)
    if process.returncode:
        raise SetupError(f"{reason(''.join(said))} (the whole log: {log})")


def reason(said: str) -> str:
    """What a failed command's output means, in one line."""
    if any(words in said for words in NO_DISK):
        return "the disk is full: free about 4 GB, then make again"
    if any(words in said for words in NO_NETWORK):
        return "no network: connect (or set HTTPS_PROXY or PIP_INDEX_URL), then make again"
    errors = [line for line in said.splitlines() if "error" in line.lower()]
    last = (errors or said.splitlines() or ["it gave no reason"])[-1]
    return f"installing failed: {last.strip()}"


def install(root: Path) -> None:
    """Everything a fresh machine lacks, then the stamp that lets the next run skip all this."""
    nvidia = has_nvidia()
    stamp = root / ".venv" / "o1lab-stamp"
    if not stamp.exists():
        check_disk(shutil.disk_usage(root).free, GIGABYTES_CUDA if nvidia else GIGABYTES)
    python = make_venv(root)
    print("installing the tested set into .venv (about 1.5 GB, a few minutes)", flush=True)
    pip(python, "-r", "requirements.txt", *torch_source(platform.system(), nvidia))
    pip(python, "--no-deps", "--no-build-isolation", "-e", ".")
    new = stamp.with_suffix(".tmp")
    new.write_text(fingerprint(root))
    os.replace(new, stamp)
    print("set-up finished: the next run installs nothing", flush=True)


def main() -> int:
    """Install unless everything is there; 1 with one line on what to do when it cannot."""
    try:
        if not ready(ROOT):
            install(ROOT)
    except SetupError as error:
        print(f"o1lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("o1lab: stopped; make again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
