"""Exercises of notebook 02: pass@k without bias, coverage of many problems, the likeliest."""

from math import comb

import numpy as np

from o1lab.exercises import Exercise, Mistake
from o1lab.model.rollouts import Rollout


def _pass_at_k(fn) -> str | None:
    if fn(4, 2, 1) == 0.5 and abs(fn(4, 2, 2) - 0.75) < 1e-9:
        return (
            "1 - (1 - c/n)^k draws the same rollout twice: of 4, two right, pass@2 is 5/6, not 3/4"
        )
    if abs(fn(4, 2, 2) - 1 / 6) < 1e-9:
        if abs(fn(4, 1, 1) - 0.75) < 1e-9:
            return "that is the chance that none of the k is right; take it from 1"
        return "that is the chance that all k are right; one is enough"
    if abs(fn(4, 2, 2) - 5 / 6) > 1e-9:
        return f"of 4 rollouts two are right: pass@2 is 5/6 = 0.833, yours is {fn(4, 2, 2):.3f}"
    if fn(4, 3, 2) != 1:
        return "with fewer than k wrong ones some right one is always drawn: 1"
    if fn(4, 0, 3) != 0:
        return "with no right one pass@k is 0"
    if not abs(fn(5000, 1, 2500) - 0.5) < 1e-6:
        return "numbers of this size overflow or lose digits: multiply k ratios, not factorials"
    return None


def _with_replacement(n, c, k):
    return 1 - (1 - c / n) ** k


def _none_right(n, c, k):
    return comb(n - c, k) / comb(n, k)


def _all_right(n, c, k):
    return comb(c, k) / comb(n, k)


def _never_sure(n, c, k):
    if k > n - c:
        return 0.0
    return 1 - comb(n - c, k) / comb(n, k)


def _too_big(n, c, k):
    ways = [1.0, 1.0]
    for i in range(k):
        ways = [ways[0] * (n - c - i), ways[1] * (n - i)]
    return 1 - ways[0] / ways[1] if np.isfinite(ways[1]) else float("nan")


def _rollout(answer: str | None, logprobs: list[float]) -> Rollout:
    text = "<think>\n" if answer is None else f"<think>\n</think>\n{answer}"
    return Rollout(None, [], [0] * len(logprobs), logprobs, text, finished=answer is not None)


def _likeliest(fn) -> str | None:
    short, long, cut = _rollout("1", [-2.0]), _rollout("2", [-0.9] * 3), _rollout(None, [-0.1])
    got = fn([long, short])
    if not isinstance(got, Rollout):
        return f"give the rollout itself, not {type(got).__name__}"
    if got is long and fn([short, _rollout("3", [-3.0])]) is short:
        return "sum the log-probabilities of all tokens: a mean (or the first token) forgets length"
    if got is long:
        return "the likeliest one has the highest sum: log-probabilities are at most 0"
    if fn([short, cut]) is cut:
        return "a rollout without an answer cannot be chosen, however likely its tokens are"
    twin = _rollout("4", [-2.0])
    if fn([short, twin]) is not short:
        return "of two equally likely ones take the first"
    return None


def _answered(rollouts):
    return [r for r in rollouts if r.answer is not None]


def _by_mean(rollouts, per_token=False):
    return max(_answered(rollouts), key=lambda r: sum(r.logprobs) / len(r.logprobs))


def _lowest(rollouts, per_token=False):
    return min(_answered(rollouts), key=lambda r: sum(r.logprobs))


def _also_cut(rollouts, per_token=False):
    return max(rollouts, key=lambda r: sum(r.logprobs))


def _last_of_equals(rollouts, per_token=False):
    return max(reversed(_answered(rollouts)), key=lambda r: sum(r.logprobs))


def _only_answer(rollouts, per_token=False):
    return _also_cut(_answered(rollouts)).answer


def _coverage(fn) -> str | None:
    rates, ks = np.array([0.0, 1.0]), [1, 2, 8]
    got = np.asarray(fn(rates, ks), dtype=float)
    if got.shape == (2, 3) or got.shape == (3, 2):
        return "one number for each k: the mean over the problems is missing"
    if got.shape != (3,):
        return f"3 values of k need 3 numbers, yours has the shape {got.shape}"
    if np.allclose(got, 1 - 0.5 ** np.array(ks)):
        return "that is one problem of average chance: first 1 - (1 - p)^k for each, then the mean"
    if np.any(got > 1):
        return "k times p counts the right rollouts: coverage asks for one or more, at most 1"
    if np.allclose(got, [0.5, 0.5, 0.5]) and np.allclose(fn(np.array([0.5]), [2]), 0.75):
        return None
    if np.allclose(fn(np.array([0.5]), [2]), 0.25):
        return "(1 - p)^k is the chance that all fail; take it from 1"
    return f"chances 0 and 1 have coverage 0.5 at every k, yours is {got.tolist()}"


def _of_the_mean(rates, ks):
    return np.array([1 - (1 - np.mean(rates)) ** k for k in ks])


def _times(rates, ks):
    return np.array([k * np.mean(rates) for k in ks])


def _all_fail(rates, ks):
    return np.array([np.mean((1 - np.asarray(rates)) ** k) for k in ks])


def _each(rates, ks):
    return np.array([1 - (1 - np.asarray(rates)) ** k for k in ks])


def _one_k(rates, ks):
    return np.mean(1 - (1 - np.asarray(rates)) ** ks[0])


EXERCISES = (
    Exercise(
        id="02.pass_at_k",
        reference="o1lab.measure.statistics.pass_at_k",
        tests=_pass_at_k,
        hints=(
            "Draw k of the n rollouts, none of them twice. How likely is it that all are wrong?",
            "The i-th draw is wrong with chance (n - c - i) / (n - i), i from 0 to k - 1. Multiply "
            "them, take the product from 1; a factor below 0 is a 0.",
        ),
        mistakes=(
            Mistake(_with_replacement, "same rollout twice"),
            Mistake(_none_right, "take it from 1"),
            Mistake(_all_right, "one is enough"),
            Mistake(_never_sure, "always drawn"),
            Mistake(_too_big, "multiply k ratios"),
        ),
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="02.coverage_of_rates",
        reference="o1lab.measure.laws.coverage_of_rates",
        tests=_coverage,
        hints=(
            "One problem of chance p is missed by all of k rollouts with chance (1 - p)^k.",
            "For every k: the mean over the problems of 1 - (1 - p)^k.",
        ),
        mistakes=(
            Mistake(_of_the_mean, "average chance"),
            Mistake(_times, "at most 1"),
            Mistake(_all_fail, "take it from 1"),
            Mistake(_each, "mean over the problems"),
            Mistake(_one_k, "3 numbers"),
        ),
        minutes=5,
    ),
    Exercise(
        id="02.likeliest",
        reference="o1lab.search.vote.likeliest",
        tests=_likeliest,
        hints=(
            "The chance of a text is the product of its tokens' chances: sum `rollout.logprobs`.",
            "Leave out rollouts whose `answer` is None, then max(…, key=…).",
        ),
        mistakes=(
            Mistake(_by_mean, "a mean"),
            Mistake(_lowest, "highest sum"),
            Mistake(_also_cut, "without an answer"),
            Mistake(_last_of_equals, "take the first"),
            Mistake(_only_answer, "rollout itself"),
        ),
        minutes=5,
    ),
)
