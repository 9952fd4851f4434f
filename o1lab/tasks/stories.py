"""Stories: word problems in plain English, the world of serial reasoning.

Every step is checked exactly against the story. Leaves out how stories are made (`story_world`).
"""

import random
import re
from collections.abc import Iterator, Sequence
from itertools import chain

from o1lab.tasks.base import Problem, Verdict, lines_of, split_of
from o1lab.tasks.story_text import EVENTS, FORMS, NAMES, OPENERS, THINGS, words
from o1lab.tasks.story_world import Node, Ref, Story, apply, arithmetic, build, build_sum

WORDS = tuple(words())
MAX_STEPS, MAX_LINE = 64, 120
_STEP = re.compile(
    r"(?P<x>[A-Z][a-z]+) = (?P<l>[A-Z][a-z]+)(?: (?P<op>[-+*/]) (?P<r>[A-Z][a-z]+|[0-9]{1,3}))?"
    r" = (?P<lv>[0-9]{1,3})(?: (?P<op2>[-+*/]) (?P<rv>[0-9]{1,3}) = (?P<v>[0-9]{1,3}))?",
    re.ASCII,
)


class Stories:
    """Relations in shuffled order, then events, then one question; difficulty = steps needed.

    noise: the range of the share of sentences that the question does not need. On one EPYC core a
    process makes over 5,000 problems a second up to difficulty 7, about 3,400 of difficulty 10.
    """

    name = "stories"
    mistakes = (
        "arithmetic", "wrong operand", "stale value", "not ready", "irrelevant", "malformed",
    )  # fmt: skip
    reserved = (20, 20)  # thousandths of the space kept for test and for dev
    build = staticmethod(build)

    def __init__(self, noise: tuple[float, float] = (0.3, 0.5)):
        self.noise = noise

    def problem(self, rng: random.Random, difficulty: int, split: str = "train") -> Problem:
        """A random problem of 1 to 10 steps; ValueError for another difficulty or split."""
        if not 1 <= difficulty <= 10:
            raise ValueError(f"difficulty {difficulty}: a story takes 1 to 10 steps")
        if split not in ("train", "dev", "test"):
            raise ValueError(f"split {split!r}: choose train, dev or test")
        while True:
            story = self.build(rng, difficulty, rng.uniform(*self.noise))
            if self._belongs(story, split):
                return self._told(story, rng, difficulty)

    def worked(self, rng: random.Random, difficulty: int, split: str = "train"):
        """(problem, steps, answer): a problem with its worked solution."""
        problem = self.problem(rng, difficulty, split)
        return problem, *self.solution(problem, rng)

    def _belongs(self, story: Story, split: str) -> bool:
        begins = self._begins(story)
        if split_of(begins[-1], *self.reserved) != split:
            return False
        inner = chain(begins[1:-1], self._rests(story)) if split == "train" else ()
        return all(split_of(core, *self.reserved) == "train" for core in inner)

    def states(self, story: Story) -> list[str]:
        """Canonical forms of what a trace passes through, beyond single facts.

        Each beginning (the question of an inner value) and each rest (inner values as givens).
        """
        return [*self._begins(story)[1:-1], *self._rests(story)]

    def _begins(self, story: Story) -> list[str]:
        """The canonical form of the first step, the first two … all of them."""
        words, ends = arithmetic(story, story.spine)
        return ["|".join([self.name, *words[:end]]) for end in ends]

    def _rests(self, story: Story) -> Iterator[str]:
        """The same of all steps but the first, but the first two … of the last two."""
        depth = len(story.spine)
        return (self._core(story, k, depth) for k in range(1, depth - 1))

    def is_reserved(self, story: Story, at: int) -> bool:
        """Whether working out value `at`, needed or not, is a problem kept for dev or test."""
        steps, ahead = set(), [at]
        while ahead:
            here = ahead.pop()
            node = story.nodes[here]
            if node.op != "given" and here not in steps:
                steps.add(here)
                ahead += [ref.at for ref in (node.left, node.right) if ref and ref.node]
        inner = story._replace(spine=tuple(sorted(steps)))
        core = self._core(inner, 0, len(steps))
        return len(steps) > 1 and split_of(core, *self.reserved) != "train"

    def canonical(self, problem: Problem) -> str:
        """The arithmetic of the needed steps alone: no names, things, wording or distractors."""
        story = problem.data[0]
        return self._core(story, 0, len(story.spine))

    def _core(self, story: Story, start: int, stop: int) -> str:
        return "|".join([self.name, *arithmetic(story, story.spine[start:stop])[0]])

    def _told(self, story: Story, rng: random.Random, difficulty: int) -> Problem:
        names = tuple(rng.sample(NAMES, story.people))
        thing, other = rng.sample(THINGS, 2)
        text = []
        for i, line in enumerate(story.lines):
            form = rng.choice(FORMS[line.form])
            if line.form in EVENTS:
                form = _opened(form, rng)
            elif i and rng.random() < 0.08:
                text.append(_fill(rng.choice(FORMS["other"]), names, line, thing, other, rng))
            text.append(_fill(form, names, line, thing, other, rng))
        asked = rng.choice(FORMS["question"]).format(x=names[story.asked], t=thing)
        answer = story.nodes[story.spine[-1]].value
        prompt = f"{' '.join(text)} {asked}\n"
        return Problem(self.name, prompt, str(answer), difficulty, (story, names, thing))

    def solution(self, problem: Problem, rng: random.Random | None = None):
        """The needed steps in order, and the answer."""
        story, names, _ = problem.data
        return [_write(story, names, at) for at in story.spine], problem.answer

    def steps(self, thoughts: str) -> list[str]:
        return lines_of(thoughts)

    def verdicts(self, problem: Problem, steps: Sequence[str]) -> list[Verdict]:
        """A verdict a step, each judged on what the trace itself has written so far.

        So one slip in arithmetic is one wrong step; a step that uses its result rightly is
        right. A value that the question does not need is "irrelevant".
        """
        reader = _Reader(*problem.data[:2])
        return [reader.read(step, i) for i, step in enumerate(steps)]

    def grade(self, problem: Problem, answer: str | None) -> bool:
        """Whether the answer is the number, written in plain digits."""
        return (answer or "").strip() == problem.answer


