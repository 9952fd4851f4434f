"""`make bench`: how fast the lab's own parts are beside their peers. Leaves out what is timed.

Every row is {name, ours, peer, ratio, unit, aim}; an absolute rate means little on a noisy
machine, the ratio of two that ran turn by turn means something.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

WORLDS = (("countdown", 4), ("stories", 5))


def problem_rows(seconds: float = 2.0) -> list[dict]:
    """Worked problems generated a second, in this one process."""
    from o1lab.tasks import task

    out = []
    for name, difficulty in WORLDS:
        rng, count, began = random.Random(0), 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            task(name).worked(rng, difficulty)
            count += 1
        rate = count / (time.perf_counter() - began)
        out.append({"name": f"problems-{name}-{difficulty}", "ours": rate, "peer": None,
                    "ratio": None, "unit": "problems/s, aim 5,000", "aim": None})  # fmt: skip
    return out


def peak_memory(expression: str) -> float:
    """Peak resident megabytes of a fresh process that evaluates one call of the bench."""
    code = f"""
from o1lab.make import bench_rollout as b
from o1lab.measure import hardware
{expression}
print(hardware.peak_memory())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def add_memory(rows: list[dict]) -> None:
    """Peak memory of ours and the peer's, each alone in a process, beside every race."""
    for row in rows:
        kind, _, size = row["name"].removeprefix("rollout-").rpartition("-")
        if kind in ("fixed", "stories"):
            call = f"b.{kind}({int(size)} // b.EACH)"
            row["ours_mb"] = peak_memory(f"{call}[0]()")
            row["peer_mb"] = peak_memory(f"{call}[1]()")


def show(rows: list[dict]) -> str:
    """The rows as a table for the terminal."""
    head = f"{'':28} {'ours':>10} {'peer':>10} {'ratio':>7} {'aim':>5}   peak MB      unit"
    return "\n".join([head, *map(_line, rows)])


def _line(row: dict) -> str:
    def cell(value, form: str) -> str:
        return format(value, form) if value is not None else "-"

    memory = f"{cell(row.get('ours_mb'), '.0f')} / {cell(row.get('peer_mb'), '.0f')}"
    return (
        f"{row['name']:28} {cell(row['ours'], '10,.3g' if row['ours'] < 10 else '10,.0f')} "
        f"{cell(row['peer'], ',.0f'):>10} {cell(row['ratio'], '.2f'):>7} "
        f"{cell(row['aim'], '.1f'):>5}   {memory:12} {row['unit']}"
    )


def main(argv: list[str] | None = None) -> None:
    """Time everything and write build/bench.json."""
    parser = argparse.ArgumentParser(prog="o1lab bench", description=main.__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("build/bench.json"))
    args = parser.parse_args(argv)
    from o1lab.make import bench_ppo, bench_rollout, bench_score, bench_search, bench_train

    rows = problem_rows() + bench_rollout.rows(args.rounds)
    add_memory(rows)
    rows += bench_score.rows(args.rounds)
    rows += bench_search.rows(args.rounds)
    rows += bench_train.rows(args.rounds)
    rows += bench_ppo.rows(args.rounds)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    fresh = args.out.with_suffix(".tmp")
    fresh.write_text(json.dumps(rows, indent=1) + "\n")
    os.replace(fresh, args.out)
    print(show(rows))
