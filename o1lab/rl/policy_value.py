"""A policy with its value function, and one reading of a micro-batch: what both say of each token.

Only the positions that predict a written token pass through the output layer and the value head.
"""

import copy
from dataclasses import dataclass

import torch
from torch.nn import functional as F

from o1lab.model.optimizers import MuonAndAdamW, inner_matrices
from o1lab.rl.rows import Rows
from o1lab.rl.settings import RLConfig


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

    def optimizer(self, config: RLConfig):
        """AdamW or Muon beside it, without weight decay; the value function at its own rate."""
        policy, own = list(self.policy.parameters()), {id(p) for p in self.policy.parameters()}
        critic = [p for p in self.parameters() if id(p) not in own]
        rates = ((policy, 1.0), (critic, config.critic_rate))
        bodies = [self.policy.base_model, self.body]
        inner = [p for body in bodies if body is not None for p in inner_matrices(body)]
        inside = {id(p) for p in inner} if config.optimizer == "muon" else set()

        def groups(chosen: bool) -> list[dict]:
            kept = [([p for p in part if (id(p) in inside) == chosen], t) for part, t in rates]
            return [{"params": part, "times": times} for part, times in kept if part]

        adamw = torch.optim.AdamW(
            groups(False),
            lr=config.learning_rate,
            betas=config.betas,
            eps=config.eps,
            weight_decay=0.0,
            fused=True,
        )
        if not inside:
            return adamw
        how = {"lr": config.learning_rate, "weight_decay": 0.0}
        return MuonAndAdamW([group | how for group in groups(True)], adamw)

    def flops(self, rows: Rows) -> float:
        """Of one `read`; the head itself is under 0.1% and left out."""
        own = rows.flops(self.policy.config)
        return own + (rows.flops(self.body.config, outputs=False) if self.body else 0.0)


@dataclass
class Reading:
    """Of the M written tokens of a micro-batch: log-probability of each, and value before it.

    entropy: of the distribution each was drawn from, in nats. last (R,): values after the last
    token of each rollout. None for what was not asked for.
    """

    logprobs: torch.Tensor
    values: torch.Tensor | None = None
    entropy: torch.Tensor | None = None
    last: torch.Tensor | None = None


def read(model: ActorCritic, rows: Rows, temperature: float, closely: bool = False) -> Reading:
    """One forward pass (two with a critic of its own); logits are over the *sampling* temperature.

    closely: also the entropies and the values after the last tokens, as is needed once.
    """
    states = states_of(model.policy.base_model, rows)  # (B * T, D)
    logits = logits_of(model.policy, states[rows.before], temperature)  # (M, V)
    found = Reading(-F.cross_entropy(logits, rows.tokens, reduction="none"))
    if closely:
        found.entropy = entropies(logits)
    if model.head is not None:
        states = states if model.body is None else states_of(model.body, rows)
        found.values = model.values(states[rows.before])
        found.last = model.values(states[rows.ends]) if closely else None
    return found


def reference_logprobs(policy, rows: Rows, temperature: float) -> torch.Tensor:
    """Log-probabilities (M,) of the written tokens under another policy."""
    states = states_of(policy.base_model, rows)[rows.before]  # (M, D)
    logits = logits_of(policy, states, temperature)
    return -F.cross_entropy(logits, rows.tokens, reduction="none")


def states_of(body, rows: Rows) -> torch.Tensor:
    """Last hidden states (B * T, D). Padding is on the right, where no real token looks."""
    how = {}
    if rows.owner is not None:
        mask = rows.mask(next(body.parameters()).dtype)
        how = {"attention_mask": mask, "position_ids": rows.positions}
    return body(input_ids=rows.ids, use_cache=False, **how).last_hidden_state.flatten(0, 1)


def logits_of(policy, states: torch.Tensor, temperature: float) -> torch.Tensor:
    logits = at_least_float(policy.get_output_embeddings()(states))
    return logits if temperature == 1 else logits / temperature


def at_least_float(numbers: torch.Tensor) -> torch.Tensor:
    return numbers if numbers.dtype == torch.float64 else numbers.float()


def entropies(logits: torch.Tensor) -> torch.Tensor:
    """Entropy (M,) in nats of the distributions with these logits (M, V)."""
    logprobs = logits.log_softmax(-1)
    return -(logprobs.exp() * logprobs).sum(-1)
