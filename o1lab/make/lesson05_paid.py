"""What lesson 05 reads out of the searches that pay for their value: costs, crossings, claims.

Leaves out how the records are made (`searching`, `story_search`) and free values (`lesson05`).
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from o1lab.make.lesson01 import recorded
from o1lab.make.lesson02 import interval
from o1lab.make.lesson05 import saved
from o1lab.make.searching import BEST, TEMPERATURE, Cell
from o1lab.measure.claims import Claim, judged
from o1lab.measure.statistics import resample
from o1lab.paths import data_dir

HARDEST = "6"  # the set of puzzles that the claims on Countdown are about
WITHIN = 1334 / 1362  # share of the Game of 24 whose values all stay integers in 0..99


@lru_cache(maxsize=2)
def _file(path: str, changed: float) -> dict:
    from safetensors.numpy import load_file

    return load_file(path)


def _arrays(name: str) -> dict:
    path = data_dir() / "results" / f"{name}.safetensors"
    return _file(str(path), path.stat().st_mtime)


def found(
    puzzles: str, way: str, value: str = "", policy: str = "cot", temperature: float = TEMPERATURE
):
    """(cost, rounds, tokens, cost of the value) up to the first verified solution, inf without one.

    Each is (seeds, puzzles).

    Cost is in rollouts of average cost of `cot` on these puzzles. KeyError for a cell that was
    not recorded.
    """
    record, arrays = recorded("searching"), _arrays("searching")
    seeds = record["seeds"][puzzles] if temperature else [0]
    names = [Cell(puzzles, way, value, seed, temperature, policy).name for seed in seeds]
    flops, rounds, tokens, value_flops = np.moveaxis(np.stack([arrays[n] for n in names]), -1, 0)
    price = record["rollout flops"][puzzles]
    return flops / price, rounds, tokens, value_flops / price


def paid(rows: np.ndarray) -> np.ndarray:
    """What each puzzle cost, an unsolved one the whole budget of a search."""
    return np.minimum(rows, recorded("searching")["most"])


def rival(puzzles: str, policy: str = "cot") -> np.ndarray:
    """The costs of sampling until a success at the better of its temperatures: (seeds, puzzles).

    On the hardest puzzles the better of two there, elsewhere the better of two on dev puzzles.
    """
    heats = (0.7, 1.0) if puzzles == HARDEST else (BEST[policy],)
    both = [found(puzzles, "sampling", policy=policy, temperature=t)[0] for t in heats]
    return min(both, key=lambda rows: paid(rows).mean())


def solved(rows: np.ndarray, sizes) -> np.ndarray:
    """Whether a puzzle was solved for at most so much: (seeds, puzzles, sizes), 0 or 1."""
    return (rows[..., None] <= np.asarray(sizes)).astype(float)


def reached(costs, level: float) -> float:
    """The least cost for which the share `level` of the puzzles was solved; inf if it never was."""
    need = int(np.ceil(level * len(costs) - 1e-9))
    return float(np.sort(costs)[need - 1]) if need else 0.0


def share_of(tree, sampling, most: float) -> float:
    """The cost at which a tree solves as many puzzles as `most` samples do, as a share of theirs.

    1 where it never does.
    """
    level = float(np.mean(np.asarray(sampling) <= most))
    return min(1.0, reached(tree, level) / most)


def every_way(puzzles: str) -> dict[str, np.ndarray]:
    """{way: costs of the first verified solution, (seeds, puzzles)}, of all ways recorded."""
    ways = {
        "sampling": rival(puzzles),
        "tree, learned value": found(puzzles, "mcts", "prm")[0],
        "the same, its value not charged": if_free(puzzles),
        "tree, a completion as value": found(puzzles, "mcts", "rollout")[0],
        "tree, exact value (free)": found(puzzles, "mcts", "exact")[0],
        "beam, learned value": found(puzzles, "beam", "prm")[0],
    }
    if puzzles == HARDEST:
        ways["DVTS, learned value"] = found(puzzles, "dvts", "prm")[0]
    return ways


def if_free(puzzles: str, policy: str = "cot") -> np.ndarray:
    """The costs of the trees that the learned value led, had it cost nothing: (seeds, puzzles).

    Where such a tree found nothing it still counts as found nothing, so this is no lower bound.
    """
    cost, _, _, value_cost = found(puzzles, "mcts", "prm", policy)
    solved_at_all = np.isfinite(cost)
    return np.where(solved_at_all, cost - np.where(solved_at_all, value_cost, 0), np.inf)


def blind(puzzles: str, sizes) -> dict[str, list[float]]:
    """{name: share solved by so many blind plays}, also if each takes the best last move."""
    chances = _arrays("searching")[f"{puzzles}-floor"]  # (puzzles, 2)
    names = ("blind play, as many tries", "the same, with a perfect last move")
    return {
        name: [float((1 - (1 - p) ** n).mean()) for n in sizes]
        for name, p in zip(names, chances.T, strict=True)
    }


def game_of_24(sizes) -> dict[str, tuple]:
    """{way and policy: share of all 1,362 puzzles solved within so many tokens, low, high}."""
    lines = {}
    for policy, name in (("cot", "tuned"), ("ppo", "after PPO")):
        ways = [("sampling", "", BEST[policy]), ("mcts", "prm", TEMPERATURE)]
        for way, value, heat in [*ways, ("mcts", "exact", TEMPERATURE)]:
            tokens = found("24", way, value, policy, heat)[2]
            label = {"": "sampling", "prm": "tree", "exact": "tree, exact value"}[value]
            lines[f"{label}, {name}"] = interval(WITHIN * solved(tokens, sizes))
    return lines


def story_lines(ways: Sequence[str]) -> tuple[list[float], dict[str, tuple]]:
    """(costs, {way: (share right, low, high)}): every way at its own costs, None elsewhere."""
    curves = {way: interval(by_way(way)) for way in ways}
    costs = {
        way: [float(f"{cost:.4g}") for cost in by_way(way, "flops").mean((0, 1))] for way in ways
    }
    every = sorted({cost for row in costs.values() for cost in row})
    places = {way: [every.index(cost) for cost in row] for way, row in costs.items()}
    lines = {}
    for way, parts in curves.items():
        rows = [[None] * len(every) for _ in parts]
        for row, part in zip(rows, parts, strict=True):
            for place, value in zip(places[way], part, strict=True):
                row[place] = value
        lines[way] = tuple(rows)
    return every, lines


def by_way(way: str, what: str = "right") -> np.ndarray:
    """Stories: of a way of choosing among N "right" or "flops", (seeds, problems, sizes).

    way: "majority", "oracle", "best of N", "weighted vote", a beam (of one size), or a tree by how
    its answer is chosen ("mcts, vote"; its sizes are its budgets). FLOPs are in rollouts of average
    cost.
    """
    record, arrays = recorded("story_search"), _arrays("story_search")
    rows = np.stack([arrays[f"{seed}/{way}/{what}"] for seed in record["seeds"]])
    return rows / record["rollout flops"] if what == "flops" else rows


def at_cost(cost: np.ndarray, costs: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values at a cost, by straight lines over the logarithm of costs that rise: (problems,).

    cost: a number. costs: (sizes,). values: (problems, sizes). Beyond the ends, the ends' values.
    """
    where = np.interp(np.log(cost), np.log(costs), np.arange(len(costs)))
    low = int(min(where, len(costs) - 2))
    share = where - low
    return values[:, low] * (1 - share) + values[:, low + 1] * share


