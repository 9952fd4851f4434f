"""The nouns of a task world: Problem, Verdict and the Task protocol. Leaves out any one world."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

THINK, END_THINK = "<think>", "</think>"
IDLE = "irrelevant"  # the kind of a step that is true and that the question does not need
UNFINISHED = "unfinished"  # the kind of a thought without a false step whose answer is wrong


@dataclass(frozen=True)
class Problem:
    """One question with a checkable answer.

    prompt: the text the model reads; it ends with a newline.
    answer: the answer in canonical form (Countdown: the target; Stories: the number).
    difficulty: the world's own scale (Countdown: how many numbers; Stories: serial steps).
    data: what the task needs to check a step; plain tuples, strings and numbers.
    """

    task: str
    prompt: str
    answer: str
    difficulty: int
    data: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Verdict:
    """What a checker says of one step: right or not, the kind of mistake, and why in words.

    kind is "ok" for a right step, else one of the task's `mistakes`.
    """

    ok: bool
    kind: str = "ok"
    why: str = ""

    @property
    def false(self) -> bool:
        """Whether the step says what is not so; an idle one is not right, yet true."""
        return not self.ok and self.kind != IDLE


def first_error(verdicts: Sequence[Verdict]) -> int | None:
    """The index of the first step that is not right; None where every step is."""
    return next((i for i, verdict in enumerate(verdicts) if not verdict.ok), None)


def fault(verdicts: Sequence[Verdict], right: bool) -> str:
    """What is wrong with a whole thought: "ok", the kind of its first false step, or "unfinished".

    right: whether the answer is right. A thought whose steps are all right or idle and whose
    answer is wrong is unfinished: it lacks what would lead to the answer. A thought with a false
    step has that step's kind, however it ends.
    """
    kind = next((verdict.kind for verdict in verdicts if verdict.false), None)
    return kind or ("ok" if right else UNFINISHED)


@runtime_checkable
class Task(Protocol):
    """A world of problems whose every step can be checked exactly."""

    name: str
    mistakes: Sequence[str]

    def problem(self, rng: random.Random, difficulty: int, split: str = "train") -> Problem:
        """One random problem of that difficulty from that split ("train", "dev" or "test")."""

    def solution(self, problem: Problem, rng: random.Random) -> tuple[list[str], str]:
        """A worked solution: its steps (one line each, no newline) and the answer's text."""

    def steps(self, thoughts: str) -> list[str]:
        """The thoughts cut into steps."""

    def verdicts(self, problem: Problem, steps: Sequence[str]) -> list[Verdict]:
        """A verdict a step, in order; never raises on hostile text and never calls `eval`."""

    def grade(self, problem: Problem, answer: str) -> bool:
        """Whether the answer's text is right."""

    def canonical(self, problem: Problem) -> str:
        """A text that is equal for two problems that differ only in order or naming."""


def split_of(canonical: str, test: int = 40, dev: int = 40) -> str:
    """The split a canonical form belongs to, by hash: `test` and `dev` in thousandths.

    The same everywhere and for ever, with no list to keep: a problem is reserved before it is
    ever drawn.
    """
    digest = hashlib.blake2b(canonical.encode(), digest_size=8).digest()
    bucket = int.from_bytes(digest, "big") % 1000
    return "test" if bucket < test else "dev" if bucket < test + dev else "train"


def lines_of(thoughts: str) -> list[str]:
    """The non-empty lines of a thought, outer spaces removed: one line is one step."""
    return [line.strip() for line in thoughts.split("\n") if line.strip()]


def read_completion(text: str) -> tuple[str | None, str | None]:
    """(thoughts, answer) of a completion; None for a part that is missing or never closed.

    A completion is `<think>` thoughts `</think>` answer, or the bare answer. Everything is
    found in text, so it holds for any tokenizer.
    """
    head, opened, rest = text.partition(THINK)
    if not opened:
        return None, text.strip() or None
    thoughts, closed, answer = rest.partition(END_THINK)
    if not closed:
        return thoughts, None
    return thoughts, answer.strip() or None


def write_completion(steps: Sequence[str], answer: str) -> str:
    """The text a policy is tuned to write: its steps inside `<think>`, then the answer."""
    return f"{THINK}\n" + "".join(f"{step}\n" for step in steps) + f"{END_THINK}\n{answer}"
