"""What lesson 01 reads out of its two recorded grids: curves, effects, claims.

Leaves out how the grids are made (`serial`, `arms`).
"""

import json
from collections.abc import Sequence

import numpy as np

from o1lab.measure.claims import Claim, judged
from o1lab.measure.statistics import bootstrap_mean, crossing, paired_bootstrap, resample
from o1lab.paths import data_dir
from o1lab.tasks import task
from o1lab.tasks.base import Problem
from o1lab.tasks.story_baselines import floors

LENGTHS = range(1, 11)  # moves in a word
STORY_CLAIMS = ("01-thinking-beats-direct", "01-filler-is-not-thinking")
DEPTH = 6  # of the stories that the claims compare at


def recorded(name: str) -> dict:
    """A recorded result: command, date, device, runs. FileNotFoundError says how to make it."""
    path = data_dir() / "results" / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} is missing: `python -m o1lab {name}` makes it")
    return json.loads(path.read_text())


def _bits(rows: list[str]) -> np.ndarray:
    return np.array([[int(bit) for bit in row] for row in rows], dtype=float)


def serial_right(world: str, arm: str, layers: int) -> np.ndarray:
    """Right or wrong: (seeds, lengths, words); the same words for every arm, depth and seed."""
    wanted = (world, arm, layers)
    runs = [r for r in recorded("serial")["runs"] if (r["world"], r["arm"], r["layers"]) == wanted]
    return np.stack([_bits(run["right"]) for run in sorted(runs, key=lambda r: r["seed"])])


def arm_right(world: str, way: str) -> np.ndarray:
    """Right or wrong: (seeds, depths, problems), the same problems for every way and seed."""
    runs = [run for run in recorded("arms")["runs"] if run["way"] == way]
    return np.stack([_bits(r["right"][world]) for r in sorted(runs, key=lambda r: r["seed"])])


def serial_curves(world: str, arm: str, layers: int) -> tuple:
    """(lengths, mean, low, high): accuracy at each word length, interval over words and seeds."""
    return (list(LENGTHS), *_curve(serial_right(world, arm, layers)))


def arm_curves(world: str, way: str) -> tuple:
    """(depths, mean, low, high): accuracy at each story depth, interval over stories and seeds."""
    return (list(recorded("arms")["depths"]), *_curve(arm_right(world, way)))


def story_floor(asked: Sequence[Sequence[Problem]], seen: int = 2000) -> list[float]:
    """What is solved blindly of each row of Stories or Sums of one depth.

    The better of guessing, after `seen` other problems, and of a script that ignores who and what.
    """
    return [max(floors(task(row[0].task), row, seen).values()) for row in asked]


def seed_curves(right: np.ndarray) -> list[list[float]]:
    """One accuracy curve a seed, from (seeds, lengths, problems)."""
    return right.mean(-1).tolist()


def _curve(right: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    points = [bootstrap_mean(right[:, i]) for i in range(right.shape[1])]
    means, lows, highs = zip(*points, strict=True)
    return list(means), list(lows), list(highs)


def half_point(world: str, arm: str, layers: int) -> tuple[float, float, float]:
    """The word length at which accuracy falls below one half, with its interval."""
    return _half(serial_right(world, arm, layers))


def _half(right: np.ndarray) -> tuple[float, float, float]:
    by_word = list(right.transpose(0, 2, 1))  # a list over seeds of (words, lengths)
    return resample(by_word, lambda words: crossing(LENGTHS, words.mean(0)))


def half_points_by_seed(world: str, arm: str, layers: int) -> list[float]:
    """The half point of every seed's own curve."""
    right = serial_right(world, arm, layers)
    return [crossing(LENGTHS, curve) for curve in right.mean(-1)]


def half_point_gain(deep: int = 4, shallow: int = 1) -> tuple[float, float, float]:
    """How many moves later direct answering fails on S5 with more layers, with its interval."""
    pair = np.concatenate([serial_right("s5", "direct", n) for n in (deep, shallow)], axis=1)
    by_word, count = list(pair.transpose(0, 2, 1)), len(LENGTHS)

    def gain(words: np.ndarray) -> float:
        mean = words.mean(0)
        return crossing(LENGTHS, mean[:count]) - crossing(LENGTHS, mean[count:])

    return resample(by_word, gain)


def effects() -> dict[str, tuple[tuple[float, float, float], list[float], int]]:
    """For each claim: (estimate, low, high), every seed's own value, and problems compared."""

    def story(a: str, b: str):
        return _difference(*(arm_right("stories", w)[:, DEPTH - 1] for w in (a, b)))

    def word(length: int, first: tuple, second: tuple):
        return _difference(*(serial_right(*c)[:, length - 1] for c in (first, second)))

    direct = {n: ("s5", "direct", n) for n in (1, 2, 4)}
    later = [
        deep - shallow
        for deep, shallow in zip(
            *(half_points_by_seed("s5", "direct", n) for n in (4, 1)), strict=True
        )
    ]
    words = serial_right(*direct[2]).shape[-1]
    return {
        "01-thinking-beats-direct": story("thoughts", "direct"),
        "01-filler-is-not-thinking": story("thoughts", "filler"),
        "01-direct-falls-with-steps": (half_point_gain(), later, words),
        "01-order-matters": word(6, ("sum", "direct", 2), direct[2]),
        "01-thoughts-cure-depth": word(8, ("s5", "thoughts", 2), direct[2]),
        "01-thoughts-as-auxiliary-loss": word(5, ("s5", "unspoken", 2), direct[2]),
    }


def _difference(a: np.ndarray, b: np.ndarray):
    """Paired difference of (seeds, problems), each seed's own, and how many problems."""
    return paired_bootstrap(a, b), (a - b).mean(1).tolist(), a.shape[1]


def claims() -> list[Claim]:
    """The claims of lesson 01, judged by thresholds that were committed before the grids ran."""
    return [
        judged(name, value, seeds=seeds, problems=count, **_source(name))
        for name, (value, seeds, count) in effects().items()
    ]


def _source(name: str) -> dict:
    """Cost, device, command and date of the grid that a claim is read from."""
    grid = recorded("arms" if name in STORY_CLAIMS else "serial")
    flops = sum(run["flops"] for run in grid["runs"])
    return {"flops": flops} | {key: grid[key] for key in ("device", "command", "date")}