class Sums(Stories):
    """The add-only control of lesson 01: the same English, but the answer is one sum."""

    name = "sums"
    build = staticmethod(build_sum)

    def _begins(self, story: Story) -> list[str]:
        return [self._core(story, 0, k + 1) for k in range(len(story.spine))]

    def _core(self, story: Story, start: int, stop: int) -> str:
        nodes = [story.nodes[at] for at in story.spine[start:stop]]
        first = story.nodes[nodes[0].left.at].value
        return f"{self.name} {first} " + " ".join(sorted(str(n.right.at) for n in nodes))


def _opened(form: str, rng: random.Random) -> str:
    opener = rng.choice(OPENERS)
    if opener and form.startswith(("The ", "A ")):
        form = form[0].lower() + form[1:]
    return opener + form


def _fill(form, names, line, thing, other, rng) -> str:
    a = names[line.a] if line.a >= 0 else ""
    b = names[line.b] if line.b >= 0 else ""
    c = rng.randint(4, 60) if "{u}" in form else line.c
    return form.format(x=names[line.x], a=a, b=b, c=c, t=thing, u=other)


def worked_lines(problem: Problem) -> list[str]:
    """Every step that is true of the story, needed or not, in the order of events."""
    story, names, _ = problem.data
    return [_write(story, names, i) for i, n in enumerate(story.nodes) if n.op != "given"]


def _write(story: Story, names: Sequence[str], at: int) -> str:
    """The worked step of a node: who, from what, with numbers, result."""
    node = story.nodes[at]
    left = story.nodes[node.left.at]
    head = f"{names[node.person]} = {names[left.person]}"
    if node.op == "=":
        return f"{head} = {node.value}"
    who = value = node.right.at
    if node.right.node:
        who, value = names[story.nodes[value].person], story.nodes[value].value
    return f"{head} {node.op} {who} = {left.value} {node.op} {value} = {node.value}"


