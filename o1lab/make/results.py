"""`make results`: the recorded results that `data/results` lacks, each by its own command.

Hours on two cores from nothing. Leaves out how a result is made (`serial`, `arms`, `sampling`,
`ladder`, `labelling`, `reinforce`, `planning`, `searching`, `story_search`).
"""

import argparse
from importlib import import_module

from o1lab.paths import data_dir

RECORDS = {  # command: the files it writes
    "serial": ("serial.json",),
    "arms": ("arms.json",),
    "sampling": ("sampling.json", "sampling.safetensors"),
    "ladder": ("ladder.json", "ladder.safetensors"),
    "labelling": ("labelling.json",),
    "reinforce": ("reinforce.json",),
    "planning": ("planning.json", "planning.safetensors"),
    "searching": ("searching.json", "searching.safetensors"),
    "story_search": ("story_search.json", "story_search.safetensors"),
}


def lacking() -> list[str]:
    """The commands of which a file is missing, in the order in which they are run."""
    folder = data_dir() / "results"
    return [
        name for name, files in RECORDS.items() if not all((folder / f).exists() for f in files)
    ]


def main(argv: list[str] | None = None) -> None:
    """Run the commands whose record is missing; a record that is there is never made again."""
    argparse.ArgumentParser(prog="o1lab results", description=main.__doc__).parse_args(argv)
    missing = lacking()
    for name in RECORDS:
        if name not in missing:
            print(f"{name}: recorded already, delete {RECORDS[name][0]} to make it again")
            continue
        import_module(f"o1lab.make.{name}").main([])
