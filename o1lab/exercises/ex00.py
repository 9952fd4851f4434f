"""Exercises of notebook 00: reading a completion, and voting."""

from collections import Counter

from o1lab.exercises import Exercise, Mistake

WHOLE = "<think>\nBob = Ann + 7 = 12 + 7 = 19\n</think>\n19"


def _read_completion(fn) -> str | None:
    got = fn(WHOLE)
    if not isinstance(got, tuple) or len(got) != 2:
        return "give back a pair: (thoughts, answer)"
    if got[1] == 19:
        return "the answer is text, not a number: leave it as it is written"
    if got[1] is not None and got[1] != got[1].strip():
        return "the answer still has a line break around it: strip it"
    if got[1] != "19":
        return f"the answer of {WHOLE!r} is '19', yours is {got[1]!r}"
    if "think>" in str(got[0]):
        return "the marks <think> and </think> are not part of the thoughts"
    if "Bob = Ann + 7 = 12 + 7 = 19" not in str(got[0]):
        return "the thoughts are everything between <think> and </think>"
    if fn("19") != (None, "19"):
        return "a bare answer has no thoughts: '19' gives (None, '19')"
    if fn("<think>\nBob = 3\n")[1] is not None:
        return "a thought that is never closed has no answer yet: None"
    if fn("")[1] is not None or fn(WHOLE[:-2])[1] is not None:
        return "when nothing is written after the thoughts the answer is None, not an empty text"
    return None


def _keeps_line_break(text):
    head, opened, rest = text.partition("<think>")
    if not opened:
        return None, text or None
    thoughts, closed, answer = rest.partition("</think>")
    return thoughts, (answer or None) if closed else None


def _keeps_marks(text):
    head, closed, answer = text.partition("</think>")
    return (head + closed, answer.strip() or None) if closed else (None, text.strip() or None)


def _answers_too_early(text):
    if "<think>" not in text:
        return None, text.strip() or None
    thoughts, _, answer = text.partition("<think>")[2].partition("</think>")
    return thoughts, answer.strip() or thoughts.strip().split("\n")[-1] or None


def _empty_answer(text):
    head, opened, rest = text.partition("<think>")
    if not opened:
        return None, text.strip()
    thoughts, closed, answer = rest.partition("</think>")
    return thoughts, answer.strip() if closed else None


def _majority(fn) -> str | None:
    if fn(["7", "9", "9"]) != "9":
        return "9 was given twice and 7 once: it is the commonest that wins, not the first answer"
    if fn(["9", "9", "12", "12", "12"]) != "12":
        return "12 has the most votes in 9 9 12 12 12: count votes, do not compare the numbers"
    if fn(["7", None, None]) != "7":
        return "None is a thought that ended without an answer: it must not win a vote"
    tie = fn(["7", "9", "7", "9"])
    if tie != "7":
        return f"in a tie the answer given first wins: 7 9 7 9 elects 7, yours elects {tie}"
    if fn([None, None]) is not None or fn([]) is not None:
        return "with no answer at all the vote is None"
    return None


def _first(answers):
    return next((a for a in answers if a is not None), None)


def _counts_none(answers):
    return Counter(answers).most_common(1)[0][0] if answers else None


def _last_of_tie(answers):
    given = [a for a in answers if a is not None]
    votes = Counter(given)
    return max(reversed(given), key=votes.get) if given else None


def _largest(answers):
    return max((a for a in answers if a is not None), default=None)


EXERCISES = (
    Exercise(
        id="00.read_completion",
        reference="o1lab.tasks.base.read_completion",
        tests=_read_completion,
        hints=(
            'text.partition("<think>") gives what stands before, the mark if it is there, and the '
            "rest.",
            "Four cases: no mark at all, a thought never closed, closed with nothing after it, and "
            "the usual one. `x or None` turns an empty text into None.",
        ),
        mistakes=(
            Mistake(_keeps_line_break, "strip"),
            Mistake(_keeps_marks, "not part of the thoughts"),
            Mistake(_answers_too_early, "never closed"),
            Mistake(_empty_answer, "not an empty text"),
        ),
        minutes=5,
    ),
    Exercise(
        id="00.majority",
        reference="o1lab.search.vote.majority",
        tests=_majority,
        hints=(
            "collections.Counter counts; most_common(1) is a list with one (answer, votes) pair.",
            "Take out None first. Counter keeps the order in which answers came, so the first of a "
            "tie comes first.",
        ),
        mistakes=(
            Mistake(_first, "first answer"),
            Mistake(_counts_none, "None is a thought"),
            Mistake(_last_of_tie, "in a tie"),
            Mistake(_largest, "count votes"),
        ),
        minutes=5,
    ),
)
