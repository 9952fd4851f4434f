"""Exercises of notebook 01: which tokens are learned, and where a thought first goes wrong."""

from o1lab.exercises import Exercise, Mistake
from o1lab.tasks.base import Verdict


def _loss_weights(fn) -> str | None:
    got = list(fn(3, 5))
    if len(got) != 5:
        return f"5 tokens need 5 weights, one each; yours has {len(got)}"
    if got == [0, 0, 0, 0, 1]:
        return "off by one: the first written token is predicted too, from the last one read"
    if got == [1, 1, 1, 0, 0]:
        return "the wrong way round: what is read weighs 0, what is written weighs 1"
    if got[:3] != [0, 0, 0]:
        return "the question is only read: its tokens weigh 0, or the model learns to write stories"
    if got != [0, 0, 0, 1, 1]:
        return f"3 tokens read and 2 written give [0, 0, 0, 1, 1], yours is {got}"
    if list(fn(0, 3)) != [0, 1, 1]:
        return "the very first token of a text has nothing before it to be predicted from: 0"
    if list(fn(5, 5)) != [0] * 5:
        return "with nothing written every weight is 0"
    return None


def _trains_question(start, length):
    return [0.0] + [1.0] * (length - 1)


def _off_by_one(start, length):
    return [0.0] * (start + 1) + [1.0] * (length - start - 1)


def _upside_down(start, length):
    return [1.0] * start + [0.0] * (length - start)


def _first_token_too(start, length):
    return [0.0] * start + [1.0] * (length - start)


def _only_written(start, length):
    return [1.0] * (length - start)


def _verdicts(text: str) -> list[Verdict]:
    return [Verdict(mark == "+") for mark in text]


def _first_error(fn) -> str | None:
    if fn(_verdicts("+-+")) == 2 and fn(_verdicts("-+")) == 1:
        return "count steps from 0: the index of a list, not the number of a step"
    if fn(_verdicts("+--")) == 2:
        return "that is the last wrong step; the first one is asked"
    if fn(_verdicts("-+")) is None:
        return "a wrong step at index 0 is an error too: `if index` takes 0 for nothing"
    if fn(_verdicts("+-+")) == 0:
        return "that is the first right step; a verdict's `ok` is True where the step is right"
    if fn(_verdicts("+-+")) != 1 or fn(_verdicts("-+")) != 0:
        return (
            f"in right, wrong, right the first error has index 1, yours is {fn(_verdicts('+-+'))}"
        )
    if fn(_verdicts("++")) is not None or fn([]) is not None:
        return "where every step is right there is no first error: None"
    return None


def _from_one(verdicts):
    return next((i for i, v in enumerate(verdicts, 1) if not v.ok), None)


def _last_error(verdicts):
    wrong = [i for i, v in enumerate(verdicts) if not v.ok]
    return wrong[-1] if wrong else None


def _forgets_zero(verdicts):
    return next((i for i, v in enumerate(verdicts) if not v.ok), 0) or None


def _first_right(verdicts):
    return next((i for i, v in enumerate(verdicts) if v.ok), None)


def _length_for_none(verdicts):
    return next((i for i, v in enumerate(verdicts) if not v.ok), len(verdicts))


EXERCISES = (
    Exercise(
        id="01.loss_weights",
        reference="o1lab.model.batches.loss_weights",
        tests=_loss_weights,
        hints=(
            "A weight says how much it counts to predict *that* token. What is only read: 0.",
            "One list of zeros and one of ones, joined. The zeros: `start` of them, but at least "
            "one, for nothing predicts the first token.",
        ),
        mistakes=(
            Mistake(_trains_question, "only read"),
            Mistake(_off_by_one, "off by one"),
            Mistake(_upside_down, "wrong way round"),
            Mistake(_first_token_too, "nothing before it"),
            Mistake(_only_written, "one each"),
        ),
        minutes=5,
    ),
    Exercise(
        id="01.first_error",
        reference="o1lab.tasks.base.first_error",
        tests=_first_error,
        hints=(
            "enumerate(verdicts) gives pairs of index and verdict; a wrong step has ok == False.",
            "next(generator, None) gives the first one that fits, or None.",
        ),
        mistakes=(
            Mistake(_from_one, "count steps from 0"),
            Mistake(_last_error, "last wrong step"),
            Mistake(_forgets_zero, "index 0"),
            Mistake(_first_right, "first right step"),
            Mistake(_length_for_none, "None"),
        ),
        minutes=5,
    ),
)
