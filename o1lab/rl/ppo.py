"""Proximal policy optimisation of a language model (Schulman et al. 2017; Ouyang et al. 2022).

The settings to start from and the call; the objective is in `objectives`, the loop in `loop`.
"""

from collections.abc import Callable
from pathlib import Path

from o1lab.model.checkpoints import Policy
from o1lab.rl.loop import RLRecord, learn
from o1lab.rl.objectives import clipped_objective, value_loss
from o1lab.rl.rewards import Reward
from o1lab.rl.settings import RLConfig
from o1lab.tasks.base import Problem

__all__ = ["PPO", "clipped_objective", "ppo", "value_loss"]
PPO = RLConfig(100)


def ppo(
    policy: Policy,
    problems: Callable[[int], list[Problem]],
    reward: Reward,
    config: RLConfig = PPO,
    folder: str | Path | None = None,
    evaluate: Callable | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
    reference=None,
    critic=None,
) -> RLRecord:
    """Train the policy in place with a value function; the arguments are those of `loop.learn`.

    ValueError for settings without a critic.
    """
    if config.advantage != "gae":
        raise ValueError(f"PPO's advantage is GAE, not {config.advantage!r}: call `grpo` for it")
    return learn(policy, problems, reward, config, folder, evaluate, progress, on_record,
                 reference, critic)  # fmt: skip
