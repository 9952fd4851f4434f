"""How a story is made: people, values, a spine of needed steps, distractors around it.

Leaves out the English (`story_text`) and the checking (`stories`).
"""

import random
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from o1lab.tasks.story_text import EVENTS

LIMIT = 99
# Relations and events with their weights; "same" and "swap" copy a value, the others compute.
RELATIONS = {"more": 4, "fewer": 4, "twice": 2, "triple": 1, "half": 2, "same": 1, "sum": 3}
CHANGES = {
    "gain": 3, "lose": 3, "give": 3, "take": 3, "double": 2, "halve": 2,
    "swap": 3, "match": 3, "matched": 3,
}  # fmt: skip
RELATION_FORMS, RELATION_STEPS = tuple(RELATIONS), tuple(accumulate(RELATIONS.values()))
CHANGE_FORMS, CHANGE_STEPS = tuple(CHANGES), tuple(accumulate(CHANGES.values()))
OPERATOR = {"more": "+", "fewer": "-", "twice": "*", "triple": "*", "half": "/", "sum": "+"}
FACTOR = {"twice": 2, "triple": 3, "half": 2}


class Ref(NamedTuple):
    """An operand: the value of node `at`, or the constant `at`."""

    node: bool
    at: int


class Node(NamedTuple):
    """One value of one person: person, operator ("given", "=", + - * /), operands, value."""

    person: int
    op: str
    left: Ref | None
    right: Ref | None
    value: int


class Line(NamedTuple):
    """One sentence: its form, the person it is about, others, and a number."""

    form: str
    x: int
    a: int = -1
    b: int = -1
    c: int = 0


class Story(NamedTuple):
    """A story's meaning: every value as a node, the needed ones in order, the sentences."""

    nodes: tuple[Node, ...]
    spine: tuple[int, ...]
    lines: tuple[Line, ...]
    asked: int
    people: int


def apply(op: str, left: int, right: int) -> int | None:
    """left op right as an integer from 0 to 99, or None when it is not one."""
    if op == "+":
        value = left + right
    elif op == "-":
        value = left - right
    elif op == "*":
        value = left * right
    else:
        if right == 0 or left % right:
            return None
        value = left // right
    return value if 0 <= value <= LIMIT else None


def arithmetic(story: Story, steps: Sequence[int]) -> tuple[list[str], list[int]]:
    """What these steps compute, without people or wording: (its words, where each step ends).

    "#7" is a constant, "n0" the first value met, "0:12" says that it is 12 and not worked out
    here. Of two values that a step meets first the smaller is named first, if order is free.
    """
    met: dict[int, int] = {}
    words: list[str] = []
    ends: list[int] = []

    def name(ref: Ref) -> str:
        if not ref.node:
            return f"#{ref.at}"
        if ref.at not in met:
            met[ref.at] = len(met)
            words.append(f"{met[ref.at]}:{story.nodes[ref.at].value}")
        return f"n{met[ref.at]}"

    for at in steps:
        _, op, left, right, _ = story.nodes[at]
        if op == "=":
            said = f"{name(left)}="
        elif op in "+*":
            if right.node and left.at not in met and right.at not in met:
                left, right = sorted((left, right), key=lambda r: (story.nodes[r.at].value, r.at))
            said = op.join(sorted((name(left), name(right))))
        else:
            said = f"{name(left)}{op}{name(right)}"
        met[at] = len(met)
        words.append(said)
        ends.append(len(words))
    return words, ends


