"""Exercises of notebook 03: labels after a first wrong step, a chain's worth, the best of n."""

from math import inf, isclose, log, prod
from statistics import fmean

from o1lab.exercises import Exercise, Mistake
from o1lab.model.rollouts import Rollout
from o1lab.rewards.aggregate import aggregate
from o1lab.rewards.labels import after_first_wrong

LABELS = (1.0, 0.2, 0.9, 0.1, 1.0)


def _after_first_wrong(fn) -> str | None:
    row = list(LABELS)
    got = {rule: fn(row, rule) for rule in ("negative", "masked", "kept")}
    if row != list(LABELS):
        return "the row you were given has changed: build a new list and leave it alone"
    if not all(isinstance(new, list) for new in got.values()):
        return "give the new row, a list, for every rule"
    return _about_rules(got) or _about_rows(fn)


def _about_rules(got) -> str | None:
    """What the three answers for LABELS, whose second step is the first wrong one, tell."""
    if got["kept"] != list(LABELS):
        return '"kept" changes nothing: each step keeps its own label'
    if got["negative"] == list(LABELS):
        return "a label below 0.5 is wrong, not only a 0: in 1, 0.2, 0.9, 0.1, 1 it is the second"
    if got["masked"][1] != 0.2 or got["negative"][1] != 0.2:
        return "the first wrong step keeps its own label: the rule is for the steps after it"
    if got["masked"] == [1, 0.2, 0.9, 0.1, None]:
        return "the rule begins after the first wrong step: yours begins after the last"
    if got["masked"] == [1, 0.2, 0.9, None, 1]:
        return "the rule is for all later steps, the right ones too: yours is for wrong ones only"
    want = {"negative": [1, 0.2, 0, 0, 0], "masked": [1, 0.2, None, None, None]}
    for rule, row in want.items():
        if got[rule] != row:
            return f'"{rule}" makes {list(LABELS)} into {row}, yours is {got[rule]}'
    return None


def _about_rows(fn) -> str | None:
    """What rows without a wrong step, with a None or with exactly 0.5 tell."""
    if fn([1.0, 0.9], "negative") != [1.0, 0.9]:
        return "a row without a wrong step stays as it is: nothing follows a first mistake"
    if fn([None, 1.0, 0.2, 1.0], "negative") != [None, 1.0, 0.2, 0.0]:
        return "None is not wrong, it says that nobody knows: look for a number below 0.5"
    if fn([0.5, 1.0], "negative") != [0.5, 1.0]:
        return "0.5 itself is not wrong yet: only a label below it is"
    return None


def _from(row, rule, first):
    filler = 0.0 if rule == "negative" else None
    return list(row) if rule == "kept" else [*row[:first], *[filler] * (len(row) - first)]


def _places(row):
    return [i for i, label in enumerate(row) if label is not None and label < 0.5]


def _itself_too(row, rule):
    return _from(row, rule, min(_places(row), default=len(row)))


def _after_the_last(row, rule):
    return _from(row, rule, max(_places(row), default=len(row)) + 1)


def _none_is_wrong(row, rule):
    return _from(row, rule, min((i for i, y in enumerate(row) if not y or y < 0.5), default=9) + 1)


def _later_wrong_only(row, rule):
    later = _places(row)[1:]
    return [_from([y], rule, 0)[0] if i in later else y for i, y in enumerate(row)]


def _in_place(row, rule):
    row[:] = after_first_wrong(row, rule)
    return row


def _only_zeros(row, rule):
    return _from(row, rule, min((i for i, y in enumerate(row) if y == 0), default=9) + 1)


def _half_is_wrong(row, rule):
    unsure = (i for i, y in enumerate(row) if y is not None and y <= 0.5)
    return _from(row, rule, min(unsure, default=9) + 1)


SCORES = (0.8, 0.9, 0.5, 0.7)


def _aggregate(fn) -> str | None:
    got = {how: fn(list(SCORES), how) for how in ("product", "min", "last", "mean")}
    for how, value in got.items():
        if not isinstance(value, int | float):
            return f'give one number a chain: "{how}" gives {type(value).__name__}'
    return _about_worth(got) or _about_no_steps(fn)


def _about_worth(got) -> str | None:
    """What the four answers for SCORES tell."""
    if isclose(got["product"], sum(SCORES)):
        return "that is the sum: a chain holds if every step does, so their chances multiply"
    if len(set(got.values())) == 1:
        return "`how` is not used: product, min, last and mean differ on 0.8, 0.9, 0.5, 0.7"
    if isclose(got["mean"], fmean(map(log, SCORES))) or isclose(got["mean"], prod(SCORES) ** 0.25):
        return '"mean" is the plain mean of the scores: no logarithms, no root'
    for how, value in got.items():
        if not isclose(value, aggregate(SCORES, how)):
            return f'"{how}" of {SCORES} is {aggregate(SCORES, how):.4g}, yours is {value:.4g}'
    return None


def _about_no_steps(fn) -> str | None:
    for how in ("product", "min", "last", "mean"):
        try:
            nothing = fn([], how)
        except (ValueError, IndexError, ZeroDivisionError):
            return f'a chain without steps has no "{how}" to compute: it is worth -inf'
        if nothing == 1:
            return "the empty product is 1, so a chain without steps would beat all: make it -inf"
        if nothing != -inf:
            return f"a chain without steps is worth -inf, below a chain of zeros, not {nothing}"
    return None


def _worth(row, how, **other):
    """The library's worth, with other functions for some names."""
    return other[how](row) if how in other else aggregate(row, how)


