"""Sharper or wider: what a policy and the one it was made from solve in hundreds of tries.

Leaves out the training (`reinforce`) and what the lesson reads out of it (`lesson04`).
"""

from pathlib import Path

from o1lab.tasks.lessons import exam, lesson

LENGTH = {"stories": 140, "countdown": 64}  # most new tokens
ASKED, TRIES = 300, 512  # problems of the coverage curves, and rollouts of each


def coverage(policy, world: str, temperature: float = 1.0, problems: int = ASKED, n: int = TRIES):
    """Of n rollouts of each held-out problem, how many are right, and how many "sound".

    Sound is right with every step right: a lucky guess is not, and with hundreds of tries many a
    story is guessed.
    """
    from o1lab.model.checkpoints import think_all
    from o1lab.rewards.base import all_right, is_right

    task, asked = lesson(world)[0], exam(world, problems, seed=6)
    groups = think_all(policy, asked, n, temperature=temperature, seed=7,
                       max_new_tokens=LENGTH[world], progress=True)  # fmt: skip
    right = [[r for r in group if is_right(task, r)] for group in groups]
    sound = [sum(all_right(task, r) for r in row) for row in right]
    found = {"right": list(map(len, right)), "sound": sound, "n": n, "temperature": temperature}
    return found | {"surprise": surprise(groups)}


def surprise(groups) -> float:
    """Mean -log-probability of a written token, in nats: the entropy of what is sampled."""
    tokens = [p for group in groups for rollout in group for p in rollout.logprobs]
    return -sum(tokens) / len(tokens)


def as_sure(policy, world: str, target: float, problems: int = 100) -> float:
    """The temperature, to a hundredth, at which the policy's `surprise` is `target` nats."""
    from o1lab.model.checkpoints import think_all

    asked, low, high = exam(world, problems, seed=6), 0.05, 1.0
    while high - low > 0.01:
        middle = (low + high) / 2
        groups = think_all(policy, asked, 4, temperature=middle, seed=8,
                           max_new_tokens=LENGTH[world])  # fmt: skip
        low, high = (middle, high) if surprise(groups) < target else (low, middle)
    return round((low + high) / 2, 2)


def sharpened(world: str, learned: Path) -> dict:
    """Coverage of the policy after and before, and of the one before when it is as sure."""
    from o1lab.model.checkpoints import load

    before, after = load(f"{world}-cot"), coverage(load(learned), world)
    cooler = as_sure(before, world, after["surprise"])
    return {
        "after": after,
        "before": coverage(before, world),
        "before, cooled": coverage(before, world, cooler),
    }
