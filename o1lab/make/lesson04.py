"""What lesson 04 reads out of its record of reinforced policies: curves, exams, coverage, claims.

Leaves out how the record is made (`reinforce`).
"""

import numpy as np

from o1lab.make.lesson01 import recorded
from o1lab.measure.claims import Claim, judged
from o1lab.measure.statistics import paired_bootstrap, pass_at_k, resample

WORLD = "stories"  # where all arms were run
LONG = "ppo process, longer"  # the run that the aim of ten minutes is about
FIRST = 1 / 3  # share of the iterations on which the entropy law is fitted


def runs(arm: str, world: str = WORLD) -> list[dict]:
    """An arm's runs, by seed; KeyError with the arms there are."""
    every = recorded("reinforce")["runs"]
    found = [run for run in every if (run["world"], run["arm"]) == (world, arm)]
    if not found:
        known = sorted({run["arm"] for run in every if run["world"] == world})
        raise KeyError(f"no arm {arm!r} in {world}: there are {', '.join(known)}")
    return sorted(found, key=lambda run: run["seed"])


def rates(arm: str, temperature: float = 1.0, world: str = WORLD) -> np.ndarray:
    """Accuracy on each problem of the exam: (seeds, problems). arm "start": before any of it."""
    record = recorded("reinforce")
    exams = [record["start"][world]] if arm == "start" else [r["exam"] for r in runs(arm, world)]
    return np.array([exam[str(temperature)] for exam in exams]) / record["times"]


def at_best(arm: str, world: str = WORLD) -> tuple[list[float], np.ndarray]:
    """Each seed's best temperature on one half of the exam, and its accuracy on the other half.

    ([temperature of each seed], (seeds, problems / 2)).
    """
    heats = recorded("reinforce")["temperatures"]
    tables = np.stack(
        [rates(arm, heat, world) for heat in heats]
    )  # (temperatures, seeds, problems)
    best = tables[:, :, ::2].mean(2).argmax(0)  # (seeds,)
    rows = [tables[b, seed, 1::2] for seed, b in enumerate(best)]
    return [heats[b] for b in best], np.stack(rows)


def gained(a: np.ndarray, b: np.ndarray):
    """((difference, low, high), each seed's) of accuracies (seeds, problems); one may stand

    against several.
    """
    count = max(len(a), len(b))
    a, b = (np.repeat(x, count, 0) if len(x) == 1 else x for x in (a, b))
    return paired_bootstrap(a, b), (a - b).mean(1).tolist()


def looked(run: dict, what: str = "pass@1", block: int = 1) -> list[tuple[float, float]]:
    """(FLOPs, value) of the iterations of a run that hold the value, the start left out.

    block: so many iterations in a row become their mean, at the FLOPs of the last; a rest that
    fills no block is left out.
    """
    rows = [(r["flops"], r[what]) for r in run["curve"] if what in r and r["flops"]]
    blocks = [rows[i : i + block] for i in range(0, len(rows) - block + 1, block)]
    return [(part[-1][0], float(np.mean([value for _, value in part]))) for part in blocks]


def lines(
    arms: list[str], what: str = "pass@1", world: str = WORLD, block: int = 1
) -> tuple[list, dict]:
    """(FLOPs, {arm: (mean, lowest, highest) over seeds}), None where an arm has no value."""
    found = {}
    for arm in arms:
        seeds = [looked(run, what, block) for run in runs(arm, world)]
        found[arm] = {
            float(np.mean([flops for flops, _ in row])): [value for _, value in row]
            for row in zip(*seeds, strict=False)
        }
    xs = sorted({x for row in found.values() for x in row})
    take = (np.mean, np.min, np.max)
    return xs, {
        arm: tuple([float(f(row[x])) if x in row else None for x in xs] for f in take)
        for arm, row in found.items()
    }


