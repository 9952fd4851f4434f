"""The settings of a training run and its learning-rate schedule. Leaves out the run (`train`)."""

from dataclasses import dataclass

# Settings that do not change the weights, so a resumed run may change them.
FREE = ("save_every", "log_every", "eval_every", "keep_at")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a run.

    warmup, decay: shares of `steps`. min_lr: the share of `learning_rate` that the decay heads
    for (it would be reached one step after the last).
    tokens_per_batch: padded tokens in a micro-batch; changes speed and memory, not the result.
    bf16: True, False or "auto" (where the processor multiplies bfloat16 in hardware).
    optimizer: "adamw", or "muon" for the inner matrices (AdamW for the rest), which needs far fewer
        tokens to learn who has what in a story.
    keep_at: where snapshots are kept; numbers up to 1 are shares of `steps`, larger ones FLOPs.

    ValueError for a setting that no run can have.
    """

    steps: int
    learning_rate: float = 3e-3
    warmup: float = 0.03
    decay: float = 0.2
    min_lr: float = 0.05
    weight_decay: float = 0.1
    betas: tuple[float, float] = (0.9, 0.95)
    eps: float = 1e-8
    clip_norm: float = 1.0
    optimizer: str = "adamw"
    tokens_per_batch: int = 4096
    bf16: bool | str = "auto"
    seed: int = 0
    save_every: int = 100
    log_every: int = 10
    eval_every: int = 0
    keep_at: tuple[float, ...] = ()

    def __post_init__(self):
        for name in ("steps", "tokens_per_batch", "save_every", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}: it must be above 0")
        for name in ("warmup", "decay", "min_lr"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}: it is a share, 0 to 1")
        if not all(mark > 0 for mark in self.keep_at):
            raise ValueError(f"keep_at {self.keep_at}: shares of the steps or FLOPs, above 0")
        if self.optimizer not in ("adamw", "muon"):
            raise ValueError(f'optimizer is {self.optimizer!r}: choose "adamw" or "muon"')
        if self.bf16 not in (True, False, "auto"):
            raise ValueError(f'bf16 is {self.bf16!r}: choose True, False or "auto"')


def learning_rate(step: int, config: TrainConfig) -> float:
    """Warm-up, stable, linear decay (WSD; Hu et al. 2024, MiniCPM). `step` counts from 0."""
    rise = max(round(config.warmup * config.steps), 1)
    fall = round(config.decay * config.steps)
    if step < rise:
        return config.learning_rate * (step + 1) / rise
    left = config.steps - step  # steps still to make, this one included
    if left > fall:
        return config.learning_rate
    share = left / (fall + 1)
    return config.learning_rate * (config.min_lr + (1 - config.min_lr) * share)


def marks_passed(config: TrainConfig, step: int, flops_before: float, flops: float) -> bool:
    """Whether update number `step` (from 1) was the first past a place in `keep_at`."""
    for mark in config.keep_at:
        place, before, now = mark, flops_before, flops
        if mark <= 1:
            place, before, now = mark * config.steps, step - 1, step
        if before < place <= now:
            return True
    return False