class _Reader:
    """Reads a trace step by step, keeping the value it wrote for each node."""

    def __init__(self, story: Story, names: Sequence[str]):
        self.story, self.names = story, names
        self.person = {name: i for i, name in enumerate(names)}
        self.written = {i: n.value for i, n in enumerate(story.nodes) if n.op == "given"}
        self.needed = set(story.spine)

    def read(self, step: str, index: int) -> Verdict:
        found = _STEP.fullmatch(step) if len(step) <= MAX_LINE and index < MAX_STEPS else None
        part = found.groupdict() if found else {}
        if not part or (part["op"] is None) != (part["op2"] is None) or part["op"] != part["op2"]:
            return Verdict(False, "malformed", "not of the form: Bob = Ann + 7 = 12 + 7 = 19")
        result = int(part["v"] if part["op"] else part["lv"])
        at = self._node(part)
        if at is None:
            self._take(part["x"], result)
            return Verdict(False, "wrong operand", f"the story never makes {_claim(part)} here")
        verdict = self._judge(at, part, result)
        self.written[at] = result
        return verdict

    def _node(self, part: dict) -> int | None:
        """The node not yet written that says this: one whose values fit, else a needed one."""
        nodes = enumerate(self.story.nodes)
        fits = [i for i, n in nodes if i not in self.written and self._says(n, part)]
        fits.sort(key=lambda i: (not self._fits(i, part), i not in self.needed, i))
        return fits[0] if fits else None

    def _fits(self, at: int, part: dict) -> bool:
        """Whether the step's numbers are the values of this node's operands."""
        refs, said = self._operands(self.story.nodes[at], part)
        held = [self.written.get(ref.at) if ref.node else ref.at for ref in refs]
        return held == said

    def _operands(self, node: Node, part: dict) -> tuple[list[Ref], list[int]]:
        """The node's operands in the order in which the step names them, and its numbers."""
        said = [int(part["lv"])] + ([int(part["rv"])] if part["op"] else [])
        refs = [ref for ref in (node.left, node.right) if ref]
        return (refs if part["l"] == self._called(refs[0]) else refs[::-1]), said

    def _says(self, node: Node, part: dict) -> bool:
        if node.op == "given" or self.names[node.person] != part["x"]:
            return False
        if node.op != (part["op"] or "="):
            return False
        said = [part["l"]] + ([part["r"]] if part["op"] else [])
        meant = [self._called(ref) for ref in (node.left, node.right) if ref]
        return said == meant or (node.op in "+*" and said[::-1] == meant)

    def _called(self, ref: Ref) -> str:
        return self.names[self.story.nodes[ref.at].person] if ref.node else str(ref.at)

    def _judge(self, at: int, part: dict, result: int) -> Verdict:
        node = self.story.nodes[at]
        refs, said = self._operands(node, part)
        for ref, value in zip(refs, said, strict=True):
            wrong = self._operand(ref, value)
            if wrong:
                return wrong
        true = said[0] if node.op == "=" else apply(node.op, *said)
        if result != true:
            right = "no whole number from 0 to 99" if true is None else f"{true}, not {result}"
            return Verdict(False, "arithmetic", f"{_sum(part)} is {right}")
        if at not in self.needed:
            return Verdict(False, "irrelevant", f"true, but the question needs no such {part['x']}")
        return Verdict(True)

    def _operand(self, ref: Ref, value: int) -> Verdict | None:
        if not ref.node:
            if value == ref.at:
                return None
            return Verdict(False, "wrong operand", f"the number is {ref.at}, not {value}")
        who = self._called(ref)
        if ref.at not in self.written:
            return Verdict(False, "not ready", f"the {who} it needs is not worked out yet")
        if value == self.written[ref.at]:
            return None
        person = self.story.nodes[ref.at].person
        held = [self.written.get(i) for i, n in enumerate(self.story.nodes) if n.person == person]
        if value in held:
            return Verdict(False, "stale value", f"{value} is {who} at another time")
        return Verdict(False, "wrong operand", f"{who} was {self.written[ref.at]}, not {value}")

    def _take(self, name: str, result: int) -> None:
        """Let a wrong value stand for the person's next needed node, so it is counted once."""
        person = self.person.get(name)
        for at in self.story.spine:
            if self.story.nodes[at].person == person and at not in self.written:
                self.written[at] = result
                return


def _claim(part: dict) -> str:
    return f"{part['x']} = {part['l']}" + (f" {part['op']} {part['r']}" if part["op"] else "")


def _sum(part: dict) -> str:
    return part["lv"] + (f" {part['op']} {part['rv']}" if part["op"] else "")
