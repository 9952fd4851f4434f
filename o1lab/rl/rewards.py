"""A reward composed of named parts, each paid at some tokens of a rollout. Leaves out the KL leash

to the reference but for the line that adds it: it needs log-probabilities, which the loop has.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import isfinite
from typing import Any

import torch

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import Scorer, is_right, judged_at, score
from o1lab.rewards.fixed import asked, uniform
from o1lab.tasks.base import Task

FORMS = ("sum", "difference", "potential", "min")
Payments = list[tuple[int, float]]  # (token of the completion, amount)


@dataclass(frozen=True)
class Part:
    """One named part of a reward. `pay` gives each rollout its payments, before the weight.

    scorer: whose ledger says what the part costs, if it has one.
    """

    name: str
    pay: Callable[[Sequence[Rollout]], list[Payments]]
    weight: float = 1.0
    scorer: Any = None


@dataclass(frozen=True)
class Reward:
    """What a policy is trained on. The task also says what is *truly* right, for the record.

    no_answer: what a rollout without an answer gets in place of everything else (unless it was
    cut and is taken to go on); None pays it like the others.
    """

    task: Task
    parts: tuple[Part, ...]
    no_answer: float | None = -1.0

    def __post_init__(self):
        names = [part.name for part in self.parts]
        if not names or len(set(names)) < len(names):
            raise ValueError(f"parts {names}: give at least one, each with a name of its own")


@dataclass(frozen=True)
class Paid:
    """The payments of each rollout, what each part alone would pay on average, and the cost."""

    payments: list[Payments]
    means: dict[str, float]
    ledger: Ledger

    def totals(self) -> list[float]:
        return [sum(amount for _, amount in row) for row in self.payments]


def outcome(task: Task, weight: float = 1.0) -> Part:
    """1 at the last token of a rollout whose answer is right, else 0."""
    return Part("outcome", lambda rs: [_at_end(r, float(is_right(task, r))) for r in rs], weight)


def steps(scorer: Scorer, form: str = "difference", weight: float = 1.0, name: str = "") -> Part:
    """Each step's score at its last token (`judged_at`), from any scorer, in one of four forms.

    "sum": the score itself, so a longer chain of passable steps is paid more.
    "difference": what the step added; a chain is worth its last score, however long it is.
    "potential": the same, and the last score is taken back at the end: no policy gains or loses
        by it, so it guides without changing what is best (Ng, Harada & Russell 1999).
    "min": what the step took from the lowest score so far; a chain is worth its worst step.
    ValueError for another form.
    """
    step_amounts([], form)  # the form's name is checked here, before any sampling

    def pay(rollouts: Sequence[Rollout]) -> list[Payments]:
        rows = zip(rollouts, score(scorer, rollouts), strict=True)
        return [_at_steps(rollout, row, form) for rollout, row in rows]

    return Part(name or f"steps ({form})", pay, weight, scorer)


def length(weight: float) -> Part:
    """The number of tokens written; with a weight below 0, each token costs that much."""
    return Part("length", lambda rs: [_at_end(r, float(len(r.ids))) for r in rs], weight)


def placebo(rate: float = 0.5, seed: int = 0, weight: float = 1.0) -> Part:
    """1 for a share `rate` of all texts and 0 for the others: a fixed function that means nothing.

    The same text to the same problem always gets the same (Shao et al. 2025, random rewards).
    """

    def pay(rollouts: Sequence[Rollout]) -> list[Payments]:
        drawn = (uniform("placebo", seed, asked(r), r.text) for r in rollouts)
        return [_at_end(r, float(u < rate)) for r, u in zip(rollouts, drawn, strict=True)]

    return Part("placebo", pay, weight)


def step_amounts(scores: Sequence[float], form: str) -> list[float]:
    """What each step is paid, from the scores of a chain's steps; `steps` explains the forms."""
    if form not in FORMS:
        raise ValueError(f"form {form!r}: choose one of {', '.join(FORMS)}")
    if form == "sum":
        return list(scores)
    worth = accumulate(scores, min) if form == "min" else scores
    return [now - before for before, now in pairwise([0.0, *worth])]


def _at_steps(rollout: Rollout, scores: Sequence[float], form: str) -> Payments:
    paid = list(zip(judged_at(rollout), step_amounts(scores, form), strict=True))
    back = form == "potential" and len(scores) > 0
    return paid + (_at_end(rollout, -scores[-1]) if back else [])


def _at_end(rollout: Rollout, amount: float) -> Payments:
    return [(len(rollout.ids) - 1, amount)]


def pay(reward: Reward, rollouts: Sequence[Rollout], cut_goes_on: bool = False) -> Paid:
    """All parts' payments, weighted, and the fixed one for those without an answer.

    cut_goes_on: a rollout cut at the length limit has not failed to answer.
    ValueError naming the part that pays what is not a number.
    """
    before = _spent(reward)
    by_part = {part.name: _checked(part, rollouts) for part in reward.parts}
    payments: list[Payments] = []
    for i, rollout in enumerate(rollouts):
        open_end = cut_goes_on and not rollout.finished
        if reward.no_answer is not None and rollout.answer is None and not open_end:
            payments.append(_at_end(rollout, reward.no_answer))
        else:
            payments.append([one for rows in by_part.values() for one in rows[i]])
    means = {
        name: sum(amount for row in rows for _, amount in row) / max(len(rollouts), 1)
        for name, rows in by_part.items()
    }
    return Paid(payments, means, _less(_spent(reward), before))


def _checked(part: Part, rollouts: Sequence[Rollout]) -> list[Payments]:
    rows = [[(at, part.weight * amount) for at, amount in row] for row in part.pay(rollouts)]
    if len(rows) != len(rollouts) or not all(isfinite(a) for row in rows for _, a in row):
        raise ValueError(
            f"part {part.name!r} must pay each of {len(rollouts)} rollouts a finite amount: "
            "look at what its scorer returns"
        )
    return rows


def _spent(reward: Reward) -> Ledger:
    """What the parts' scorers have cost so far, each scorer once."""
    scorers = {id(part.scorer): part.scorer for part in reward.parts}
    ledgers = [getattr(scorer, "ledger", None) for scorer in scorers.values()]
    return sum((ledger for ledger in ledgers if ledger), Ledger())


def _less(after: Ledger, before: Ledger) -> Ledger:
    names = after.__dataclass_fields__
    return Ledger(*(getattr(after, name) - getattr(before, name) for name in names))


def token_rewards(payments: Sequence[Payments], gaps: Sequence[torch.Tensor], beta: float = 0.0):
    """Rewards (B, T): the payments at their tokens, and on each token -beta (logp - logp_ref).

    gaps: for each rollout logp - logp_ref of its tokens, (length,). Padding gets 0.
    """
    rows = torch.nn.utils.rnn.pad_sequence([-beta * gap for gap in gaps], batch_first=True)
    for row, paid in zip(rows, payments, strict=True):
        for at, amount in paid:
            row[at] += amount
    return rows