class _Builder:
    """The state of a story under construction: nodes so far and who holds which."""

    def __init__(self, rng: random.Random, people: int):
        self.rng, self.people = rng, people
        self.nodes: list[Node] = []
        self.held = [-1] * people  # person -> newest node
        self.spine: list[int] = []
        self.lines: list[Line] = []

    def value(self, person: int) -> int:
        return self.nodes[self.held[person]].value

    def known(self, person: int) -> bool:
        """Whether the person's newest value is free to use: given, or on the spine."""
        at = self.held[person]
        return at >= 0 and (self.nodes[at].op == "given" or at in self.spine)

    def put(self, person: int, op: str, left=None, right=None, value=None, needed=False) -> bool:
        """Add a node; False (and nothing added) when its value leaves 0..99."""
        if value is None:
            value = self._of(left) if op == "=" else apply(op, self._of(left), self._of(right))
        if value is None:
            return False
        self.nodes.append(Node(person, op, left, right, value))
        self.held[person] = len(self.nodes) - 1
        if needed:
            self.spine.append(len(self.nodes) - 1)
        return True

    def _of(self, ref: Ref) -> int:
        return self.nodes[ref.at].value if ref.node else ref.at

    def ref(self, person: int) -> Ref:
        return Ref(True, self.held[person])

    def give_value(self, person: int) -> None:
        value = self.rng.randint(4, 60)
        self.put(person, "given", value=value)
        self.lines.append(Line("given", person, c=value))

    def relate(self, x: int, a: int, needed: bool) -> None:
        """Define person x by person a (and perhaps a third), in a way that stays in 0..99."""
        rng = self.rng
        while True:
            form = rng.choices(RELATION_FORMS, cum_weights=RELATION_STEPS)[0]
            if form == "sum":
                free = [p for p in range(x) if p != a and self.held[p] >= 0]
                free = [p for p in free if self.known(p)] if needed else free
                if not free:
                    continue
                b, c = rng.choice(free), 0
                right = self.ref(b)
            else:
                b, c = -1, FACTOR.get(form) or rng.randint(2, 25)
                right = Ref(False, c)
            if form == "same":
                self.put(x, "=", self.ref(a), needed=needed)
            elif not self.put(x, OPERATOR[form], self.ref(a), right, needed=needed):
                continue
            self.lines.append(Line(form, x, a, b, c))
            return

    def change(self, x: int, others: list[int], needed: bool) -> int | None:
        """One event on person x; the person who holds the new spine value, or None if refused."""
        rng = self.rng
        form = rng.choices(CHANGE_FORMS, cum_weights=CHANGE_STEPS)[0]
        c = rng.randint(2, 20)
        if form in ("gain", "lose", "double", "halve"):
            return self._alone(form, x, c, needed)
        if not others:
            return None
        y = rng.choice(others)
        if form in ("give", "take"):
            return self._transfer(form, x, y, c, needed)
        if form == "swap":
            mine, theirs = self.ref(x), self.ref(y)
            self.put(y, "=", mine, needed=needed)
            self.put(x, "=", theirs)
            self.lines.append(Line("swap", x, y))
            return y
        if needed and not self.known(y):
            return None
        giver, getter = (y, x) if form == "match" else (x, y)
        if not self.put(getter, "+", self.ref(getter), self.ref(giver), needed=needed):
            return None
        self.lines.append(Line("match", getter, giver))
        return getter

    def _alone(self, form: str, x: int, c: int, needed: bool) -> int | None:
        op = {"gain": "+", "lose": "-", "double": "*", "halve": "/"}[form]
        by = Ref(False, c if op in "+-" else 2)
        if not self.put(x, op, self.ref(x), by, needed=needed):
            return None
        self.lines.append(Line(form, x, c=c if op in "+-" else 0))
        return x

    def _transfer(self, form: str, x: int, y: int, c: int, needed: bool) -> int | None:
        giver, getter = (x, y) if form == "give" else (y, x)
        if self.value(giver) < c or self.value(getter) + c > LIMIT:
            return None
        for person, op in ((giver, "-"), (getter, "+")):
            self.put(person, op, self.ref(person), Ref(False, c), needed=needed and person == x)
        self.lines.append(Line("give", getter, giver, c=c))
        return x


def build(rng: random.Random, depth: int, noise: float) -> Story:
    """A story whose question takes exactly `depth` steps; `noise`: share of distractors wanted."""
    people = rng.choice((3, 4, 5))
    b = _Builder(rng, people)
    chain = rng.randint(0 if depth > 2 else 1, min(depth, people - 1))
    b.give_value(0)
    for x in range(1, people):
        if x <= chain:
            b.relate(x, x - 1, needed=True)
        elif rng.random() < 0.5:
            b.give_value(x)
        else:
            b.relate(x, rng.randrange(x), needed=False)
    start = len(b.lines)
    holder = chain
    extra = _wanted(b, depth, chain, noise)
    while len(b.spine) < depth or extra > 0:
        others = [p for p in range(people) if p != holder]
        left = depth - len(b.spine)
        if extra > 0 and rng.random() < extra / (extra + left):
            x = others.pop(rng.randrange(len(others)))
            extra -= b.change(x, others, needed=False) is not None
        else:
            new = b.change(holder, others, needed=True)
            holder = holder if new is None else new
    first = b.lines[:start]
    rng.shuffle(first)
    return Story(tuple(b.nodes), tuple(b.spine), (*first, *b.lines[start:]), holder, people)


def _wanted(b: _Builder, depth: int, chain: int, noise: float) -> int:
    """How many distractor events bring the share of distractors to about `noise`."""
    needed, idle = depth + 1, b.people - 1 - chain
    return max(0, round(noise * needed / (1 - noise)) - idle)


def build_sum(rng: random.Random, depth: int, noise: float) -> Story:
    """The add-only control: one person only gains, so the answer is a sum in any order."""
    people = rng.choice((2, 3))
    b = _Builder(rng, people)
    for x in range(people):
        value = rng.randint(4, 19)
        b.put(x, "given", value=value)
        b.lines.append(Line("given", x, c=value))
    extra = round(noise * (depth + 1) / (1 - noise)) - (people - 1)
    while len(b.spine) < depth or extra > 0:
        left = depth - len(b.spine)
        aside = extra > 0 and rng.random() < extra / (extra + left)
        x = rng.randrange(1, people) if aside else 0
        extra -= aside
        c = rng.randint(2, 9)
        if b.put(x, "+", b.ref(x), Ref(False, c), needed=not aside):
            b.lines.append(Line("gain", x, c=c))
    first = b.lines[:people]
    rng.shuffle(first)
    return Story(tuple(b.nodes), tuple(b.spine), (*first, *b.lines[people:]), 0, people)


def is_event(line: Line) -> bool:
    return line.form in EVENTS
