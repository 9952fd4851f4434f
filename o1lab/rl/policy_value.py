"""A policy with its value function, and one reading of a micro-batch: what both say of each token.

Only the positions that predict a written token pass through the output layer and the value head.
"""

import copy
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from o1lab.measure.compute import forward_flops
from o1lab.model.batches import Batch
from o1lab.model.updates import hidden_states


class ActorCritic(torch.nn.Module):
    """Any Hugging Face causal LM and, if wanted, a value head that starts at zero.

    critic: "shared" puts the head on the policy's own body, "separate" on a copy of it (or of
        `start`, a body that has learned to judge, such as a reward model's), "none" has none.
    The policy itself is trained in place.
    """

    def __init__(self, policy, critic: str = "shared", start=None):
        super().__init__()
        self.policy, self.body, self.head = policy, None, None
        like = next(policy.parameters())
        if critic == "separate":
            self.body = copy.deepcopy(policy.base_model if start is None else start)
        if critic != "none":
            width = policy.get_output_embeddings().weight.shape[1]
            self.head = torch.nn.Linear(width, 1, device=like.device, dtype=like.dtype)
            torch.nn.init.zeros_(self.head.weight)
            torch.nn.init.zeros_(self.head.bias)

    def values(self, states: torch.Tensor) -> torch.Tensor:
        """Values (M,) of states (M, D), in float32 or float64 also where the bodies run lower."""
        return (at_least_float(states) * self.head.weight[0]).sum(-1) + self.head.bias

    def flops(self, rollouts) -> float:
        """Of one `read` of these rollouts; the head itself is under 0.1% and left out."""
        own = reading_flops(self.policy.config, rollouts)
        return own + (reading_flops(self.body.config, rollouts, False) if self.body else 0.0)


@dataclass
class Reading:
    """Of the M written tokens of a micro-batch: log-probability of each, and value before it.

    entropy: of the distribution each was drawn from, in nats. last (B,): values after the last
    token of each row. None for what was not asked for.
    """

    logprobs: torch.Tensor
    values: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    last: torch.Tensor | None = None


def read(model: ActorCritic, batch: Batch, temperature: float, closely: bool = False) -> Reading:
    """One forward pass (two with a critic of its own); logits are over the *sampling* temperature.

    closely: also the entropies and the values after the last tokens, as is needed once.
    """
    written = written_before(batch)
    hidden = hidden_states(model.policy, batch.ids)  # (B, T, D)
    logits = logits_of(model.policy, hidden[:, :-1][written], temperature)  # (M, V)
    found = Reading(-F.cross_entropy(logits, batch.ids[:, 1:][written], reduction="none"))
    if closely:
        found.entropy = entropies(logits)
    if model.head is not None:
        states = hidden if model.body is None else model.body(batch.ids, use_cache=False)[0]
        found.values = model.values(states[:, :-1][written])
        if closely:
            ends = torch.tensor(batch.lengths, device=states.device) - 1
            found.last = model.values(states[torch.arange(len(ends)), ends])
    return found


def reference_logprobs(policy, batch: Batch, temperature: float) -> torch.Tensor:
    """Log-probabilities (M,) of the written tokens under another policy."""
    written = written_before(batch)
    hidden = hidden_states(policy, batch.ids)[:, :-1][written]  # (M, D)
    logits = logits_of(policy, hidden, temperature)
    return -F.cross_entropy(logits, batch.ids[:, 1:][written], reduction="none")


def written_before(batch: Batch) -> torch.Tensor:
    """(B, T - 1) bool: the positions whose *next* token was written; never padding or prompt."""
    return batch.weight[:, 1:] != 0


def logits_of(policy, hidden: torch.Tensor, temperature: float) -> torch.Tensor:
    logits = at_least_float(policy.get_output_embeddings()(hidden))
    return logits if temperature == 1 else logits / temperature


def at_least_float(numbers: torch.Tensor) -> torch.Tensor:
    return numbers if numbers.dtype == torch.float64 else numbers.float()


def entropies(logits: torch.Tensor) -> torch.Tensor:
    """Entropy (M,) in nats of the distributions with these logits (M, V)."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1)


def reading_flops(config, rollouts, outputs: bool = True) -> float:
    """FLOPs of one forward pass over these rollouts; outputs: with logits of what was written."""
    total = 0.0
    for rollout in rollouts:
        size, written = len(rollout.prompt_ids) + len(rollout.ids), len(rollout.ids)
        total += forward_flops(config, size, (size + 1) / 2, written if outputs else 0)
    return total
