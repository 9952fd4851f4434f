"""What lesson 02 reads out of its store of samples: coverage, votes, laws, claims.

Leaves out how the store is made (`sampling`).
"""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from o1lab.make.lesson01 import recorded
from o1lab.make.sampling import NO_ANSWER
from o1lab.measure.claims import Claim, judged
from o1lab.measure.laws import beta_tail, coverage_of_rates, power_law
from o1lab.measure.statistics import bootstrap_mean, pass_at_k, resample
from o1lab.paths import data_dir
from o1lab.search.curves import majority_curve, majority_prediction, oracle_curve

BLOCKS = 4  # disjoint parts of each problem's rollouts: four sampling seeds
VOTES, MOST = (4, 16, 64), 128
FIT = (8, 16, 32, 64)  # k at which the exponent is fitted
BLIND_FIT, BLIND_TEST = (1, 2, 4, 8, 16), (32, 64, 128)
DRAWS = 100  # random orders a vote is averaged over


@dataclass(frozen=True)
class Part:
    """One part of the store; arrays are (problems, n), codes of answers empty for Countdown.

    floor: each problem's chance of one blind try, (problems,), or (guessers, problems) in Stories.
    facts: policy, temperature, tokens, FLOPs.
    """

    right: np.ndarray
    sound: np.ndarray
    codes: np.ndarray
    floor: np.ndarray
    facts: dict

    def answers(self) -> list[list[str | None]]:
        """Each rollout's answer as text, None where there is none."""
        return [[None if c == NO_ANSWER else str(c) for c in row] for row in self.codes.tolist()]


@lru_cache(maxsize=1)
def _arrays(path: str, changed: float) -> dict:
    from safetensors.numpy import load_file

    return load_file(path)


def part(name: str) -> Part:
    """A part by name, such as "stories lesson"; KeyError with the names there are."""
    facts = recorded("sampling")["parts"]
    if name not in facts:
        raise KeyError(f"the store has no part {name!r}: there are {', '.join(facts)}")
    path = data_dir() / "results" / "sampling.safetensors"
    arrays, n = _arrays(str(path), path.stat().st_mtime), facts[name]["n"]
    right, sound = (
        np.unpackbits(arrays[f"{name}/{key}"], axis=1, count=n).astype(bool)
        for key in ("right", "sound")
    )
    codes = arrays.get(f"{name}/answers", np.zeros((0, n), np.uint8))
    return Part(right, sound, codes, np.array(facts[name]["floor"]), facts[name])


def variety(world: str, temperature: float) -> dict[str, np.ndarray]:
    """Accuracy, coverage and distinct answers and thoughts of each problem at a temperature."""
    name = f"{world} at {temperature}"
    found, arrays = part(name), _arrays(*_where())
    return {
        "right": found.right.mean(1),
        "covered": found.sound.any(1).astype(float),
        "answers": arrays[f"{name}/distinct answers"] / found.right.shape[1],
        "thoughts": arrays[f"{name}/distinct thoughts"] / found.right.shape[1],
    }


def _where() -> tuple[str, float]:
    path = data_dir() / "results" / "sampling.safetensors"
    return str(path), path.stat().st_mtime


def sizes_to(most: int) -> list[int]:
    """1, 2, 4 … most."""
    return [2**i for i in range(int(most).bit_length()) if 2**i <= most]


