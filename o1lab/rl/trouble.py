"""When a run must stop and what to say: numbers no longer finite, a policy that has run away."""

import math
from pathlib import Path

from o1lab.model.training_state import STATE
from o1lab.rl.settings import RLConfig


class RLDiverged(FloatingPointError):
    """Loss, gradient or log-probabilities are no numbers any more, or the KL has blown up."""


def check_look(step: int, facts: dict, config: RLConfig, beta, rate, folder: Path | None) -> None:
    """RLDiverged if the rollouts show that the policy is ruined or far from the reference."""
    kl, shown = facts["kl"], f"beta {beta:.3g}, learning rate {rate:.2e}"
    if not math.isfinite(kl) or not math.isfinite(facts["entropy"]):
        raise RLDiverged(
            f"iteration {step}: log-probabilities are not finite ({shown}). "
            f"{_kept(folder)} Lower learning_rate (try a third) or raise eps."
        )
    if kl > config.kl_limit:
        raise RLDiverged(
            f"iteration {step}: the policy is {kl:.1f} nats a rollout from its reference, limit "
            f"{config.kl_limit:g} ({shown}; proxy reward {facts['proxy']:.3f}, truly right "
            f"{facts['true']:.3f}). {_kept(folder)} Raise beta or set kl_target, lower "
            "learning_rate or epochs; if the proxy is high and the truth low, the reward is being "
            "hacked."
        )


def check_update(step: int, made, rate: float, folder: Path | None) -> None:
    """RLDiverged if an update's loss or gradient was not finite; that update was not made."""
    if not (math.isfinite(made.loss) and math.isfinite(made.norm)):
        raise RLDiverged(
            f"iteration {step}, update {made.count}: loss {made.loss}, gradient norm {made.norm} "
            f"at learning rate {rate:.2e}. {_kept(folder)} Lower learning_rate (try a third), and "
            "look at the rewards' sizes and at explained_variance."
        )


def _kept(folder: Path | None) -> str:
    if folder is None or not (folder / STATE).exists():
        return "No checkpoint has been kept: give a folder, and look at the weights you began with."
    return f"The model holds the last good checkpoint again, and {folder} keeps it."