def covered(which: str, sizes: list[int], what: str = "sound", world: str = WORLD) -> np.ndarray:
    """pass@k of every problem, (problems, sizes): "before", "before, cooled" or "after".

    what: "sound" counts rollouts whose every step is right, "right" also lucky ones.
    """
    store = recorded("reinforce")["coverage"][world][which]
    right = np.array(store[what])
    return np.stack([pass_at_k(np.full(len(right), store["n"]), right, k) for k in sizes], 1)


def lost_and_found(
    a: str = "before", b: str = "after", least: int = 3, world: str = WORLD
) -> dict[str, int]:
    """How many problems are solved soundly in both, one or neither of two coverage samples.

    Solved is `least` times or more: once in hundreds of tries may be once more or never in the
    next hundreds of the same policy.
    """
    store = recorded("reinforce")["coverage"][world]
    old, new = (np.array(store[which]["sound"]) >= least for which in (a, b))
    pairs = {"both": old & new, "lost": old & ~new, "gained": ~old & new, "neither": ~old & ~new}
    return {name: int(which.sum()) for name, which in pairs.items()}


def entropy_laws(run: dict, first: float = FIRST) -> dict[str, float]:
    """The root mean square errors of four ways to tell the accuracy of a run's later iterations.

    "b - a exp(H)" (Cui et al. 2025, equation 1) and "b - a H" are told the entropy H of the
    iteration before; "log step" is a straight line over the logarithm of the iteration, "no change"
    the mean of the last five that were seen. All are fitted on the first share of the run. H and
    accuracy are of different rollouts: a batch of hard problems moves both.
    """
    rows = [r for r in run["curve"] if "entropy" in r]
    entropy, right = (np.array([r[key] for r in rows]) for key in ("entropy", "true"))
    y, steps = right[1:], np.log(np.arange(2, len(rows) + 1))
    told = {"b - a exp(H)": np.exp(entropy[:-1]), "b - a H": entropy[:-1], "log step": steps}
    cut = round(len(y) * first)
    wrong = {}
    for name, x in told.items():
        slope, level = np.polyfit(x[:cut], y[:cut], 1)
        wrong[name] = level + slope * x[cut:] - y[cut:]
    wrong["no change"] = y[:cut][-5:].mean() - y[cut:]
    return {name: float(np.sqrt((gap**2).mean())) for name, gap in wrong.items()}


def minutes(run: dict) -> float:
    """How long a run trained, looks at held-out problems not counted where it kept a clock."""
    return run["curve"][-1].get("seconds", run["seconds"]) / 60


def spent(run: dict) -> float:
    """FLOPs of a run, looking at held-out problems not counted."""
    return sum(run["flops"].values())


def effects() -> dict[str, tuple[tuple[float, float, float], list[float], int]]:
    """For each claim: (estimate, low, high), every training seed's own value, problems compared."""
    pairs = {
        "04-ppo-learns": (rates(LONG), rates("start")),
        "04-more-than-cooling": (at_best(LONG)[1], at_best("start")[1]),
        "04-steps-beat-outcomes": (rates("ppo process"), rates("ppo outcome")),
        "04-beats-more-tuning": (at_best("ppo process")[1], at_best("more tuning")[1]),
        "04-placebo-teaches-nothing": (at_best("ppo placebo")[1], at_best("start")[1]),
        "04-summed-steps-are-hacked": (rates("ppo prm"), rates("ppo prm summed")),
        "04-countdown-learns": tuple(at_best(arm, "countdown")[1] for arm in (LONG, "start")),
    }
    found = {name: (*gained(a, b), a.shape[1]) for name, (a, b) in pairs.items()}
    most = 128
    gap = covered("after", [most])[:, 0] - covered("before", [most])[:, 0]
    found["04-coverage-shrinks"] = (resample(gap, np.mean), [float(gap.mean())], len(gap))
    return found


def claims() -> list[Claim]:
    """The claims of lesson 04, judged by thresholds that were committed before the record."""
    record = recorded("reinforce")
    known = {key: record[key] for key in ("device", "command", "date")}
    flops = sum(map(spent, record["runs"]))
    return [
        judged(name, value, seeds=each, problems=count, flops=flops, **known)
        for name, (value, each, count) in effects().items()
    ]
