"""Where verifiers start: they learn the policy's own expectations, then what is right."""

import torch

from o1lab.make import checker, checks
from o1lab.model.batches import batches
from o1lab.model.checkpoints import load


def test_only_the_layers_on_top_learn_what_the_policy_expects(tmp_path):
    policy = load("stories-cot")
    found = checker.expecting("stories-cot", tmp_path, steps=2)
    body, own = found.model.base_model, policy.model.base_model
    assert len(body.layers) == len(own.layers) + checker.LAYERS
    assert all(p.requires_grad for p in found.model.parameters())
    kept = zip(own.layers.parameters(), body.layers[: len(own.layers)].parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in kept)
    assert found.model.score.weight.abs().sum() > 0


def test_its_labels_are_the_policys_probabilities():
    policy = load("stories-cot")
    model = checker.token_classifier(policy, 1)
    batch = batches(checks.stream(300, 5)(0), 4096)[0]
    value = checker._likelihood_loss(policy)(model, batch)
    place = (batch.weight[0] != 0).nonzero()[3].item()
    logits = policy.model(input_ids=batch.ids[:1, :place]).logits[0, -1]
    expected = logits.softmax(-1)[batch.ids[0, place]].item()
    assert abs(batch.extra["label"][0, place].item() - expected) < 1e-4
    assert value.isfinite() and value.requires_grad


def test_the_checker_goes_on_from_there(tmp_path):
    start = checker.expecting("stories-cot", steps=1)
    found = checker.checker(start, tmp_path, steps=1)
    assert found.recipe["before"]["start"] == "stories-cot" and found.kind == "prm"
    assert found.recipe["training"]["tokens"] >= checker.TOKENS
