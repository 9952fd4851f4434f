"""From the scores of a chain's steps to the worth of the chain; the choice is an argument.

Lightman et al. 2023, table 4, find the product best (78.2) and the minimum next (77.6); Snell et
al. 2024 use the last step. Leaves out how steps get their scores.
"""

from collections.abc import Callable, Sequence
from math import inf, isnan, prod
from statistics import fmean

AGGREGATIONS: dict[str, Callable[[Sequence[float]], float]] = {
    "last": lambda row: row[-1],
    "min": min,
    "product": prod,
    "mean": fmean,
}


def aggregate(row: Sequence[float], how: str) -> float:
    """The worth of a chain whose steps score `row`; `how` is a name in `AGGREGATIONS`.

    A chain without steps is worth -inf, below every other: nothing was checked in it.
    ValueError for an unknown `how`, a NaN, or the product of a negative score.
    """
    if how not in AGGREGATIONS:
        raise ValueError(f"no aggregation {how!r}: choose one of {', '.join(AGGREGATIONS)}")
    if any(isnan(value) for value in row):
        raise ValueError(f"step {list(map(isnan, row)).index(True)} scores NaN: check the scorer")
    if how == "product" and min(row, default=0) < 0:
        raise ValueError(f"a product needs scores of at least 0, got {min(row)}")
    return float(AGGREGATIONS[how](row)) if len(row) else -inf


def aggregate_rows(rows: Sequence[Sequence[float]], how: str) -> list[float]:
    """The worth of each chain, from one row of step scores a chain; see `aggregate`."""
    return [aggregate(row, how) for row in rows]
