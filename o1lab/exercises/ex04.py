"""Exercises of notebook 04: GAE, the clipped objective, and the advantages inside a group."""

import torch

from o1lab.exercises import Exercise, Mistake
from o1lab.rl.advantages import EPS

REWARDS = torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
VALUES = torch.tensor([[0.5, 0.25, 0.5], [0.5, 0.25, 8.0]], dtype=torch.float64)
MASK = torch.tensor([[True, True, True], [True, True, False]])


def _reference_gae(rewards, values, mask, last, gamma, lam, step):
    """GAE whose running advantage is step(reward, following, value, running, here)."""
    advantages, running = torch.zeros_like(values), torch.zeros_like(values[:, 0])
    following = torch.zeros_like(running) if last is None else last
    for t in reversed(range(values.shape[1])):
        running = step(rewards[:, t], following, values[:, t], running, mask[:, t])
        following = torch.where(mask[:, t], values[:, t], following)
        advantages[:, t] = running * mask[:, t]
    return advantages, (advantages + values) * mask


def _right_step(gamma, lam):
    def step(reward, following, value, running, here):
        return torch.where(here, reward + gamma * following - value + gamma * lam * running,
                           running)  # fmt: skip

    return step


def _gae(fn) -> str | None:
    got = fn(REWARDS, VALUES, MASK)
    if not (isinstance(got, tuple) and len(got) == 2):
        return "give two tensors: advantages and returns"
    want = _reference_gae(REWARDS, VALUES, MASK, None, 1.0, 0.95, _right_step(1.0, 0.95))
    advantages, returns = got
    if advantages.shape != VALUES.shape:
        return f"advantages have the shape of values, (B, T); yours {tuple(advantages.shape)}"
    if abs(float(advantages[0, 2]) - 0.5) > 1e-6:
        return "bootstrapped past the end: after the last token nothing is to come, unless `last`"
    if not torch.allclose(advantages[0], want[0][0]):
        if torch.allclose(advantages[0], _one_step(REWARDS, VALUES)[0]):
            return "one step only: add gamma * lam times the advantage of the token after it"
        return f"the first row should be {want[0][0].tolist()}, yours {advantages[0].tolist()}"
    if not torch.allclose(advantages[1], want[0][1]):
        return "the mask is forgotten: padding (a value of 8 there) leaked into a written token"
    if torch.allclose(returns, advantages) or not torch.allclose(returns, want[1]):
        return "returns are advantages plus values, and 0 on padding"
    last = torch.tensor([2.0, 0.0], dtype=torch.float64)
    if torch.allclose(fn(REWARDS, VALUES, MASK, last)[0], want[0]):
        return "`last` is the value after the last token of a rollout that was cut: use it there"
    return None


def _one_step(rewards, values):
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)
    return rewards + following - values


def _past_the_end(rewards, values, mask, last=None, gamma=1.0, lam=0.95):
    last = values[:, -1] if last is None else last
    return _reference_gae(rewards, values, mask, last, gamma, lam, _right_step(gamma, lam))


def _no_mask(rewards, values, mask, last=None, gamma=1.0, lam=0.95):
    every = torch.ones_like(mask)
    return _reference_gae(rewards, values, every, last, gamma, lam, _right_step(gamma, lam))


def _td_only(rewards, values, mask, last=None, gamma=1.0, lam=0.95):
    return _reference_gae(rewards, values, mask, last, gamma, 0.0, _right_step(gamma, 0.0))


def _returns_are_advantages(rewards, values, mask, last=None, gamma=1.0, lam=0.95):
    found = _reference_gae(rewards, values, mask, last, gamma, lam, _right_step(gamma, lam))[0]
    return found, found


def _ignores_last(rewards, values, mask, last=None, gamma=1.0, lam=0.95):
    return _reference_gae(rewards, values, mask, None, gamma, lam, _right_step(gamma, lam))


def _clipped_objective(fn) -> str | None:
    old = torch.log(torch.tensor([0.5, 0.5, 0.5, 0.5], dtype=torch.float64))
    new = torch.log(torch.tensor([0.9, 0.9, 0.1, 0.1], dtype=torch.float64)).requires_grad_()
    advantages = torch.tensor([1.0, -1.0, 1.0, -1.0], dtype=torch.float64)
    got = fn(new, old, advantages)
    if got.shape != new.shape:
        return "one number a token: the caller averages, over written tokens only"
    want = torch.tensor([1.2, -1.8, 0.2, -0.8], dtype=torch.float64)
    if torch.allclose(got, -want):
        return "that is the loss: this is the objective, which is maximised, without the minus"
    if torch.allclose(got[0], torch.tensor(1.8, dtype=got.dtype)):
        return "nothing is clipped: a ratio of 1.8 counts as 1.2 where the advantage is positive"
    if torch.allclose(got[1], torch.tensor(-1.2, dtype=got.dtype)):
        return "the minimum of both is missing: clipping alone forgives a likelier bad token"
    if not torch.allclose(got, want):
        return f"for ratios 1.8, 1.8, 0.2, 0.2 it should be {want.tolist()}, yours {got.tolist()}"
    if not got.requires_grad:
        return "the gradient is gone: only `old` and the advantages are constants, not `new`"
    return None


