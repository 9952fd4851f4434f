"""`make lab`: opens JupyterLab on the first notebook. Leaves out the set-up (`setup`)."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FIRST = "notebooks/00_start_here.ipynb"
PORT, TRIES = 8888, 50


def has_display(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Whether a browser can be opened here: not over SSH, and on Linux only with a screen."""
    if environ.get("SSH_CONNECTION"):
        return False
    if platform != "linux":
        return True
    return any(environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"))


def free_port(first: int = PORT, tries: int = TRIES) -> int:
    """The first port from `first` on that nobody uses; OSError when all are taken."""
    for port in range(first, first + tries):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"ports {first} to {first + tries - 1} are all taken: close a JupyterLab first")


def command(port: int, display: bool, root: bool) -> list[str]:
    """The command that starts JupyterLab, without news pop-ups, on 127.0.0.1 only.

    Its own log is kept to warnings; the address is printed all the same.
    """
    options = [f"--ServerApp.port={port}", "--ServerApp.ip=127.0.0.1", "--log-level=WARN"]
    options += [f"--ServerApp.root_dir={ROOT}", f"--LabApp.default_url=/lab/tree/{FIRST}"]
    options += ["--LabApp.news_url=None"]
    options += ["--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    options += [] if display else ["--no-browser"]
    options += ["--allow-root"] if root else []
    return [sys.executable, "-m", "jupyterlab", *options]


def main() -> int:
    """Replace this process by JupyterLab; 1 with one line when no port is free."""
    try:
        port = free_port()
    except OSError as error:
        print(f"o1lab: {error}", file=sys.stderr)
        return 1
    if port != PORT:
        print(f"port {PORT} is taken: using {port}", flush=True)
    display = has_display(os.environ)
    if not display:
        print("no display here: open the address below in a browser", flush=True)
    print("Ctrl-C twice stops the lab", flush=True)
    args = command(port, display, getattr(os, "geteuid", lambda: 1)() == 0)
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    os.chdir(ROOT)
    os.execv(args[0], args)


if __name__ == "__main__":
    sys.exit(main())
