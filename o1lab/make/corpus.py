"""The text that the shipped checkpoints are trained on, as a pure function of seed and step.

Leaves out training. Arithmetic is always right; "noisy" text is noisy in what it plans.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from o1lab.model.batches import Example
from o1lab.model.tokens import END, build_tokenizer
from o1lab.tasks import task
from o1lab.tasks.base import THINK, write_completion
from o1lab.tasks.countdown import Countdown
from o1lab.tasks.countdown_splits import is_reserved
from o1lab.tasks.story_text import FORMS, NAMES, THINGS
from o1lab.tasks.story_world import FACTOR, OPERATOR, apply

HARD = Countdown(max_p=0.05)
FULL, NOTHING = 1.0, 0.0
ECHOED = [*NAMES, *THINGS, *map(str, range(100))]


@dataclass(frozen=True)
class Doc:
    """A document: text read (no loss), text written (loss), and whether only results count.

    places: for each written line the places of its tokens that count, if not all do.
    """

    read: str
    written: str
    results_only: bool = False
    places: tuple[tuple[int, ...], ...] = ()


def facts() -> list[tuple[int, str, int, int]]:
    """Every (a, op, b, result) with all integers in 0..99: what a policy must know by heart."""
    pairs = [(a, op, b) for op in "+-*/" for a in range(100) for b in range(100)]
    known = [(a, op, b, apply(op, a, b)) for a, op, b in pairs]
    return [fact for fact in known if fact[3] is not None]


_BY_OP = {op: [f for f in facts() if f[1] == op] for op in "+-*/"}


def a_fact(rng: random.Random) -> tuple[int, str, int, int]:
    return rng.choice(_BY_OP[rng.choices("+-*/", (4, 4, 1, 1))[0]])


def drill(rng: random.Random) -> Doc:
    """Single facts, a line each; only the results are trained."""
    lines = ["{} {} {} = {}\n".format(*a_fact(rng)) for _ in range(16)]
    return Doc("", "".join(lines), results_only=True)


def story_of_facts(rng: random.Random) -> Doc:
    """A story followed by steps that have nothing to do with it, but are right sums."""
    problem = task("stories").problem(rng, rng.randint(1, 6))
    steps = []
    for _ in range(rng.randint(3, 8)):
        a, op, b, c = a_fact(rng)
        x, y, z = rng.choice(NAMES), rng.choice(NAMES), rng.choice((*NAMES, b, b))
        steps.append(f"{x} = {y} {op} {z if isinstance(z, str) else b} = {a} {op} {b} = {c}")
    return Doc(problem.prompt, write_completion(steps, str(c)), results_only=True)


def countdown_of_facts(rng: random.Random) -> Doc:
    """A countdown puzzle followed by moves that ignore it, but are right sums."""
    numbers = [rng.randint(1, 99) for _ in range(rng.randint(3, 6))]
    target = _free_target(numbers, rng)
    read = f"Make {target} from {' '.join(map(str, numbers))}.\n"
    steps = []
    for left in range(len(numbers) - 2, -1, -1):
        a, op, b, c = a_fact(rng)
        rest = [str(rng.randint(1, 99)) for _ in range(left)]
        steps.append(f"{a} {op} {b} = {c} left {' '.join([*rest, str(c)])}")
    return Doc(read, write_completion(steps, str(c)), results_only=True)


def echo(rng: random.Random) -> Doc:
    """Names, numbers and things in random order, read once and written three times over.

    Nothing in it can be known, only looked up: it teaches to find what stood after the same word
    before (induction heads, Olsson et al. 2022), without which "how many has Kim?" is a guess.
    """
    words = rng.sample(ECHOED, rng.randint(8, 30))
    return Doc(" ".join(words), " " + " ".join(words * 3))


def look_ups(rng: random.Random) -> Doc:
    """People and their numbers, then steps about anyone: who has what, and who says so.

    A step is true of the story (its operator, operands and values count) or takes someone's
    number for any sum (only that number and the result count). No step needs a plan.
    """
    people = rng.sample(NAMES, rng.randint(3, 5))
    held = {x: rng.randint(4, 60) for x in people[: rng.randint(2, 3)]}
    told = {x: _a_step(rng, held) for x in people if x not in held}
    thing = rng.choice(THINGS)
    text = [rng.choice(FORMS["given"]).format(x=x, c=c, t=thing) for x, c in held.items()]
    for x, (form, _, a, c) in told.items():
        text.append(rng.choice(FORMS[form]).format(x=x, a=a, c=c, t=thing))
    rng.shuffle(text)
    text.append(rng.choice(FORMS["question"]).format(x=rng.choice(people), t=thing))
    lines, places = [], []
    for _ in range(8):
        x = rng.choice(people)
        _, op, a, c = told.get(x) or _a_step(rng, held)
        lines.append(f"{x} = {a} {op} {c} = {held[a]} {op} {c} = {apply(op, held[a], c)}")
        places.append((2, 3, 4, 6, 10) if x in told else (6, 10))
    written = write_completion(lines, lines[-1].split()[-1])
    return Doc(" ".join(text) + "\n", written, places=tuple(places))


def _a_step(rng: random.Random, held: dict[str, int]) -> tuple[str, str, str, int]:
    """(form, operator, person, number) of a relation whose result stays in 0..99."""
    while True:
        form, a = rng.choice(("more", "fewer", "twice", "triple", "half")), rng.choice([*held])
        c = FACTOR.get(form) or (3 if form == "triple" else rng.randint(2, 25))
        if apply(OPERATOR[form], held[a], c) is not None:
            return form, OPERATOR[form], a, c


def noisy_story(rng: random.Random) -> Doc:
    """A story and true steps about it in the order of events, needed or not: a careless talker."""
    from o1lab.tasks.stories import _write

    world = task("stories")
    problem = world.problem(rng, rng.randint(1, 8))
    story, names, _ = problem.data
    idle = rng.random()
    kept = [
        i for i, node in enumerate(story.nodes)
        if node.op != "given"
        and (i in story.spine or (rng.random() < idle and not world.is_reserved(story, i)))
    ]  # fmt: skip
    steps = [_write(story, names, i) for i in kept]
    return Doc(problem.prompt, write_completion(steps, str(story.nodes[kept[-1]].value)))


def noisy_countdown(rng: random.Random) -> Doc:
    """A legal play that need not reach the target it was asked for."""
    problem, steps, answer = task("countdown").worked(rng, rng.choice((3, 4, 4, 5)))
    numbers = problem.prompt.split(" from ")[1]
    target = problem.answer if rng.random() < 0.5 else _free_target(problem.data[0], rng)
    return Doc(f"Make {target} from {numbers}", write_completion(steps, answer))


def _free_target(numbers: Sequence[int], rng: random.Random) -> int:
    """A random target that does not make these numbers a reserved problem."""
    while True:
        target = rng.randint(10, 99)
        if not is_reserved(numbers, target):
            return target


def thought(world, difficulties: tuple) -> Callable[[random.Random], Doc]:
    """Worked solutions of a world: `difficulties` is (difficulty, weight) pairs."""
    levels, weights = zip(*difficulties, strict=True)

    def make(rng: random.Random) -> Doc:
        level = rng.choices(levels, weights)[0]
        problem, steps, answer = world.worked(rng, level)
        return Doc(problem.prompt, write_completion(steps, answer))

    make.__name__ = f"thoughts in {world.name}"
    return make


def plan(world, difficulties: tuple, steps: int) -> Callable[[random.Random], Doc]:
    """Only the first worked steps: in planning nearly every failure is an early step astray."""
    levels, weights = zip(*difficulties, strict=True)

    def make(rng: random.Random) -> Doc:
        problem, worked, _ = world.worked(rng, rng.choices(levels, weights)[0])
        begun = worked[:steps]
        places = tuple(tuple(range(len(step.split()) + 1)) for step in begun)  # line ends too
        return Doc(problem.prompt, f"{THINK}\n" + "".join(f"{s}\n" for s in begun), places=places)

    make.__name__ = f"first {steps} steps in {world.name}"
    return make


def at_once(world, difficulties: tuple) -> Callable[[random.Random], Doc]:
    """The same problems answered with no thoughts."""
    levels, weights = zip(*difficulties, strict=True)

    def make(rng: random.Random) -> Doc:
        problem, _, answer = world.worked(rng, rng.choices(levels, weights)[0])
        return Doc(problem.prompt, answer)

    make.__name__ = f"answers at once in {world.name}"
    return make


def filler(world, difficulties: tuple) -> Callable[[random.Random], Doc]:
    """Dots in place of the worked thoughts, as many as their tokens, then the answer."""
    levels, weights = zip(*difficulties, strict=True)

    def make(rng: random.Random) -> Doc:
        problem, steps, answer = world.worked(rng, rng.choices(levels, weights)[0])
        return Doc(problem.prompt + dots(steps), answer)

    make.__name__ = f"filler in {world.name}"
    return make


def dots(steps: list[str]) -> str:
    """A closed thought of dots as long, in tokens, as these steps."""
    tokens = sum(len(step.split()) + 1 for step in steps)
    return write_completion([" ".join("." * (tokens - 1))], "")


def encode(docs: list[Doc]) -> list[Example]:
    """Docs as token ids with a loss weight for each token (0 on what is only read)."""
    tokenizer = build_tokenizer()
    backend = tokenizer.backend_tokenizer
    reads = backend.encode_batch([doc.read for doc in docs])
    writes = backend.encode_batch([doc.written + END for doc in docs])
    out = []
    for doc, read, written in zip(docs, reads, writes, strict=True):
        weight = _weights(written.tokens, doc.results_only)
        if doc.places:
            weight = _at_places(written.tokens, doc.places)
        out.append(Example(read.ids + written.ids, [NOTHING] * len(read.ids) + weight))
    return out


def _weights(tokens: list[str], results_only: bool) -> list[float]:
    """Full weight everywhere, or only on the number that ends a sum `a op b =`."""
    if not results_only:
        return [FULL] * len(tokens)
    ends = [
        i > 3 and tokens[i - 1] == "=" and tokens[i - 3] in "+-*/" and tokens[i].isdigit()
        and tokens[i - 2].isdigit() and tokens[i - 4].isdigit()
        for i in range(len(tokens))
    ]  # fmt: skip
    return [FULL if end else NOTHING for end in ends]


def _at_places(tokens: list[str], places: tuple[tuple[int, ...], ...]) -> list[float]:
    """Full weight at the given places of each line of thought."""
    weight = [NOTHING] * len(tokens)
    start = tokens.index("\n") + 1
    for wanted in places:
        for place in wanted:
            weight[start + place] = FULL
        start = tokens.index("\n", start) + 1
    return weight


def stream(mixture: tuple, tokens: int, seed: int) -> Callable[[int], list[Example]]:
    """`examples(step)`: at least `tokens` tokens of docs drawn from (maker, share) pairs.

    The same seed and step give the same examples, so a resumed run needs no saved data state.
    A share is a share of documents.
    """
    makers, shares = zip(*mixture, strict=True)

    def examples(step: int) -> list[Example]:
        rng = random.Random(seed * 1_000_003 + step)
        out: list[Example] = []
        total = 0
        while total < tokens:
            fresh = encode([rng.choices(makers, shares)[0](rng) for _ in range(32)])
            for example in fresh:
                if total < tokens:
                    out.append(example)
                    total += len(example.ids)
        return out

    return examples
