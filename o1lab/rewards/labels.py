"""Labels for the steps of finished traces: exact, Monte-Carlo, OmegaPRM's search, noisy.

Leaves out how prefixes are completed (`completions`) and what is trained on labels (`models`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import ExactScorer, is_right, score
from o1lab.rewards.completions import Completer, StepValues, distinct, step_values
from o1lab.rewards.fixed import asked, uniform

AFTER = ("negative", "masked", "kept")
Row = list[float | None]


@dataclass(frozen=True)
class Labels:
    """One label a step for each rollout: 0 wrong to 1 right, None where it is masked.

    name: how they were made, for records. ledger: what that cost. completions: how many
    completions a policy wrote for them.
    """

    name: str
    rows: list[Row]
    ledger: Ledger = field(default_factory=Ledger)
    completions: int = 0

    @property
    def count(self) -> int:
        """Labels that are not masked."""
        return sum(label is not None for row in self.rows for label in row)


def check_labels(labels: Labels, rollouts: Sequence[Rollout]) -> None:
    """ValueError that names the first rollout with too few or too many labels, or a bad one."""
    if len(labels.rows) != len(rollouts):
        raise ValueError(f"{len(labels.rows)} rows of labels for {len(rollouts)} rollouts")
    for i, (row, rollout) in enumerate(zip(labels.rows, rollouts, strict=True)):
        if len(row) != len(rollout.step_ends):
            steps = len(rollout.step_ends)
            raise ValueError(f"rollout {i} has {steps} steps and {len(row)} labels: give one each")
        if any(label is not None and not 0 <= label <= 1 for label in row):
            raise ValueError(f"rollout {i} has the labels {row}: each is in 0..1, or None")


def after_first_wrong(row: Sequence[float | None], rule: str) -> Row:
    """The row with one rule for what follows its first wrong step (a label below 0.5).

    "negative": all later steps are 0. "masked": they are None, as where annotators stop at the
    first mistake (Lightman et al. 2023). "kept": each keeps its own label.
    """
    if rule not in AFTER:
        raise ValueError(f"rule {rule!r}: choose one of {', '.join(AFTER)}")
    wrong = [i for i, label in enumerate(row) if label is not None and label < 0.5]
    if rule == "kept" or not wrong:
        return list(row)
    filler = 0.0 if rule == "negative" else None
    return [*row[: wrong[0] + 1], *[filler] * (len(row) - wrong[0] - 1)]


def with_rule(labels: Labels, after: str) -> Labels:
    """The same labels under a rule for what follows the first wrong step."""
    rows = [after_first_wrong(row, after) for row in labels.rows]
    return replace(labels, name=f"{labels.name}, then {after}", rows=rows)


def exact_labels(task, rollouts: Sequence[Rollout], after: str) -> Labels:
    """What the task's checker says of every step: 1 right, 0 wrong; free of cost.

    after: the rule of `after_first_wrong`. ValueError for a rollout without its problem.
    """
    return with_rule(Labels("exact", score(ExactScorer(task), rollouts)), after)


def value_labels(values: StepValues, kind: str, n: int | None = None) -> Labels:
    """Monte-Carlo labels from completions already written, the first n of each prefix.

    kind "hard": 1 if any completion is right; "soft": the share that is. Math-Shepherd (Wang et
    al. 2024), equations 3 and 4. They estimate the value of the prefix *under the completer*,
    not whether the step is right.
    """
    if kind not in ("hard", "soft"):
        raise ValueError(f'kind {kind!r}: choose "hard" or "soft"')
    size = values.n if n is None else n
    share = (lambda c: float(c > 0)) if kind == "hard" else (lambda c: c / size)
    rows: list[Row] = [[share(count) for count in row] for row in values.right(n)]
    spent = sum(found.read > 0 for found in values.found) * size
    return Labels(f"Monte-Carlo {kind}, n = {size}", rows, values.ledger(n), spent)


def monte_carlo_labels(completer: Completer, rollouts: Sequence[Rollout], kind: str) -> Labels:
    """Complete every step's prefix and label it; `value_labels` says how."""
    return value_labels(step_values(completer, rollouts), kind)