def _empty_product(row, how):
    return _worth(row, how, product=prod)


def _sums(row, how):
    return _worth(row, how, product=sum)


def _mean_of_logs(row, how):
    return _worth(row, how, mean=lambda row: fmean(map(log, row)))


def _no_guard(row, how):
    return _worth(row, how, min=min)


def _one_way(row, how):
    return aggregate(row, "min")


def _rollout(answer: str | None, *scores: float) -> Rollout:
    """A rollout whose tokens are its steps; their scores stand where log-probabilities would."""
    text = "<think>\n" if answer is None else f"<think>\n</think>\n{answer}"
    ends = list(range(1, len(scores) + 1))
    return Rollout(None, [], ends, list(scores), text, ends, finished=answer is not None)


def _scorer(rollouts):
    return [list(rollout.logprobs) for rollout in rollouts]


def _best_of_n(fn) -> str | None:
    weak, even = _rollout("1", 0.95, 0.3, 0.9), _rollout("2", 0.6, 0.6)
    got = fn([weak, even], _scorer)
    if not isinstance(got, Rollout):
        return f"give the rollout itself, not {type(got).__name__}"
    if got is weak and fn([even, weak], _scorer, "last") is even:
        return "that is the lowest worth: take the highest"
    if got is weak or fn([even, weak], _scorer, "last") is even:
        return "`how` is not used: by its weakest step 0.6, 0.6 wins, by its last 0.95, 0.3, 0.9"
    if fn([even, _rollout("3", 0.6, 0.9)], _scorer) is not even:
        return "of two of equal worth take the first"
    if fn([even, _rollout("4")], _scorer) is not even:
        return "a rollout without a step was never checked: its worth is -inf, below all others"
    cut = _rollout(None, 0.99)
    if fn([cut, even], _scorer) is not even:
        return "a rollout without an answer cannot be chosen, however good its steps are"
    try:
        alone = fn([cut], _scorer)
    except (ValueError, IndexError):
        alone = None
    if alone is not cut:
        return "where none has an answer the first is taken: do not drop them, their worth is -inf"
    return None


def _worths(rollouts, scorer, how):
    return [aggregate(row, how) for row in scorer(rollouts)]


def _pick(rollouts, worth):
    return rollouts[worth.index(max(worth))]


def _answered(rollouts):
    return [rollout for rollout in rollouts if rollout.answer is not None]


def _also_cut(rollouts, scorer, how="min"):
    return _pick(rollouts, _worths(rollouts, scorer, how))


def _last_of_equals(rollouts, scorer, how="min"):
    return _also_cut(_answered(rollouts)[::-1], scorer, how)


def _lowest(rollouts, scorer, how="min"):
    return _pick(rollouts, [-worth for worth in _worths(rollouts, scorer, how)])


def _only_worth(rollouts, scorer, how="min"):
    return max(_worths(_answered(rollouts), scorer, how))


def _always_min(rollouts, scorer, how="min"):
    return _also_cut(_answered(rollouts), scorer)


def _unchecked_wins(rollouts, scorer, how="min"):
    return _pick(rollouts, [aggregate(row, how) if row else 1.0 for row in scorer(rollouts)])


def _drops_cut(rollouts, scorer, how="min"):
    return _also_cut(_answered(rollouts), scorer, how)


EXERCISES = (
    Exercise(
        id="03.after_first_wrong",
        reference="o1lab.rewards.labels.after_first_wrong",
        tests=_after_first_wrong,
        hints=(
            "Find the place of the first label that is a number below 0.5; None is not a number.",
            "The row up to and with that place stays, row[: first + 1]. After it stand zeros, or "
            "None, or the rest of the row as it was.",
        ),
        mistakes=(
            Mistake(_itself_too, "keeps its own label"),
            Mistake(_after_the_last, "after the last"),
            Mistake(_none_is_wrong, "None is not wrong"),
            Mistake(_in_place, "build a new list"),
            Mistake(_only_zeros, "not only a 0"),
            Mistake(_half_is_wrong, "0.5 itself"),
            Mistake(_later_wrong_only, "all later steps"),
        ),
        minutes=10,
    ),
    Exercise(
        id="03.aggregate",
        reference="o1lab.rewards.aggregate.aggregate",
        tests=_aggregate,
        hints=(
            "math.prod, min, row[-1] and statistics.fmean: one for each name.",
            "A chain without steps comes first: -inf for every name, before anything is computed.",
        ),
        mistakes=(
            Mistake(_empty_product, "empty product"),
            Mistake(_no_guard, "worth -inf"),
            Mistake(_sums, "that is the sum"),
            Mistake(_mean_of_logs, "no logarithms"),
            Mistake(_one_way, "not used"),
        ),
    ),
    Exercise(
        id="03.best_of_n",
        reference="o1lab.search.vote.best_of_n",
        tests=_best_of_n,
        hints=(
            "scorer(rollouts) gives one row of step scores a rollout, aggregate(row, how) its "
            "worth.",
            "Set the worth to -inf where `rollout.answer` is None; then the first of the highest.",
        ),
        mistakes=(
            Mistake(_also_cut, "without an answer"),
            Mistake(_last_of_equals, "take the first"),
            Mistake(_lowest, "take the highest"),
            Mistake(_only_worth, "rollout itself"),
            Mistake(_always_min, "not used"),
            Mistake(_unchecked_wins, "never checked"),
            Mistake(_drops_cut, "do not drop them"),
        ),
        minutes=10,
        difficulty=2,
    ),
)
