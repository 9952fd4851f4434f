"""One reading of a micro-batch: the engine's own numbers, padding, heads at zero, temperature."""

import copy
from dataclasses import replace

import pytest
import torch

from o1lab.measure.compute import forward_flops
from o1lab.model.generate import generate
from o1lab.rl.experience import minibatches
from o1lab.rl.policy_value import ActorCritic, read, reference_logprobs, written_before
from tests.rl.tiny_rl import config, policy, problems

KINDS = ("llama", "qwen")


def close(one, two):
    """Up to the float32 in which the norms compute."""
    return torch.allclose(one, two, atol=2e-5)


def sampled(kind, temperature=1.0, n=3, new=7, double=False):
    asked, start = policy(kind=kind), problems(0, 4)
    if double:
        asked.model.double()
    prompts = [problem.prompt for problem in start]
    groups = generate(asked.model, asked.tokenizer, prompts, n=n, max_new_tokens=new,
                      temperature=temperature, problems=start)  # fmt: skip
    return asked, [rollout for group in groups for rollout in group]


def micro_batches(rollouts, **changes):
    changes = {"minibatches": 1, "tokens_per_batch": 10_000} | changes
    parts = minibatches(rollouts, config(**changes), 0, 0)
    return [micro for part in parts for micro in part]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_log_probabilities_are_the_engines_at_its_temperature(kind, temperature):
    asked, rollouts = sampled(kind, temperature)
    model, hot = ActorCritic(asked.model, "none"), []
    for places, batch in micro_batches(rollouts, tokens_per_batch=60):
        found = read(model, batch, temperature).logprobs
        want = torch.tensor([p for i in places for p in rollouts[i].logprobs])
        assert close(found, want)
        assert torch.equal(reference_logprobs(asked.model, batch, temperature), found)
        hot.append((read(model, batch, 1.5).logprobs - want).abs().mean())
    assert max(hot) > 0.01  # at another temperature they are not


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("critic", ["shared", "separate"])
def test_padding_changes_nothing_and_values_are_before_the_token(kind, critic):
    asked, rollouts = sampled(kind, double=True)
    model = ActorCritic(asked.model, critic)
    torch.nn.init.normal_(model.head.weight)
    ((places, batch),) = micro_batches(rollouts)
    together = read(model, batch, 1.0, closely=True)
    assert int(written_before(batch).sum()) == sum(len(r.ids) for r in rollouts)
    sizes = [len(rollouts[i].ids) for i in places]
    columns = (together.logprobs, together.values, together.entropy)
    pieces = zip(*[column.split(sizes) for column in columns], strict=True)
    for row, (i, (logprobs, values, entropy)) in enumerate(zip(places, pieces, strict=True)):
        ((_, alone),) = micro_batches([rollouts[i]])
        one = read(model, alone, 1.0, closely=True)
        assert close(one.logprobs, logprobs) and close(one.values, values)
        assert close(one.entropy, entropy)
        assert close(one.last[0], together.last[row])
        rollout = rollouts[i]
        body = model.body or model.policy.base_model
        text = torch.tensor([rollout.prompt_ids + rollout.ids])
        states = body(text).last_hidden_state[0]
        before = len(rollout.prompt_ids) - 1
        want = (states @ model.head.weight[0] + model.head.bias)[before:]
        assert close(values, want[:-1]) and close(one.last[0], want[-1])
        chances = asked.model(text).logits[0, before:-1].softmax(-1)
        assert close(entropy, -(chances * chances.log()).sum(-1))


def test_the_value_head_starts_at_zero_and_a_critic_of_its_own_is_a_copy():
    asked, rollouts = sampled("llama")
    ((_, batch),) = micro_batches(rollouts)
    for critic in ("shared", "separate"):
        model = ActorCritic(asked.model, critic)
        assert (read(model, batch, 1.0).values == 0).all()
    theirs = {id(p) for p in model.body.parameters()}
    assert not theirs & {id(p) for p in asked.model.parameters()}
    start = copy.deepcopy(asked.model.base_model)
    assert ActorCritic(asked.model, "separate", start).body is not start
    assert ActorCritic(asked.model, "none").head is None


def test_flops_are_those_of_the_real_tokens():
    asked, rollouts = sampled("llama")
    settings, one = asked.model.config, rollouts[0]
    size = len(one.prompt_ids) + len(one.ids)
    policy_only = forward_flops(settings, size, (size + 1) / 2, len(one.ids))
    body = forward_flops(settings, size, (size + 1) / 2, 0)
    assert ActorCritic(asked.model, "shared").flops([one]) == policy_only
    assert ActorCritic(asked.model, "separate").flops([one]) == policy_only + body


def test_weights_say_which_average_the_loss_is():
    _, rollouts = sampled("llama")
    sizes = [3, 5]
    rollouts = [replace(r, ids=r.ids[:n]) for r, n in zip(rollouts, sizes, strict=False)]
    sums = {"token": [3, 5], "sequence": [1, 1], "constant": [3 / 6, 5 / 6]}
    for average, want in sums.items():
        ((places, batch),) = micro_batches(rollouts, average=average)
        assert batch.weight.sum(1).tolist() == pytest.approx([want[i] for i in places])