def beside_majority(
    way: str, place: int = -1, against: str = "majority"
) -> tuple[np.ndarray, np.ndarray]:
    """A search of Stories, and majority voting for as much compute: (seeds, problems) each.

    place: of its budget. against: another way of choosing among N in the majority's place.
    """
    right, flops = by_way(way)[..., place], by_way(way, "flops")[..., place]
    votes, costs = by_way(against), by_way(against, "flops")
    rows = [
        at_cost(mine.mean(), row.mean(0), vote)
        for mine, row, vote in zip(flops, costs, votes, strict=True)
    ]
    return right, np.stack(rows)


def effects() -> dict[str, tuple[tuple[float, float, float], list[float], int]]:
    """For each claim: (estimate, low, high), every seed's own value, problems compared."""
    most = recorded("searching")["sampled"][HARDEST]
    base, every = paid(rival(HARDEST)), rival(HARDEST)
    learned = found(HARDEST, "mcts", "prm")[0]
    out = {
        "05-learned-value-pays": _over([paid(learned), base], _saved),
        "05-completion-as-value-pays": _over([paid(found(HARDEST, "mcts", "rollout")[0]), base],
                                             _saved),
        "05-quarter-of-the-samples": _each([learned, every], lambda p: share_of(p[:, 0], p[:, 1],
                                                                               most)),
    }  # fmt: skip
    tree = found("24", "mcts", "prm", "ppo")[0]
    out["05-game-of-24-solved"] = _over([solved(tree, [recorded("searching")["most"]])[..., 0]],
                                        lambda one: WITHIN * float(one.mean()))  # fmt: skip
    out["05-game-of-24-cheaper"] = _over([paid(tree), paid(rival("24", "ppo"))], _saved)
    right, votes = beside_majority("mcts, vote")
    out["05-stories-tree-beats-majority"] = _over(
        [right, votes], lambda pair: float((pair[:, 0] - pair[:, 1]).mean())
    )
    return out


