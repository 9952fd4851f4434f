"""What lesson 03 reads out of its ladder of verifiers: curves, differences, measures, claims.

Leaves out how the record is made (`ladder`, `labelling`).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from o1lab.make.lesson01 import recorded
from o1lab.make.verifiers import WORLD
from o1lab.measure.claims import Claim, judged
from o1lab.measure.statistics import bootstrap_mean, paired_bootstrap, resample
from o1lab.model.rollouts import Rollout
from o1lab.paths import data_dir
from o1lab.rewards.labels import Labels
from o1lab.rewards.models import PRM, load_reward_model, train_prm
from o1lab.tasks import task

BEST = {"prm": "product", "orm": "last"}  # how each kind's scores are aggregated in claims
SLOPE_FROM = 4  # N from which the growth of a gap is read


@lru_cache(maxsize=1)
def _arrays(path: str, changed: float) -> dict:
    from safetensors.numpy import load_file

    return load_file(path)


def _all() -> dict:
    path = data_dir() / "results" / "ladder.safetensors"
    return _arrays(str(path), path.stat().st_mtime)


def seeds(arm: str) -> list[str]:
    """The training seeds of an arm, sorted; KeyError with the arms there are."""
    arms = recorded("ladder")["arms"]
    if arm not in arms:
        raise KeyError(f"the ladder has no arm {arm!r}: there are {', '.join(arms)}")
    return sorted(arms[arm]["runs"])


def curve(arm: str, method: str, what: str = "right", small: bool = False) -> np.ndarray:
    """Accuracy of choosing among N rollouts: (seeds, problems, sizes).

    method: "product", "min", "last", "mean" or "vote"; for the arm "free" one of "random",
    "majority", "log-probability", "log-probability per token", "oracle". what: "right" answers or
    "sound" chains, every step right too. small: on the side arms' problems, up to 64 rollouts.
    Side arms know no others.
    """
    if small and arm == "free":
        arm, small = "free small", False
    inside = "small/" if small and recorded("ladder")["arms"][arm].get("core") else ""
    keys = [f"{arm}/{seed}/{inside}{method}/{what}" for seed in seeds(arm)]
    return np.stack([_all()[key].astype(float) for key in keys])


def sizes(small: bool = False) -> list[int]:
    """The N of the curves."""
    return recorded("ladder")["small sizes" if small else "sizes"]


def depths(small: bool = False) -> np.ndarray:
    """The depth of each problem."""
    return np.array(recorded("ladder")["small depth" if small else "depth"])


def interval(values: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """(mean, low, high) at each size, over problems and seeds, from (seeds, problems, sizes)."""
    points = [bootstrap_mean(values[:, :, i]) for i in range(values.shape[-1])]
    means, lows, highs = zip(*points, strict=True)
    return list(means), list(lows), list(highs)


def at(arm: str, method: str, size: int, small: bool = False, what: str = "right") -> np.ndarray:
    """The curve at one N: (seeds, problems)."""
    return curve(arm, method, what, small)[:, :, sizes(small).index(size)]


def metric(arm: str, name: str) -> list:
    """A measure of every seed's verifier, such as "within auroc"; see `verifier_metrics`."""
    runs = recorded("ladder")["arms"][arm]["runs"]
    return [runs[seed]["metrics"][name] for seed in sorted(runs)]


def cost(arm: str) -> float:
    """FLOPs of training, labels and scoring of all of an arm's verifiers."""
    runs = recorded("ladder")["arms"][arm]["runs"].values()
    return sum(run["flops"] + run["label_flops"] + run["score_flops"] for run in runs)


def price(arm: str) -> float:
    """FLOPs of scoring a rollout over those of writing it; rollouts of a problem share its prompt.

    Training is not counted: `cost` has it.
    """
    arms = recorded("ladder")["arms"]
    return arms[arm]["runs"]["0"]["score_flops"] / arms["free"]["runs"]["0"]["flops"]


def rival_size(arm: str, size: int) -> int:
    """The first recorded N whose rollouts alone cost what `size` rollouts and their scores do.

    ValueError where the record holds none so large.
    """
    needed = size * (1 + price(arm))
    enough = [n for n in sizes() if n >= needed]
    if not enough:
        raise ValueError(f"{size} rollouts and their scores cost {needed:.0f}: N ends before that")
    return enough[0]


def against_majority(arm: str, method: str, size: int):
    """Paired difference from the majority of `rival_size` rollouts: (estimate, low, high)."""
    rival = at("free", "majority", rival_size(arm, size))
    return _paired(at(arm, method, size), rival)[0]


