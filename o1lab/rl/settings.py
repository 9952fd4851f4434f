"""The settings of reinforcement learning, one dataclass for PPO and GRPO. Leaves out the run."""

from dataclasses import dataclass

from o1lab.model.settings import TrainConfig, learning_rate

CHOICES = {
    "advantage": ("gae", "grpo", "dr_grpo", "rloo", "process"),
    "critic": ("shared", "separate", "none"),
    "average": ("token", "sequence", "constant"),
    "kl_in": ("reward", "loss"),
    "at_limit": ("end", "bootstrap"),
    "optimizer": ("adamw", "muon"),
    "bf16": (True, False, "auto"),
}
FREE = ("save_every", "eval_every")  # may change in a resumed run


@dataclass(frozen=True)
class RLConfig:
    """Settings of a run; `ppo.PPO` and `grpo.GRPO` are the two to start from.

    iterations: rounds of sampling and updating. rollouts: how many a prompt.
    advantage: "gae" needs a critic; "grpo", "dr_grpo", "rloo" and "process" (DeepSeekMath 4.1.3)
        compare the rollouts of one prompt.
    critic: a head of zeros on the policy's own body ("shared"), or on a copy of it ("separate").
    average: the loss is the mean over all tokens ("token"), over rollouts of the mean over their
        tokens ("sequence", GRPO's: long wrong answers are punished less a token), or the sum over
        rows x max_new_tokens ("constant", Dr. GRPO's).
    kl_in: the leash to the starting policy is -beta (logp - logp_ref) in each token's "reward",
        or beta times `kl_estimate` in the "loss".
    beta, kl_target, kl_horizon: the leash is fixed, or steered to `kl_target` nats a rollout.
    kl_stop: an iteration's updates end before one whose approximate KL (nats a token) is above it.
    kl_limit: nats a rollout from the reference at which a run is stopped as run away.
    at_limit: a rollout cut at max_new_tokens has ended ("end": the limit is part of the game), or
        goes on unseen ("bootstrap": it is worth what the critic says of its last state).
    learning_rate: annealed linearly to 0 after a `warmup` share of the iterations.
    optimizer: "adamw", or "muon" for the inner matrices and AdamW for the rest, which learns
        more from as many rollouts.
    critic_rate: how many times that rate the value head, and a critic of its own, learns at.
    tokens_per_batch: padded tokens in a micro-batch; changes speed, memory and rounding.

    ValueError for a setting that no run can have.
    """

    iterations: int
    rollouts: int = 4
    max_new_tokens: int = 64
    temperature: float = 1.0
    advantage: str = "gae"
    critic: str = "shared"
    average: str = "token"
    kl_in: str = "reward"
    beta: float = 0.05
    kl_target: float | None = None
    kl_horizon: float = 10_000.0
    kl_stop: float = 0.05
    kl_limit: float = 50.0
    at_limit: str = "end"
    epochs: int = 2
    minibatches: int = 4
    clip: float = 0.2
    value_clip: float = 0.2
    value_coefficient: float = 0.1
    gamma: float = 1.0
    lam: float = 0.95
    learning_rate: float = 1e-4
    optimizer: str = "adamw"
    critic_rate: float = 1.0
    warmup: float = 0.03
    clip_norm: float = 1.0
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-5
    tokens_per_batch: int = 1024
    bf16: bool | str = False
    seed: int = 0
    save_every: int = 5
    eval_every: int = 0

    def __post_init__(self):
        for name in ("iterations", "rollouts", "max_new_tokens", "epochs", "minibatches",
                     "tokens_per_batch", "save_every"):  # fmt: skip
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        for name in ("temperature", "learning_rate", "critic_rate", "kl_horizon", "kl_stop",
                     "kl_limit", "clip"):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be above 0")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                shown = ", ".join(map(repr, choices))
                raise ValueError(f"{name} is {getattr(self, name)!r}: choose one of {shown}")
        _check_leash(self)
        _check_advantage(self)


def _check_leash(config: RLConfig) -> None:
    if not config.beta >= 0:
        raise ValueError(f"beta is {config.beta}: it must be at least 0")
    if config.kl_target is not None and not (config.kl_target > 0 and config.beta > 0):
        raise ValueError("an adaptive leash needs kl_target and beta above 0: 0 stays 0 for ever")


def _check_advantage(config: RLConfig) -> None:
    if config.advantage == "gae" and config.critic == "none":
        raise ValueError('advantage "gae" needs a critic: choose "shared" or "separate"')
    if config.advantage != "gae" and config.critic != "none":
        raise ValueError(f'advantage {config.advantage!r} has no use for a critic: choose "none"')
    if config.advantage != "gae" and config.rollouts < 2:
        raise ValueError("a group of one has nothing to compare with: rollouts must be 2 or more")
    if config.at_limit == "bootstrap" and config.critic == "none":
        raise ValueError('at_limit "bootstrap" asks a critic: choose "end" without one')


def annealed(config: RLConfig, iteration: int) -> float:
    """The learning rate of an iteration: the training loop's schedule, falling all the way."""
    steps, rate = config.iterations, config.learning_rate
    schedule = TrainConfig(steps, rate, warmup=config.warmup, decay=1.0, min_lr=0.0)
    return learning_rate(iteration, schedule)