def omega_labels(completer: Completer, rollouts: Sequence[Rollout], after: str) -> Labels:
    """Labels from a binary search for the first wrong step (OmegaPRM, Luo et al. 2024, 3.2).

    A prefix counts as right if any of its completions is. That fails only after the first
    error, so a trace of T steps takes about log2(T + 1) prefixes where Monte-Carlo takes T.
    A trace with the right answer is its own proof: all its steps are 1, for nothing. All open
    searches take their next prefix in one batch, equal prefixes once. The beginning is taken to
    be solvable, and a finished trace with a wrong answer to be wrong by its last step.

    after: "negative" or "masked"; nothing is known of later steps, so "kept" is a ValueError.
    """
    if after not in ("negative", "masked"):
        raise ValueError(f'after {after!r}: this search knows "negative" or "masked" only')
    lows, highs = _bounds(completer, rollouts)
    ledger, prefixes = Ledger(), 0
    while still := [i for i in range(len(rollouts)) if highs[i] - lows[i] > 1]:
        middles = [(lows[i] + highs[i]) // 2 for i in still]
        pairs = zip(still, middles, strict=True)
        firsts, which = distinct([(rollouts[i], rollouts[i].step_ends[m - 1]) for i, m in pairs])
        found = completer(firsts)
        for i, middle, at in zip(still, middles, which, strict=True):
            (lows if any(found[at].right) else highs)[i] = middle
        ledger = sum((one.ledger(completer.n) for one in found), ledger)
        prefixes += len(found)
    rows = [_one_error(len(r.step_ends), low, after) for r, low in zip(rollouts, lows, strict=True)]
    name = f"OmegaPRM, n = {completer.n}, then {after}"
    return Labels(name, rows, ledger, prefixes * completer.n)


def _bounds(completer: Completer, rollouts: Sequence[Rollout]) -> tuple[list[int], list[int]]:
    """(steps known to be right, the first known to be wrong, counted from 1) of each rollout."""
    if any(rollout.problem is None for rollout in rollouts):
        raise ValueError("a rollout without its problem cannot be graded: pass `problems`")
    sizes = [len(rollout.step_ends) for rollout in rollouts]
    solved = [is_right(completer.task, rollout) for rollout in rollouts]
    lows = [size if right else 0 for size, right in zip(sizes, solved, strict=True)]
    ended = [r.finished and not right for r, right in zip(rollouts, solved, strict=True)]
    return lows, [size + (not wrong) for size, wrong in zip(sizes, ended, strict=True)]


def _one_error(size: int, right: int, after: str) -> Row:
    row = [1.0] * right + [0.0] * (size - right)
    return after_first_wrong(row, after)


def noisy_labels(labels: Labels, rollouts: Sequence[Rollout], rate: float, seed: int = 0) -> Labels:
    """The labels with a share `rate` of them flipped (y becomes 1 - y); masked ones stay masked.

    Which are flipped is a fixed function of problem, trace, step and seed, and those flipped at
    a low rate are among those flipped at a higher one.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}: it is a share, 0 to 1")
    check_labels(labels, rollouts)
    rows = [
        [_flipped(y, u < rate) for y, u in zip(row, _draws(rollout, seed), strict=True)]
        for row, rollout in zip(labels.rows, rollouts, strict=True)
    ]
    return replace(labels, name=f"{labels.name}, {rate:.0%} flipped", rows=rows)


def _flipped(label: float | None, flip: bool) -> float | None:
    return 1 - label if flip and label is not None else label


def _draws(rollout: Rollout, seed: int) -> list[float]:
    """One number in (0, 1) a step."""
    count = len(rollout.step_ends)
    return [uniform("flip", seed, asked(rollout), rollout.text, i) for i in range(count)]