def gap_growth(a: np.ndarray, b: np.ndarray, counts: list[int]) -> tuple[float, float, float]:
    """How much a - b grows with each doubling of N, from SLOPE_FROM on; with its interval.

    a, b: curves (seeds, problems, sizes) of the same problems, seeds paired.
    """
    kept = [i for i, n in enumerate(counts) if n >= SLOPE_FROM]
    doublings = np.log2([counts[i] for i in kept])
    gaps = list((a - b)[:, :, kept])
    return resample(gaps, lambda rows: np.polyfit(doublings, rows.mean(0), 1)[0])


def effects() -> dict[str, tuple[tuple[float, float, float], list[float], int]]:
    """For each claim: (estimate, low, high), every verifier seed's own value, problems compared."""
    return {**_choices(), **_measures(), **_side()}


def _paired(a: np.ndarray, b: np.ndarray):
    """Paired difference of (seeds, problems); one seed stands against each of several."""
    rows = max(len(a), len(b))
    a, b = (np.repeat(x, rows, 0) if len(x) == 1 else x for x in (a, b))
    return paired_bootstrap(a, b), (a - b).mean(1).tolist(), a.shape[1]


def _choices() -> dict:
    """The claims about whom to trust with the choice, on all problems."""
    most = sizes()[-1]
    prm, orm = curve("prm", BEST["prm"]), curve("orm", BEST["orm"])
    slope = gap_growth(prm, orm, sizes())
    each = [gap_growth(a[None], b[None], sizes())[0] for a, b in zip(prm, orm, strict=True)]
    return {
        "03-prm-beats-orm": _paired(at("prm", "product", most), at("orm", "last", most)),
        "03-prm-beats-majority": _paired(at("prm", "product", 64), at("free", "majority", 64)),
        "03-vote-beats-majority": _paired(at("prm", "vote", 64), at("free", "majority", 64)),
        "03-gap-grows-with-n": (slope, each, prm.shape[1]),
    }


def _measures() -> dict:
    """The claims read off measures; their intervals are over verifier seeds alone."""
    within = np.array(metric("prm", "within auroc")) - 0.5
    lowest = [np.array([m[0] for m in metric(arm, "minimum at")]) for arm in ("prm", "orm")]
    return {
        "03-within-auroc": _over_seeds(within),
        "03-orm-in-disguise": _over_seeds(lowest[0] - lowest[1]),
    }


def _over_seeds(values: np.ndarray):
    """Mean and a t interval over seeds: three are few, and it says so."""
    from scipy.stats import t

    mean, wide = float(values.mean()), float(values.std(ddof=1) / len(values) ** 0.5)
    reach = float(t.ppf(0.975, len(values) - 1)) * wide
    return (mean, mean - reach, mean + reach), values.tolist(), len(depths())


def _side() -> dict:
    """The claims about side arms, on their fewer problems and one training seed."""

    def best(arm: str, size: int = 64) -> np.ndarray:
        kind = recorded("ladder")["arms"][arm]["kind"]
        return at(arm, BEST[kind], size, small=True)

    weak = "prm plain"
    return {
        "03-equal-labels": _paired(best("prm equal labels"), best("orm")),
        "03-weak-verifier-falls": _paired(best(weak), best(weak, 1)),
        "03-noise-survived": _paired(best("prm noise 20%"), best("prm noise 0%")),
    }


def claims() -> list[Claim]:
    """The claims of lesson 03, judged by thresholds that were committed before the ladder."""
    ladder = recorded("ladder")
    known = {key: ladder[key] for key in ("device", "command", "date")}
    flops = sum(cost(arm) for arm in ("prm", "orm"))
    return [
        judged(name, value, seeds=each, problems=count, flops=flops, **known)
        for name, (value, each, count) in effects().items()
    ]


def trained(label: Callable, rollouts: Sequence[Rollout], updates: int, device: str = "cpu"):
    """A PRM with the reader's own labels, from layers that have seen no label.

    label(rollout, verdicts): one number in 0..1 a step, or None; verdicts are the checker's.
    """
    start = load_reward_model("stories-expecting", device)
    world, kept = task(WORLD), [r for r in rollouts if r.step_ends and r.answer is not None]
    rows = [label(r, world.verdicts(r.problem, world.steps(r.thoughts))) for r in kept]
    config = replace(PRM.config, steps=updates)
    return train_prm(start, kept, Labels("the reader's own", rows), replace(PRM, config=config))
