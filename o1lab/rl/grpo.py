"""Group-relative policy optimisation: a rollout's rivals are its baseline, so there is no critic.

Shao et al. 2024 (DeepSeekMath, 4.1), with outcome or process supervision. The loop is PPO's.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from o1lab.model.checkpoints import Policy
from o1lab.rl.advantages import group_advantages, leave_one_out, process_advantages
from o1lab.rl.loop import RLRecord, learn
from o1lab.rl.rewards import Reward
from o1lab.rl.settings import RLConfig
from o1lab.tasks.base import Problem

__all__ = ["DR_GRPO", "GRPO", "PROCESS", "RLOO", "group_advantages", "grpo", "leave_one_out",
           "process_advantages"]  # fmt: skip
GRPO = RLConfig(100, rollouts=8, advantage="grpo", critic="none", average="sequence",
                kl_in="loss", beta=0.04, epochs=1)  # fmt: skip
PROCESS = replace(GRPO, advantage="process")  # use with `steps(scorer, "sum")`
DR_GRPO = replace(GRPO, advantage="dr_grpo", average="constant", beta=0.0)
RLOO = replace(GRPO, advantage="rloo", average="constant", kl_in="reward")


def grpo(
    policy: Policy,
    problems: Callable[[int], list[Problem]],
    reward: Reward,
    config: RLConfig = GRPO,
    folder: str | Path | None = None,
    evaluate: Callable | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
    reference=None,
) -> RLRecord:
    """Train the policy in place without a critic; the arguments are those of `loop.learn`.

    With one update an iteration, beta 0 and each rollout averaged over its own tokens (average
    "sequence") the *value* of the loss is 0: a group's advantages sum to 0 and every ratio is 1.
    Its gradient is not, and that is what is trained on; watch "zero_variance", the share of groups
    in which there is nothing to learn. ValueError for GAE.
    """
    if config.advantage == "gae":
        raise ValueError("GRPO compares rollouts and has no critic: call `ppo` for GAE")
    return learn(policy, problems, reward, config, folder, evaluate, progress, on_record, reference)