def interval(values: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """(mean, low, high) at each size, from (problems, sizes) or (seeds, problems, sizes)."""
    points = [bootstrap_mean(values[..., i]) for i in range(values.shape[-1])]
    means, lows, highs = zip(*points, strict=True)
    return list(means), list(lows), list(highs)


def coverage_curve(rights: np.ndarray, sizes) -> tuple:
    """Unbiased pass@k with its interval over problems."""
    return interval(oracle_curve(rights, sizes))


def floor_curve(floor: np.ndarray, sizes) -> list[float]:
    """Coverage of as many blind tries, from exact chances; of the better guesser at each size.

    floor: (problems,) or (guessers, problems).
    """
    covered = [coverage_of_rates(chances, sizes) for chances in np.atleast_2d(floor)]
    return np.max(covered, axis=0).tolist()


def votes(found: Part, sizes, draws: int = DRAWS) -> np.ndarray:
    """Accuracy of majorities of N rollouts, a row a problem; a mean over `draws` orders."""
    return majority_curve(found.answers(), found.right, sizes, draws)


def predicted_votes(found: Part, right: list[str], sizes, draws: int = 1000) -> np.ndarray:
    """The same, predicted from the answer counts of these rollouts, with no free parameter."""
    counts = [Counter(row) for row in found.answers()]
    return majority_prediction(counts, right, sizes, draws)


def half(found: Part, second: bool) -> Part:
    """One half of each problem's rollouts, for what must not be judged on its own samples."""
    middle = found.right.shape[1] // 2
    cut = slice(middle, None) if second else slice(None, middle)
    return _cut(found, cut)


def _cut(found: Part, cut: slice) -> Part:
    codes = found.codes[:, cut] if found.codes.size else found.codes
    return Part(found.right[:, cut], found.sound[:, cut], codes, found.floor, found.facts)


def blocks(found: Part) -> list[Part]:
    """The rollouts in BLOCKS disjoint parts: as many sampling seeds."""
    size = found.right.shape[1] // BLOCKS
    return [_cut(found, slice(i * size, (i + 1) * size)) for i in range(BLOCKS)]


def exponents(rights: np.ndarray) -> tuple[float, float]:
    """(b from the tail of one half's counts, b of a power law through the other half's coverage).

    rights: (problems, n). Schaeffer et al. 2025: they agree where the tail is what makes the law.
    """
    middle = rights.shape[1] // 2
    first, second = rights[:, :middle], rights[:, middle:]
    sizes = [k for k in FIT if k <= second.shape[1] // 4]
    n, c = np.full(len(second), second.shape[1]), second.sum(1)
    covered = [pass_at_k(n, c, k).mean() for k in sizes]
    tail = beta_tail(middle, first.sum(1)).parameters["b"]
    return tail, power_law(sizes, covered).parameters["b"]


def law_error(rates: np.ndarray) -> float:
    """Held-out error of the power law on exact rates: fitted at k up to 16, scored at 32 to 128."""
    law = power_law(BLIND_FIT, coverage_of_rates(rates, BLIND_FIT))
    return float(np.abs(law.at(BLIND_TEST) - coverage_of_rates(rates, BLIND_TEST)).mean())


def blind_rates() -> tuple[np.ndarray, np.ndarray]:
    """Exact rates of blind play: (a natural mix of puzzles, puzzles of nearly equal rates)."""
    blind = recorded("sampling")["blind"]
    return np.array(blind["natural"]), np.array(blind["narrow"])


def effects() -> dict[str, tuple[tuple[float, float, float], list[float], int]]:
    """For each claim: (estimate, low, high), every sampling seed's own value, problems compared."""
    return {**_vote_effects(), **_law_effects()}


def _vote_effects() -> dict:
    found = part("stories lesson")
    truth = found.facts["answer"]

    def gap(one: Part) -> np.ndarray:
        return (oracle_curve(one.right, [MOST]) - votes(one, [MOST]))[:, 0]

    def gain(one: Part) -> np.ndarray:
        return votes(one, [64])[:, 0] - one.right.mean(1)

    fresh = half(found, True)
    told, seen = predicted_votes(half(found, False), truth, VOTES), votes(fresh, VOTES)
    each = [
        _distance(predicted_votes(_rest(found, i), truth, VOTES), votes(one, VOTES))
        for i, one in enumerate(blocks(found))
    ]
    both = np.concatenate([told, seen], axis=1)
    count, width = len(truth), len(VOTES)
    off = resample(both, lambda rows: _distance(rows[:, :width], rows[:, width:]))
    return {
        "02-coverage-outruns-voting": _by_blocks(gap, found),
        "02-voting-helps": _by_blocks(gain, found),
        "02-votes-predicted": (off, each, count),
    }


def _distance(told: np.ndarray, seen: np.ndarray) -> float:
    """Mean over sizes of |mean over problems predicted - observed|."""
    return float(np.abs(told.mean(0) - seen.mean(0)).mean())


def _rest(found: Part, i: int) -> Part:
    """All rollouts but those of block i."""
    size = found.right.shape[1] // BLOCKS
    keep = np.r_[0 : i * size, (i + 1) * size : found.right.shape[1]]
    return Part(found.right[:, keep], found.sound[:, keep], found.codes[:, keep], found.floor, {})


def _by_blocks(statistic, found: Part):
    """Interval over problems from all rollouts, and the value in each block of them."""
    values = statistic(found)
    each = [float(statistic(one).mean()) for one in blocks(found)]
    return bootstrap_mean(values), each, len(values)


def _law_effects() -> dict:
    found = part("countdown lesson")
    natural, narrow = blind_rates()

    def apart(rows: np.ndarray) -> float:
        tail, fitted = exponents(rows > 0.5)
        return abs(tail - fitted)

    def over(one: Part) -> np.ndarray:
        return oracle_curve(one.sound, [64])[:, 0] - (1 - (1 - one.floor) ** 64)

    exponent = resample(found.sound, apart, draws=200)
    each = [apart(one.sound) for one in blocks(found)]
    size = min(len(natural), len(narrow))
    pair = np.stack([natural[:size], narrow[:size]], axis=1)
    errors = resample(pair, lambda rows: law_error(rows[:, 1]) - law_error(rows[:, 0]))
    return {
        "02-tail-predicts-exponent": (exponent, each, len(found.sound)),
        "02-no-tail-no-law": (errors, [errors[0]], size),
        "02-policy-beats-blind-play": _by_blocks(over, found),
    }


def claims() -> list[Claim]:
    """The claims of lesson 02, judged by thresholds that were committed before the store."""
    store = recorded("sampling")
    known = {key: store[key] for key in ("device", "command", "date")}
    return [
        judged(name, value, seeds=each, problems=count, flops=_cost(name, store), **known)
        for name, (value, each, count) in effects().items()
    ]


def _cost(name: str, store: dict) -> float:
    """FLOPs of the samples behind a claim; blind play costs none, a solver counts it."""
    worlds = {"02-no-tail-no-law": None, "02-tail-predicts-exponent": "countdown"}
    worlds["02-policy-beats-blind-play"] = "countdown"
    world = worlds.get(name, "stories")
    return store["parts"][f"{world} lesson"]["flops"] if world else 0.0
