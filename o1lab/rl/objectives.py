"""The clipped objectives of PPO and the estimators of KL divergence, token by token.

Everything is of written tokens only, (M,): no padding comes here, and the caller averages.
"""

import torch


def clipped_objective(new, old, advantages, clip: float = 0.2):
    """What each token adds to the objective, (M,), to be *maximised*.

    new, old: log-probabilities under the policy being trained and the one that sampled; only
    `new` carries a gradient. Schulman et al. 2017, equation 7.
    """
    ratio = (new - old).exp()
    clipped = ratio.clamp(1 - clip, 1 + clip)
    return torch.minimum(ratio * advantages, clipped * advantages)


def value_loss(values, old, returns, clip: float = 0.2):
    """Half the squared error of each value, (M,), or of the clipped value where that is worse.

    old: the values before this iteration's first update; a value is clipped to `clip` of its own.
    """
    clipped = old + (values - old).clamp(-clip, clip)
    return 0.5 * torch.maximum((values - returns) ** 2, (clipped - returns) ** 2)


def kl_estimate(new, other):
    """KL(new || other) a token, (M,), where tokens are of `new`: never negative, no bias.

    The estimator k3 = e^d - d - 1 with d = other - new (Schulman 2020), which GRPO has in its loss.
    """
    gap = other - new
    return gap.exp() - gap - 1


def next_beta(beta: float, kl: float, target: float, n: int, horizon: float) -> float:
    """The coefficient of the KL penalty after n rollouts whose mean KL was `kl` nats.

    Ziegler et al. 2019, section 2.2: a proportional controller in log space.
    """
    error = min(max(kl / target - 1, -0.2), 0.2)
    return beta * (1 + error * n / horizon)
