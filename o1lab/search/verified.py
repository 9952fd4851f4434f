"""Choosing with a checker that knows: the oracle, and sampling that stops at a success."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from o1lab.measure.compute import Ledger, ledger_of
from o1lab.model.rollouts import Rollout

Checker = Callable[[Rollout], bool]
Sampler = Callable[[int, int], Sequence[Rollout]]


def oracle(rollouts: Sequence[Rollout], check: Checker) -> Rollout | None:
    """The first rollout that the checker calls right; None where there is none."""
    return next((rollout for rollout in rollouts if check(rollout)), None)


@dataclass(frozen=True)
class Verified:
    """What sampling until a verified success found, and what it spent.

    rollout: the first right one, or None when the budget ran out first.
    samples: rollouts drawn, those after the success in its batch included: they were paid for.
    checks: calls of the checker. ledger: the policy's tokens and FLOPs; the checker's are not in
        it, so add them where checking is not free.
    """

    rollout: Rollout | None
    samples: int
    checks: int
    ledger: Ledger = field(default_factory=Ledger)


def sample_until_verified(sample: Sampler, check: Checker, budget: int, batch: int = 1) -> Verified:
    """Sample, `batch` rollouts at a time, until one is verified or `budget` are drawn.

    sample: from (how many, how many were drawn before) to that many new rollouts of one problem;
        the second number is there to change the seed. check: whether a rollout is right.
    budget: in rollouts; the last batch is cut to it. The rival of every search with a verifier.
    ValueError where budget or batch is below 1 or `sample` returns another number.
    """
    if budget < 1 or batch < 1:
        raise ValueError(f"budget {budget}, batch {batch}: give at least 1 of each")
    drawn: list[Rollout] = []
    while len(drawn) < budget:
        wanted, before = min(batch, budget - len(drawn)), len(drawn)
        new = list(sample(wanted, before))
        if len(new) != wanted:
            raise ValueError(f"asked for {wanted} rollouts and got {len(new)}: fix the sampler")
        drawn += new
        for i, rollout in enumerate(new):
            if check(rollout):
                return Verified(rollout, len(drawn), before + i + 1, ledger_of(drawn))
    return Verified(None, len(drawn), len(drawn), ledger_of(drawn))
