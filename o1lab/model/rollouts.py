"""The rollout: the noun that engine, verifiers, training and search pass around."""

from dataclasses import dataclass, field
from typing import Any

from o1lab.tasks.base import Problem, read_completion


@dataclass
class Rollout:
    """One sampled completion of one problem's prompt.

    prompt_ids, ids: token ids of the prompt and of the completion (ids includes the stop token
        when one was written).
    logprobs: log-probability of each completion token at the sampling temperature, len(ids).
    text: the completion decoded, without the end token.
    step_ends: for each step of the thoughts, the index in `ids` just past its last token.
    finished: True when the end token was written; False when it was cut at the length limit.
    flops: forward FLOPs spent on this rollout, its share of the shared prompt included.
    past: keys and values that it left behind, where `generate` was asked for them.
    """

    problem: Problem | None
    prompt_ids: list[int]
    ids: list[int]
    logprobs: list[float]
    text: str
    step_ends: list[int] = field(default_factory=list)
    finished: bool = False
    flops: float = 0.0
    past: Any = field(default=None, repr=False, compare=False)

    @property
    def thoughts(self) -> str | None:
        return read_completion(self.text)[0]

    @property
    def answer(self) -> str | None:
        """The text after the thoughts; None when there is none or the thought is unclosed."""
        return read_completion(self.text)[1]
