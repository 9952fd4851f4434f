"""Choosing one answer from many rollouts by counting or by a score."""

from collections import Counter
from collections.abc import Sequence
from math import fsum, inf, isnan

from o1lab.model.rollouts import Rollout
from o1lab.rewards.aggregate import aggregate_rows
from o1lab.rewards.base import Scorer, score


def majority(answers: Sequence[str | None]) -> str | None:
    """The answer given most often; ties go to the one given first, None (no answer) never wins.

    Self-consistency, Wang et al. 2022. Returns None when there is no answer at all.
    """
    given = [answer for answer in answers if answer is not None]
    return Counter(given).most_common(1)[0][0] if given else None


def vote_curve(answers: Sequence[Sequence[str | None]], right: Sequence[str], sizes: Sequence[int]):
    """Share of problems whose majority of the first k answers is right, for each k in `sizes`.

    answers: a row of rollouts' answers a problem; right: the right answer a problem.
    Returns a list of lists, (sizes, problems), of booleans as 0.0 or 1.0.
    """
    short = min(map(len, answers), default=0)
    if max(sizes) > short:
        raise ValueError(f"{max(sizes)} votes wanted, but some problem has only {short} answers")
    pairs = list(zip(answers, right, strict=True))
    return [[float(majority(row[:k]) == truth) for row, truth in pairs] for k in sizes]


def best_of_n(rollouts: Sequence[Rollout], scorer: Scorer, how: str = "min") -> Rollout:
    """The rollout of highest worth: its step scores aggregated by `how`; ties go to the first.

    how: "last", "min" (the weakest step), "product" or "mean", `o1lab.rewards.aggregate`. One
    without a step or without an answer is worth less than all others. Lightman et al. 2023.
    ValueError for no rollouts or an unknown `how`.
    """
    worth = worths(rollouts, scorer, how)
    return rollouts[worth.index(max(worth))]


def worths(rollouts: Sequence[Rollout], scorer: Scorer, how: str) -> list[float]:
    """Each rollout's worth: its step scores aggregated, -inf where it has no step or no answer.

    ValueError for no rollouts, a NaN score, an unknown `how`, or too few or too many scores.
    """
    if not rollouts:
        raise ValueError("best of no rollouts: sample at least one")
    found = aggregate_rows(score(scorer, rollouts), how)
    return [w if r.answer is not None else -inf for w, r in zip(found, rollouts, strict=True)]


def weighted_vote(answers: Sequence[str | None], weights: Sequence[float]) -> str | None:
    """The answer whose rollouts' weights sum highest; ties go to the one given first.

    answers: canonical ones; None (no answer) never wins. weights: one a rollout, at least 0, or
    -inf for a rollout that has no say: an answer with only such voters loses to all others.
    Returns None when there is no answer at all. Li et al. 2022, Uesato et al. 2022.
    """
    if len(answers) != len(weights):
        raise ValueError(f"{len(answers)} answers and {len(weights)} weights: give one a rollout")
    for weight in weights:
        _check_weight(weight)
    given = list(dict.fromkeys(answer for answer in answers if answer is not None))
    pairs = list(zip(answers, weights, strict=True))
    totals = [_total([w for a, w in pairs if a == answer]) for answer in given]
    return given[totals.index(max(totals))] if given else None


def _total(weights: Sequence[float]) -> float:
    """The sum of the weights that count, in any order the same; -inf where none counts."""
    counted = [weight for weight in weights if weight != -inf]
    return fsum(counted) if counted else -inf


def _check_weight(weight: float) -> None:
    """ValueError unless the weight can vote: a number of at least 0, or -inf for no say."""
    if not (0 <= weight < inf or weight == -inf):
        raise ValueError(f"a vote cannot weigh {weight}: give probabilities (or -inf for no say)")


def likeliest(rollouts: Sequence[Rollout], per_token: bool = False) -> Rollout:
    """The rollout the policy found likeliest: its token log-probabilities' sum, or their mean.

    per_token: True takes the mean, so that length does not count. Ties go to the first; one
    without tokens or without an answer is below all others. ValueError for none or a NaN.
    """
    if not rollouts:
        raise ValueError("the likeliest of no rollouts: sample at least one")
    logprobs = [_logprob(rollout, per_token) for rollout in rollouts]
    if any(map(isnan, logprobs)):
        first = list(map(isnan, logprobs)).index(True)
        raise ValueError(f"rollout {first} has a NaN log-probability: sample it again")
    return rollouts[logprobs.index(max(logprobs))]


def _logprob(rollout: Rollout, per_token: bool) -> float:
    if rollout.answer is None or not rollout.logprobs:
        return -inf
    total = sum(rollout.logprobs)
    return total / len(rollout.logprobs) if per_token else total
