"""Traces for the tests of rewards: right ones, ones with wrong steps, in either tokenizer."""

import random

from o1lab.model.rollouts import Rollout
from o1lab.model.steps import step_ends
from o1lab.model.tokens import build_tokenizer
from o1lab.tasks import task
from o1lab.tasks.base import THINK, write_completion

BAD = "Ann = Ann + 1 = 1 + 1 = 3"  # wrong in every story


def trace(problem, text, tokenizer=None, finished=True) -> Rollout:
    """A rollout of this text, as if it had been sampled."""
    tokenizer = tokenizer or build_tokenizer()
    prompt, ids = tokenizer.encode(problem.prompt), tokenizer.encode(text)
    ends = step_ends(tokenizer, ids)
    ids = ids + [tokenizer.eos_token_id] * finished
    return Rollout(problem, prompt, ids, [0.0] * len(ids), text, ends, finished)


def worked(seed, depth=3, wrong=(), answer=None, tokenizer=None) -> Rollout:
    """A worked story with BAD in the place of the steps in `wrong`."""
    problem, steps, right = task("stories").worked(random.Random(seed), depth)
    steps = [BAD if i in wrong else step for i, step in enumerate(steps)]
    return trace(problem, write_completion(steps, answer or right), tokenizer)


def unclosed(seed=0, lines=("Ann = Ann + 1",), tokenizer=None) -> Rollout:
    """A thought that was cut before it was closed."""
    problem = task("stories").problem(random.Random(seed), 2)
    return trace(problem, f"{THINK}\n" + "\n".join(lines), tokenizer, False)


def stepless(seed=0, tokenizer=None) -> Rollout:
    """A bare answer."""
    problem = task("stories").problem(random.Random(seed), 2)
    return trace(problem, "7", tokenizer)
