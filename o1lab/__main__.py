"""`python -m o1lab COMMAND`: passes the rest of the line to the command's own module."""

import sys
from importlib import import_module

COMMANDS = {
    "checkpoints": ("o1lab.make.checkpoints", "train the checkpoints that are missing"),
    "results": ("o1lab.make.results", "run the experiments that are not recorded yet"),
    "serial": ("o1lab.make.serial", "run lesson 01's grid of serial steps"),
    "arms": ("o1lab.make.arms", "run lesson 01's direct, thinking and filler arms"),
    "sampling": ("o1lab.make.sampling", "sample lesson 02's store of rollouts"),
    "ladder": ("o1lab.make.ladder", "train lesson 03's verifiers and let them choose"),
    "labelling": ("o1lab.make.labelling", "compare Monte-Carlo labels with exact ones"),
    "reinforce": ("o1lab.make.reinforce", "run lesson 04's ways to learn from a reward"),
    "planning": ("o1lab.make.planning", "search lesson 05's puzzles with dialled values"),
    "foresight": ("o1lab.make.foresight", "train lesson 05's learned value"),
    "searching": ("o1lab.make.searching", "search puzzles with values that have to be paid for"),
    "story_search": ("o1lab.make.story_search", "search lesson 05's word problems"),
    "bench": ("o1lab.make.bench", "time sampling and training beside their peers"),
    "claims": ("o1lab.make.claims", "print the table of claims"),
    "run": ("o1lab.make.run", "run notebooks headless into build/"),
    "sync": ("o1lab.make.sync", "write the public address into badges and Colab cells"),
}


def usage() -> str:
    """The commands, one a line."""
    rows = [f"  {name:12} {what}" for name, (_, what) in COMMANDS.items()]
    return "\n".join(["usage: o1lab COMMAND [options]; COMMAND --help says more", *rows])


def main(argv: list[str] | None = None) -> int:
    """Run one command; its module is imported only now. Returns the exit status."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help", "help"):
        print(usage())
        return 0
    if name not in COMMANDS:
        print(f"o1lab has no command {name!r}\n{usage()}", file=sys.stderr)
        return 2
    return import_module(COMMANDS[name][0]).main(rest) or 0


if __name__ == "__main__":
    sys.exit(main())
