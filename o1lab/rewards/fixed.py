"""Noise that is a fixed function of what it is noise about, by hash. Leaves out what it is for.

Fresh noise at every call would average away in a tree that scores a state many times; this does
not, and it is the same on every machine, in every order and in every batch.
"""

import hashlib
from statistics import NormalDist

from o1lab.model.rollouts import Rollout
from o1lab.tasks.base import lines_of

_TOP = 2**53  # as many as a float holds exactly


def uniform(*about) -> float:
    """A number in (0, 1) that depends on the strings and numbers in `about` and nothing else."""
    digest = hashlib.blake2b(repr(about).encode(), digest_size=8).digest()
    return ((int.from_bytes(digest, "big") >> 11) + 0.5) / _TOP


def gaussian(*about) -> float:
    """A standard normal number that depends on `about` and nothing else."""
    return NormalDist().inv_cdf(min(uniform(*about), 1 - 2**-53))


def asked(rollout: Rollout) -> str:
    """The problem's prompt, or, where the problem is not known, its token ids as text."""
    return rollout.problem.prompt if rollout.problem else repr(rollout.prompt_ids)


def states(rollout: Rollout) -> list[tuple[str, ...]]:
    """For each step, the steps so far, itself included: the state that a scorer judges."""
    steps = tuple(lines_of(rollout.thoughts or ""))
    return [steps[: i + 1] for i in range(len(steps))]
