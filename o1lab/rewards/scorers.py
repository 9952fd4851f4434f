"""Scorers that need no training: Monte-Carlo value, an oracle with dialled noise, placebos.

The exact oracle is in `base`; learned ones are in `scoring`. What each scores is a fixed
function of problem and steps, so a tree that asks twice gets the same answer.
"""

from collections.abc import Sequence
from math import exp, log, sqrt
from statistics import NormalDist

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import ExactScorer, Scorer, score
from o1lab.rewards.completions import Completer, step_values
from o1lab.rewards.fixed import asked, gaussian, states, uniform
from o1lab.rewards.labels import after_first_wrong
from o1lab.tasks.base import Task

FAINT = 1e-6  # d' of an oracle that knows nothing: its noise still breaks ties at random


class MonteCarloScorer:
    """The share of n completions of each step's prefix that are right: its value, estimated.

    ledger: what all calls so far have cost.
    """

    def __init__(self, completer: Completer):
        self.completer = completer
        self.ledger = Ledger()

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        values = step_values(self.completer, rollouts)
        self.ledger += values.ledger()
        return [[count / values.n for count in row] for row in values.right()]


class NoisyOracle:
    """The exact verdict seen through Gaussian noise of a dialled strength.

    auroc: the chance that a right step scores above a wrong one, 0.5 to 1. The step is heard as
        x = d' y + noise, with y = 1 for right, noise of variance 1 and, in the equal-variance
        model of signal detection, d' = sqrt(2) Phi^-1(auroc).
    prior, confidence: the score is sigmoid(confidence * log-odds of "right" given x), where
        `prior` is the share of right steps. With confidence 1 it is calibrated on steps that
        have this share; above 1 it is overconfident, below 1 underconfident.
    rho: the correlation of the noise of siblings, the steps after the same steps: at 1 they are
        all shifted alike, and the best sibling wins however noisy the scores are.
    after: the rule for steps after the first wrong one (`labels.after_first_wrong`).
    seed: which noise; it is a fixed function of seed, problem and steps.

    ValueError for settings out of range.
    """

    def __init__(
        self,
        task: Task,
        auroc: float = 0.8,
        prior: float = 0.5,
        confidence: float = 1.0,
        rho: float = 0.0,
        after: str = "kept",
        seed: int = 0,
    ):
        _check_dials(auroc, prior, confidence, rho)
        after_first_wrong([], after)  # the rule's name is checked here, before any scoring
        self.exact, self.after, self.seed = ExactScorer(task), after, seed
        self.auroc, self.prior, self.confidence, self.rho = auroc, prior, confidence, rho

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        rows = zip(rollouts, score(self.exact, rollouts), strict=True)
        return [self._row(rollout, after_first_wrong(y, self.after)) for rollout, y in rows]

    def _row(self, rollout: Rollout, truth: Sequence[float]) -> list[float]:
        if self.auroc == 1:
            return list(truth)
        problem = asked(rollout)
        pairs = zip(truth, states(rollout), strict=True)
        return [self._score(y, self.noise(problem, state)) for y, state in pairs]

    def noise(self, problem: str, state: tuple[str, ...]) -> float:
        """The standard normal noise of a state, given as its steps so far."""
        shared = gaussian("siblings", self.seed, problem, state[:-1])
        own = gaussian("own", self.seed, problem, state)
        return sqrt(self.rho) * shared + sqrt(1 - self.rho) * own

    def _score(self, truth: float, noise: float) -> float:
        distance = max(sqrt(2) * NormalDist().inv_cdf(self.auroc), FAINT)  # d'
        heard = distance * truth + noise
        odds = distance * heard - distance**2 / 2 + log(self.prior / (1 - self.prior))
        return sigmoid(self.confidence * odds)


def _check_dials(auroc: float, prior: float, confidence: float, rho: float) -> None:
    if not 0.5 <= auroc <= 1:
        raise ValueError(f"auroc is {auroc}: 0.5 knows nothing and 1 is exact")
    if not 0 < prior < 1:
        raise ValueError(f"prior is {prior}: it is the share of right steps, between 0 and 1")
    if not 0 < confidence < float("inf"):
        raise ValueError(f"confidence is {confidence}: 1 is calibrated, and 0 has no order")
    if not 0 <= rho <= 1:
        raise ValueError(f"rho is {rho}: a correlation of 0 to 1")


def sigmoid(x: float) -> float:
    """1 / (1 + e^-x), for any x."""
    return 1 / (1 + exp(-x)) if x >= 0 else exp(x) / (1 + exp(x))


class ShuffledScorer:
    """A placebo: real scores, each of a step of *another* problem, chosen by hash.

    scorer, rollouts: whose scores make the pool; it is filled once, here. The same state always
    gets the same score, and the scores have the scorer's own distribution.
    ValueError if the pool's steps are of fewer than two problems.
    """

    def __init__(self, scorer: Scorer, rollouts: Sequence[Rollout], seed: int = 0):
        rows = zip(rollouts, score(scorer, rollouts), strict=True)
        self.pool = [(asked(rollout), value) for rollout, row in rows for value in row]
        self.seed = seed
        if len({problem for problem, _ in self.pool}) < 2:
            raise ValueError("scores of at least two problems are needed to exchange them")

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        return [[self._draw(asked(r), state) for state in states(r)] for r in rollouts]

    def _draw(self, problem: str, state: tuple[str, ...]) -> float:
        """The first score of another problem in this state's own endless list of draws."""
        tries = 0
        while True:
            place = int(uniform("shuffled", self.seed, problem, state, tries) * len(self.pool))
            owner, value = self.pool[place]
            if owner != problem:
                return value
            tries += 1


class ConstantScorer:
    """A placebo: the same score for every step."""

    def __init__(self, value: float = 0.5):
        if not 0 <= value <= 1:
            raise ValueError(f"value is {value}: a score is in 0..1")
        self.value = value

    def __call__(self, rollouts: Sequence[Rollout]) -> list[list[float]]:
        return [[self.value] * len(rollout.step_ends) for rollout in rollouts]
