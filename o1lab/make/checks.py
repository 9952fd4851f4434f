"""Text that teaches to check: worked stories in which one step is wrong, labelled to the token.

A verifier that starts from a policy shares its blind spots; what it lacks is practice in looking
up whether a written step is what the story says. Every document is a new story, no policy is
asked, and the task's own checker says what is right. Leaves out training (`verifiers`).
"""

import random
from collections.abc import Callable, Sequence

from o1lab.model.batches import Example
from o1lab.model.tokens import END, build_tokenizer
from o1lab.tasks import task
from o1lab.tasks.base import END_THINK, Problem, write_completion
from o1lab.tasks.stories import worked_lines
from o1lab.tasks.story_world import apply

DEPTHS = (1, 2, 3, 4, 5, 6)
WHOLE = 0.4  # share of traces without a wrong step
BADLY_CLOSED = 0.1  # share of those whose answer is not their last number
SWAPPED = 0.55  # share of wrong steps that are true of the story, but not needed or not yet


def checked(rng: random.Random) -> tuple[Problem, list[str], str, str | None]:
    """(problem, the beginning of a trace, what its last step should have been, answer or None).

    Some are whole, with an answer that may be wrong; the others end in a wrong step.
    """
    world = task("stories")
    while True:
        problem = world.problem(rng, rng.choice(DEPTHS))
        right = world.solution(problem)[0]
        if rng.random() < WHOLE:
            answer = str(rng.randint(0, 99)) if rng.random() < BADLY_CLOSED else problem.answer
            return problem, right, right[-1], answer
        at = rng.randrange(len(right))
        wrong = _swapped(rng, problem, right[at:]) if rng.random() < SWAPPED else None
        wrong = wrong or _miswritten(rng, problem, right[: at + 1])
        steps = [*right[:at], wrong or ""]
        if wrong and not world.verdicts(problem, steps)[-1].ok:
            return problem, steps, right[at], None


def _swapped(rng: random.Random, problem: Problem, ahead: Sequence[str]) -> str | None:
    """A true step in the place of the needed one: a later one, or one that nobody asked for."""
    idle = [step for step in worked_lines(problem) if step not in ahead]
    pool = ahead[1:] if rng.random() < 0.3 or not idle else idle
    return rng.choice(pool) if pool else None


def _miswritten(rng: random.Random, problem: Problem, so_far: Sequence[str]) -> str | None:
    """The last step with one word changed and what hangs on it changed along; the sum is right.

    Only a changed result makes a wrong sum. None where the sum leaves 0..99.
    """
    words, last = so_far[-1].split(), len(so_far[-1].split()) - 1
    numbers = [w.strip(".,") for w in " ".join([problem.prompt, *so_far]).split()]
    numbers = [w for w in numbers if w.isdecimal()]
    at = rng.choice([i for i, word in enumerate(words) if word != "="])
    pool = "+-*/" if words[at] in "+-*/" else problem.data[1]
    pool = numbers if words[at].isdecimal() else pool
    words[at] = rng.choice([word for word in pool if word != words[at]] or pool)
    if last == 4:  # Bob = Ann = 12
        words[4] = rng.choice(numbers) if at == 2 else words[4]
        return " ".join(words)
    if at in (2, 3, 4):  # Bob = Ann + 7 = 12 + 7 = 19: what stands for it four words on
        words[at + 4] = rng.choice(numbers) if words[at] in problem.data[1] else words[at]
    total = apply(words[7], int(words[6]), int(words[8])) if at < last else words[last]
    return None if total is None else " ".join([*words[:last], str(total)])


def document(rng: random.Random) -> Example:
    """A trace as an example with labels on all its tokens.

    Of a right step every token is right; of a wrong one those from where it leaves the step that
    might have stood there. A right last step is wrong all the same if the answer is.
    """
    tokenizer = build_tokenizer()
    problem, steps, meant, answer = checked(rng)
    read = tokenizer.encode(problem.prompt)
    if answer is None:
        written = tokenizer.encode(write_completion(steps, "").partition(END_THINK)[0])
        words, pairs = steps[-1].split(), zip(steps[-1].split(), meant.split(), strict=False)
        wrong = len(words) + 1 - next((i for i, (a, b) in enumerate(pairs) if a != b), 0)
    else:
        written = tokenizer.encode(write_completion(steps, answer) + END)
        wrong = 0 if answer == problem.answer else 2  # the answer and the end token
    label = [1.0] * (len(written) - wrong) + [0.0] * wrong
    weight = [0.0] * len(read) + [1.0] * len(written)
    return Example(read + written, weight, {"label": [0.0] * len(read) + label})


def stream(tokens: int, seed: int) -> Callable[[int], list[Example]]:
    """`examples(step)` for the training loop: at least `tokens` tokens of fresh documents."""

    def examples(step: int) -> list[Example]:
        rng, out, total = random.Random(f"checks {seed} {step}"), [], 0
        while total < tokens:
            out.append(document(rng))
            total += len(out[-1].ids)
        return out

    return examples
