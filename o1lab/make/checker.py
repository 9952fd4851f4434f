"""Where lesson 03's verifiers start: layers on a policy that know what it expected, then what is

right. Leaves out the text they read (`checks`) and the verifiers made from them (`verifiers`).

A policy's last layer holds what it expected at each place, so a layer above it can compare that
with what was written. `expecting` learns to: it says of each token how likely the policy held it,
and has seen no label. `checker` goes on from it with labelled steps that no policy wrote.
"""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from o1lab.make import checks
from o1lab.model.checkpoints import Policy, load
from o1lab.model.settings import TrainConfig
from o1lab.model.train import train
from o1lab.rewards.models import RewardModel, label_loss, token_classifier

LAYERS = 2  # on top of the policy's
TOKENS = 4096  # an update
EXPECTING = TrainConfig(300, learning_rate=4e-3, decay=0.3, optimizer="muon", seed=1)
CHECKER = TrainConfig(1200, learning_rate=3e-3, decay=0.4, optimizer="muon", seed=2)


def expecting(policy: str, folder: Path | None = None, steps: int | None = None) -> RewardModel:
    """A verifier whose score of a token is how likely the policy held it.

    Only the layers on top learn, from the policy's own probabilities: nobody says what is right.
    steps: fewer updates than the recipe's, for a test.
    """
    own, config = load(policy), _shorter(EXPECTING, steps)
    model = token_classifier(own, LAYERS)
    body = model.base_model
    for part in (body.embed_tokens, *body.layers[:-LAYERS]):
        part.requires_grad_(False)
    text = checks.stream(TOKENS, config.seed)
    done = train(model, text, config, folder, _likelihood_loss(own))
    model.requires_grad_(True)
    facts = _facts(policy, config, done)
    return RewardModel(model, own.tokenizer, "prm", f"{policy}-expecting", facts)


def checker(
    start: RewardModel, folder: Path | None = None, steps: int | None = None
) -> RewardModel:
    """The start tuned on worked stories with a planted mistake, labelled by the task's checker."""
    config, model = _shorter(CHECKER, steps), token_classifier(start)
    done = train(model, checks.stream(TOKENS, config.seed), config, folder, label_loss)
    facts = _facts(start.name, config, done) | {"before": start.recipe}
    return RewardModel(model, start.tokenizer, "prm", "stories-checker", facts)


def _likelihood_loss(policy: Policy):
    """`label_loss` with the policy's probability of each written token as its label."""

    def loss(model, batch):
        with torch.no_grad():
            logits = policy.model(input_ids=batch.ids[:, :-1], use_cache=False).logits
            likely = logits.float().softmax(-1).gather(-1, batch.ids[:, 1:, None])  # (B, T - 1, 1)
        batch.extra["label"][:, 1:] = likely[..., 0]
        return label_loss(model, batch)

    return loss


def _shorter(config: TrainConfig, steps: int | None) -> TrainConfig:
    return config if steps is None else replace(config, steps=steps)


def _facts(start: str, config: TrainConfig, done) -> dict:
    spent = {"tokens": done.tokens, "flops": done.flops, "seconds": done.seconds}
    return {"kind": "prm", "start": start, "config": asdict(config), "training": spent}