def _unclipped(new, old, advantages, clip=0.2):
    return (new - old).exp() * advantages


def _no_minimum(new, old, advantages, clip=0.2):
    return (new - old).exp().clamp(1 - clip, 1 + clip) * advantages


def _a_loss(new, old, advantages, clip=0.2):
    ratio = (new - old).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)


def _detached(new, old, advantages, clip=0.2):
    return -_a_loss(new.detach(), old, advantages, clip)


def _already_averaged(new, old, advantages, clip=0.2):
    return -_a_loss(new, old, advantages, clip).mean()


def _group_advantages(fn) -> str | None:
    rewards = torch.tensor([[1.0, 0.0, 0.0, 1.0], [5.0, 5.0, 5.0, 5.0]], dtype=torch.float64)
    got = fn(rewards)
    if got.shape != rewards.shape:
        return f"one advantage a rollout, (P, n): yours has the shape {tuple(got.shape)}"
    if not torch.isfinite(got).all():
        return "a group of equal rewards divides 0 by 0: add EPS to the standard deviation"
    if abs(float(got[1].mean())) > 1e-6:
        return "the baseline is each prompt's own mean, not the mean of the whole buffer"
    if torch.allclose(got[0].abs(), torch.full((4,), 0.5, dtype=got.dtype)):
        return "the spread is missing: GRPO divides by the group's standard deviation"
    if not torch.allclose(got[0], torch.tensor([1.0, -1, -1, 1], dtype=got.dtype), atol=1e-3):
        return "1, 0, 0, 1 gives 1, -1, -1, 1: take the population's deviation (correction=0)"
    plain = fn(rewards, False)
    if not torch.allclose(plain[0], torch.tensor([0.5, -0.5, -0.5, 0.5], dtype=got.dtype)):
        return "with std=False only the mean is taken off (Dr. GRPO)"
    return None


def _whole_buffer(rewards, std=True):
    return (rewards - rewards.mean()) / (rewards.std(correction=0) + EPS)


def _no_spread(rewards, std=True):
    return rewards - rewards.mean(1, keepdim=True)


def _no_eps(rewards, std=True):
    return (rewards - rewards.mean(1, keepdim=True)) / rewards.std(1, keepdim=True, correction=0)


def _always_spread(rewards, std=True):
    centred = rewards - rewards.mean(1, keepdim=True)
    return centred / (rewards.std(1, keepdim=True, correction=0) + EPS)


def _sample_deviation(rewards, std=True):
    centred = rewards - rewards.mean(1, keepdim=True)
    return centred / (rewards.std(1, keepdim=True) + EPS) if std else centred


EXERCISES = (
    Exercise(
        id="04.gae",
        reference="o1lab.rl.advantages.gae",
        tests=_gae,
        hints=(
            "Go backwards in t. Keep two numbers a row: the advantage so far and the next value.",
            "surprise = reward + gamma * next value - value; advantage = surprise + gamma * lam * "
            "the advantage after it.",
            "Where mask is False both kept numbers stay as they are: torch.where(mask[:, t], …).",
        ),
        mistakes=(
            Mistake(_past_the_end, "past the end"),
            Mistake(_no_mask, "mask is forgotten"),
            Mistake(_td_only, "one step only"),
            Mistake(_returns_are_advantages, "plus values"),
            Mistake(_ignores_last, "was cut"),
        ),
        minutes=15,
        difficulty=3,
    ),
    Exercise(
        id="04.clipped_objective",
        reference="o1lab.rl.objectives.clipped_objective",
        tests=_clipped_objective,
        hints=(
            "The ratio of probabilities is exp(new - old). Clip it to 1 - clip … 1 + clip.",
            "torch.minimum of ratio * advantages and clipped * advantages: the pessimistic one.",
        ),
        mistakes=(
            Mistake(_unclipped, "nothing is clipped"),
            Mistake(_no_minimum, "minimum of both"),
            Mistake(_a_loss, "that is the loss"),
            Mistake(_detached, "gradient is gone"),
            Mistake(_already_averaged, "one number a token"),
        ),
        minutes=10,
        difficulty=2,
    ),
    Exercise(
        id="04.group_advantages",
        reference="o1lab.rl.advantages.group_advantages",
        tests=_group_advantages,
        hints=(
            "rewards.mean(1, keepdim=True) is the mean of each prompt's rollouts.",
            "Divide by rewards.std(1, keepdim=True, correction=0) + EPS, unless std is False.",
        ),
        mistakes=(
            Mistake(_whole_buffer, "whole buffer"),
            Mistake(_no_spread, "spread is missing"),
            Mistake(_no_eps, "divides 0 by 0"),
            Mistake(_always_spread, "std=False"),
            Mistake(_sample_deviation, "correction=0"),
        ),
        minutes=5,
    ),
)
