"""A training process of a test's own, killed without warning and then finished."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from safetensors import safe_open

ROOT = Path(__file__).parents[1]


def start(script: Path, folder: Path, *arguments) -> subprocess.Popen:
    """Run the script on one thread; its first argument is the folder it works in."""
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), str(folder), *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)


def kill_at(process: subprocess.Popen, line: str) -> bool:
    """SIGKILL when the process prints this line; False if it ended before."""
    with process:
        for said in process.stdout:
            if said.strip() == line:
                process.send_signal(signal.SIGKILL)
                return True
    return False


def finish(script: Path, folder: Path) -> None:
    """Let a new process go on to the end."""
    with start(script, folder) as process:
        process.stdout.read()
    assert process.returncode == 0


def tensors_in(path: Path) -> tuple[dict[str, bytes], dict]:
    """(name: bytes of every tensor, the metadata) of a safetensors file."""
    with safe_open(path, framework="np") as file:
        tensors = {name: file.get_tensor(name).tobytes() for name in file.keys()}  # noqa: SIM118
        return tensors, file.metadata()
