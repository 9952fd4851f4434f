"""A reward model's speed: all steps of 64 rollouts in one pass after a shared prompt.

Leaves out how long one takes to train (its recipe says). Peers run turn by turn in one process.
"""

import random

from o1lab.make.bench_rollout import race

ROLLOUTS, PROBLEMS, DEPTH = 64, 4, 5


def rows(rounds: int = 5, problems: int = PROBLEMS) -> list[dict]:
    """Rollouts scored a second, beside one pass a step and beside one whole sequence a rollout."""
    from o1lab.model.checkpoints import load
    from o1lab.rewards.models import RewardModel, token_classifier

    policy = load("stories-cot")
    model = token_classifier(policy)
    rollouts = different(policy, problems)

    def scored(shared: bool):
        return lambda: len(RewardModel(model, policy.tokenizer, shared=shared)(rollouts))

    def a_pass_a_step() -> int:
        return len(step_by_step(model, rollouts))

    pairs = (
        ("score-vs-step", (scored(True), a_pass_a_step), 10.0),
        ("score-vs-full", (scored(True), scored(False)), 1.5),
    )
    return [race(name, pair, aim, rounds) | {"unit": "rollouts/s"} for name, pair, aim in pairs]


def different(policy, problems: int) -> list:
    """ROLLOUTS of each dev story, no two alike, so that reading equals once saves nothing."""
    from o1lab.model.checkpoints import think_all
    from o1lab.tasks import task

    world, rng, out = task("stories"), random.Random(3), []
    while len(out) < problems * ROLLOUTS:
        problem = world.problem(rng, DEPTH, "dev")
        (group,) = think_all(policy, [problem], 4 * ROLLOUTS, temperature=1.2, max_new_tokens=160)
        kept = list({tuple(r.ids): r for r in group if r.step_ends}.values())[:ROLLOUTS]
        out += kept if len(kept) == ROLLOUTS else []
    return out


def step_by_step(model, rollouts: list) -> list[list[float]]:
    """The scores as a plain loop finds them: for every step the whole text up to it, anew."""
    import torch

    from o1lab.rewards.base import judged_at
    from o1lab.rewards.scoring import margin

    out = []
    with torch.inference_mode():
        for rollout in rollouts:
            row = []
            for at in judged_at(rollout):
                ids = torch.tensor([rollout.prompt_ids + rollout.ids[: at + 1]])  # (1, T)
                row.append(margin(model(input_ids=ids).logits[:, -1]).sigmoid().item())
            out.append(row)
    return out
