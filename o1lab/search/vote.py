"""Choosing one answer from many rollouts by counting or by a score."""

from collections import Counter
from collections.abc import Sequence

from o1lab.model.rollouts import Rollout
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


def best_of_n(rollouts: Sequence[Rollout], scorer: Scorer) -> Rollout:
    """The rollout whose weakest step scores highest; ties go to the first.

    One without a step or without an answer scores below all others. The minimum over steps is
    one of the two aggregations of Lightman et al. 2023, table 4. ValueError for no rollouts.
    """
    if not rollouts:
        raise ValueError("best of no rollouts: sample at least one")
    worth = [
        min(row) if row and rollout.answer is not None else float("-inf")
        for row, rollout in zip(score(scorer, rollouts), rollouts, strict=True)
    ]
    return rollouts[worth.index(max(worth))]
