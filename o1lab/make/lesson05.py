"""What lesson 05 reads out of its record of searches: solve rates, compute paid, claims.

Leaves out how the record is made (`planning`).
"""

from functools import lru_cache

import numpy as np

from o1lab.make.lesson01 import recorded
from o1lab.make.planning import Cell
from o1lab.measure.claims import Claim, judged
from o1lab.measure.statistics import resample
from o1lab.paths import data_dir

NOISY = 0.8  # AUROC at which the noise of siblings is compared


@lru_cache(maxsize=1)
def _arrays(path: str, changed: float) -> dict:
    from safetensors.numpy import load_file

    return load_file(path)


def spent(way: str, auroc: float = 1.0, rho: float = 0.0, temperature: float = 0.7) -> np.ndarray:
    """FLOPs at the first verified solution, in rollouts of average cost: (seeds, puzzles).

    inf where there was none within the budget. KeyError for a cell that was not recorded.
    """
    record = recorded("planning")
    path = data_dir() / "results" / "planning.safetensors"
    arrays = _arrays(str(path), path.stat().st_mtime)
    names = [Cell(way, auroc, rho, seed, temperature).name for seed in record["seeds"]]
    return np.stack([arrays[name] for name in names]) / record["rollout flops"]


def paid(rows: np.ndarray, most: float | None = None) -> np.ndarray:
    """What each puzzle cost, an unsolved one the whole budget; the shape of `rows`."""
    return np.minimum(rows, recorded("planning")["sizes"][-1] if most is None else most)


def rival() -> np.ndarray:
    """What sampling until a success paid, at the better of its temperatures: (seeds, puzzles)."""
    both = [paid(spent("sampling", temperature=t)) for t in (0.7, 1.0)]
    return min(both, key=lambda rows: rows.mean())


def saved(rows: np.ndarray, against: np.ndarray) -> float:
    """The share of the rival's compute that is saved, from (puzzles,) each; below 0 if more."""
    return float(1 - rows.mean() / against.mean())


def break_even(aurocs, costs, level: float) -> float:
    """The AUROC from which on search costs less than `level`, between points by a straight line.

    The last AUROC if it never does (a bound, not an estimate); the first if it always does.
    """
    above = np.flatnonzero(np.asarray(costs) >= level)
    if len(above) == 0:
        return float(aurocs[0])
    i = int(above[-1])
    if i == len(costs) - 1:
        return float(aurocs[-1])
    share = (costs[i] - level) / (costs[i] - costs[i + 1])
    return float(aurocs[i] + share * (aurocs[i + 1] - aurocs[i]))


def effects() -> dict[str, tuple[tuple[float, float, float], list[float], int]]:
    """For each claim: (estimate, low, high), every seed's own value, puzzles compared."""
    record, base = recorded("planning"), rival()
    rows = {a: paid(spent("mcts", a)) for a in record["aurocs"]}
    shared, own = paid(spent("mcts", NOISY, max(record["rhos"]))), rows[NOISY]

    def share(pair: np.ndarray) -> float:
        return saved(pair[:, 0], pair[:, 1])

    def even(columns: np.ndarray) -> float:
        return break_even(record["aurocs"], columns[:, 1:].mean(0), columns[:, 0].mean())

    def less(pair: np.ndarray) -> float:
        return float((pair[:, 0] - pair[:, 1]).mean())

    return {
        "05-exact-value-pays": _over([rows[1.0], base], share),
        "05-blind-value-costs": _over([rows[0.5], base], share),
        "05-break-even": _over([base, *rows.values()], even),
        "05-shared-noise-is-cheaper": _over([shared, own], less),
    }


def _over(columns: list[np.ndarray], statistic):
    """A statistic of (puzzles, columns), with its interval over puzzles and seeds."""
    stack = np.stack(columns, axis=-1)  # (seeds, puzzles, columns)
    each = [float(statistic(one)) for one in stack]
    return resample(list(stack), statistic), each, stack.shape[1]


def claims() -> list[Claim]:
    """The claims of lesson 05, judged by thresholds that were committed before the record."""
    record = recorded("planning")
    known = {key: record[key] for key in ("device", "command", "date")}
    return [
        judged(name, value, seeds=each, problems=count, flops=_cost(record), **known)
        for name, (value, each, count) in effects().items()
    ]


def _cost(record: dict) -> float:
    """FLOPs of all trees and of the rival's samples that the claims compare."""
    trees = sum(paid(spent("mcts", a)).sum() for a in record["aurocs"])
    return float((trees + rival().sum()) * record["rollout flops"])
