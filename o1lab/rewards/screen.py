"""Setting aside rollouts that cannot be trained on or scored, counted by reason.

Leaves out scoring: a scorer that is given such a rollout anyway says so in an error.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from o1lab.model.rollouts import Rollout
from o1lab.tasks.base import END_THINK, THINK

REASONS = ("no problem", "too long", "unclosed thought", "no step", "no answer", "shared token")


@dataclass(frozen=True)
class Screened:
    """The rollouts that are left, their places in the list given, and why others are not."""

    kept: list[Rollout]
    places: list[int]
    excluded: Counter = field(default_factory=Counter)

    def __str__(self) -> str:
        """One line to show: "12 rollouts kept, 2 set aside: 1 no step, 1 too long"."""
        out = f"{len(self.kept)} rollouts kept, {self.excluded.total()} set aside"
        parts = [f"{n} {reason}" for reason, n in self.excluded.most_common()]
        return f"{out}: {', '.join(parts)}" if parts else out


def fault(rollout: Rollout, context: int | None = None) -> str | None:
    """The first of REASONS that holds for this rollout, or None.

    "too long": more tokens than `context`. "shared token": one token ends two steps, so they
    cannot have two labels (a byte-level BPE may join a step's line break with the whole next).
    """
    if rollout.problem is None:
        return "no problem"
    if context and len(rollout.prompt_ids) + len(rollout.ids) > context:
        return "too long"
    if THINK in rollout.text and END_THINK not in rollout.text:
        return "unclosed thought"
    if not rollout.step_ends:
        return "no step"
    if rollout.answer is None:
        return "no answer"
    return "shared token" if len(set(rollout.step_ends)) < len(rollout.step_ends) else None


def screen(
    rollouts: Sequence[Rollout], context: int | None = None, allow: Sequence[str] = ()
) -> Screened:
    """The rollouts without a fault, and how many have which.

    context: the most tokens, prompt included, that the reader holds. allow: reasons that do not
    matter here; ValueError for one that is not in REASONS.
    """
    if unknown := set(allow) - set(REASONS):
        raise ValueError(f"no reason {sorted(unknown)}: there are {', '.join(REASONS)}")
    faults = [fault(rollout, context) for rollout in rollouts]
    places = [i for i, found in enumerate(faults) if found is None or found in allow]
    excluded = Counter(f for f in faults if f and f not in allow)
    return Screened([rollouts[i] for i in places], places, excluded)
