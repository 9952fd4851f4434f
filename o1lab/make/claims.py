"""`make claims`: read the recorded results again, judge them, print and publish the table."""

import argparse
import os

from o1lab.make import lesson01, lesson02, lesson03, lesson04, lesson05, lesson05_paid
from o1lab.measure.claims import in_readme, record, recorded, stale, table
from o1lab.paths import data_dir


def main(argv: list[str] | None = None) -> None:
    """Judge the recorded results; write the claims and the README's table of them."""
    parser = argparse.ArgumentParser(prog="o1lab claims", description=main.__doc__)
    parser.add_argument("--show", action="store_true", help="print only, write nothing")
    if not parser.parse_args(argv).show:
        for lesson in (lesson01, lesson02, lesson03, lesson04, lesson05, lesson05_paid):
            for claim in lesson.claims():
                record(claim)
        write_readme()
    print(table(recorded()))
    old = [claim.id for claim in recorded() if stale(claim)]
    print(f"\n{len(old)} stale: {', '.join(old) or 'none'}")


def write_readme() -> None:
    """Put the table between the README's markers, where there is a README (not in a wheel)."""
    readme = data_dir().parent / "README.md"
    if readme.exists():
        fresh = readme.with_suffix(".tmp")
        fresh.write_text(in_readme(readme.read_text(), recorded()))
        os.replace(fresh, readme)
