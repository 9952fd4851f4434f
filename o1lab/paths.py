"""Where the lab's data lies: in the checkout's own `data/`, or inside the installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def data_dir() -> Path:
    """The folder with checkpoints, problem sets, recorded results and `references.json`.

    A checkout has it beside the package; the wheel carries a copy inside the package.
    """
    beside, inside = _PACKAGE.parent / "data", _PACKAGE / "data"
    if (beside / "references.json").exists():
        return beside
    if (inside / "references.json").exists():
        return inside
    raise FileNotFoundError(
        f"no data folder at {beside} or {inside}: reinstall o1lab, or run from a full checkout"
    )