def _saved(pair: np.ndarray) -> float:
    return saved(pair[:, 0], pair[:, 1])


def _over(columns: list[np.ndarray], statistic):
    """A statistic of (problems, columns), averaged over seeds, over problems and seeds."""
    stack = np.stack(columns, axis=-1)  # (seeds, problems, columns)
    each = [float(statistic(one)) for one in stack]
    return resample(list(stack), statistic), each, stack.shape[1]


def _each(columns: list[np.ndarray], statistic, draws: int = 2000):
    """The mean over seeds of a statistic that must not see an average, such as a quantile."""
    stack = np.stack(columns, axis=-1)
    each = [float(statistic(one)) for one in stack]
    rng, (seeds, problems) = np.random.default_rng(0), stack.shape[:2]
    means = []
    for _ in range(draws):
        rows = rng.integers(0, problems, problems)
        means.append(np.mean([statistic(stack[s][rows]) for s in rng.integers(0, seeds, seeds)]))
    low, high = np.percentile(means, [2.5, 97.5])
    return (float(np.mean(each)), float(low), float(high)), each, problems


def claims() -> list[Claim]:
    """The claims on searches that pay, judged by thresholds committed before the records."""
    facts = {name: recorded(name) for name in ("searching", "story_search")}
    known = {n: {key: r[key] for key in ("device", "command", "date")} for n, r in facts.items()}
    flops = {"searching": _cost(facts["searching"]), "story_search": _story_cost()}
    out = []
    for name, (value, each, count) in effects().items():
        of = "story_search" if name.startswith("05-stories") else "searching"
        one = judged(name, value, seeds=each, problems=count, flops=flops[of], **known[of])
        out.append(one)
    return out


def _cost(record: dict) -> float:
    """FLOPs of the trees and of the samples that the claims compare."""
    hard = [found(HARDEST, "mcts", value)[0] for value in ("prm", "rollout")] + [rival(HARDEST)]
    games = [found("24", "mcts", "prm", "ppo")[0], rival("24", "ppo")]
    sums = [(HARDEST, hard), ("24", games)]
    return float(
        sum(paid(rows).sum() * record["rollout flops"][s] for s, all_ in sums for rows in all_)
    )


def _story_cost() -> float:
    """FLOPs of the largest trees and of all the samples that were voted on."""
    price = recorded("story_search")["rollout flops"]
    ways = ("mcts, vote", "majority")
    return float(sum(by_way(way, "flops")[..., -1].sum() for way in ways) * price)
