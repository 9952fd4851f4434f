"""How much better each token was than expected: GAE, and the advantages within a group.

Tensors hold one rollout a row, written tokens first, padding after; `mask` is True where a token
was written. Leaves out where rewards and values come from.
"""

from collections.abc import Sequence

import torch

EPS = 1e-4  # beside a standard deviation, so that equal rewards give advantages of 0


def gae(rewards, values, mask, last=None, gamma: float = 1.0, lam: float = 0.95):
    """Advantages and returns, both (B, T), by generalised advantage estimation.

    rewards, values (B, T): a token's value is that of the state *before* it.
    last (B,): the value after the last token, for rollouts cut at the length limit; 0 past a
        true end, and 0 everywhere by default. Schulman et al. 2016, equation 16.
    """
    following = torch.zeros_like(values[:, 0]) if last is None else last  # (B,) value to come
    running = torch.zeros_like(following)
    advantages = torch.zeros_like(values)
    for t in reversed(range(values.shape[1])):
        surprise = rewards[:, t] + gamma * following - values[:, t]
        running = torch.where(mask[:, t], surprise + gamma * lam * running, running)
        following = torch.where(mask[:, t], values[:, t], following)
        advantages[:, t] = running * mask[:, t]
    return advantages, (advantages + values) * mask


def whiten(numbers, mask):
    """Numbers (B, T) shifted and scaled to mean 0 and variance 1 over the written tokens."""
    valid = numbers[mask]
    scaled = (numbers - valid.mean()) / (valid.var(correction=0) + 1e-8).sqrt()
    return scaled * mask


def group_advantages(rewards, std: bool = True):
    """Rewards (P, n) of n rollouts a prompt, less the mean of their group, over its spread.

    std: divide by the group's standard deviation (of the population), as GRPO does (Shao et al.
    2024, 4.1.2); Dr. GRPO does not, because it makes easy and hopeless prompts count more (Liu
    et al. 2025). A group of equal rewards teaches nothing: all its advantages are 0.
    """
    centred = rewards - rewards.mean(1, keepdim=True)
    return centred / (rewards.std(1, keepdim=True, correction=0) + EPS) if std else centred


def leave_one_out(rewards):
    """Rewards (P, n), each less the mean of the *others* of its group (RLOO; Ahmadian et al. 2024).

    ValueError for groups of one.
    """
    n = rewards.shape[1]
    if n < 2:
        raise ValueError("a group of one has no others to compare with: sample 2 rollouts or more")
    return rewards - (rewards.sum(1, keepdim=True) - rewards) / (n - 1)


def process_advantages(
    payments: Sequence[Sequence[tuple[int, float]]], lengths: Sequence[int], std: bool = True
) -> list[torch.Tensor]:
    """Token advantages, (length,) a rollout, of one group under process supervision.

    payments: for each rollout of the group its steps' (last token, score). Scores are normalised
    over all steps of the group; a token's advantage is the sum of those that end at or after it.
    DeepSeekMath (Shao et al. 2024), 4.1.3.
    """
    scores = torch.tensor([s for row in payments for _, s in row], dtype=torch.float64)
    mean = scores.mean() if len(scores) else 0.0
    spread = scores.std(correction=0) + EPS if std and len(scores) else 1.0
    out = [torch.zeros(length, dtype=torch.float64) for length in lengths]
    for tokens, row in zip(out, payments, strict=True):
        for at, score in row:
            tokens[: at + 1] += (score - mean) / spread
    return out
