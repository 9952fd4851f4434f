"""Rows and one reading of them: the engine's own numbers, padding, sharing, heads, temperature."""

import copy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.measure.compute import forward_flops
from o1lab.model.generate import generate
from o1lab.model.rollouts import Rollout
from o1lab.rl.policy_value import ActorCritic, read, reference_logprobs
from o1lab.rl.rows import LONGEST, can_share, lay_out, micro_batches
from tests.rl.tiny_rl import config, policy, problems

KINDS = ("llama", "qwen")
N = 3  # rollouts a prompt


def close(one, two):
    """Up to the float32 in which the norms compute."""
    return torch.allclose(one, two, atol=2e-5)


def sampled(kind, temperature=1.0, new=7, double=False):
    asked, start = policy(kind=kind), problems(0, 4)
    if double:
        asked.model.double()
    prompts = [problem.prompt for problem in start]
    groups = generate(asked.model, asked.tokenizer, prompts, n=N, max_new_tokens=new,
                      temperature=temperature, problems=start)  # fmt: skip
    return asked, [rollout for group in groups for rollout in group]


def laid_out(rollouts, shared=True, **changes):
    """All rollouts in micro-batches; one, unless the settings say otherwise."""
    changes = {"tokens_per_batch": 10_000} | changes
    groups = [list(range(i, min(i + N, len(rollouts)))) for i in range(0, len(rollouts), N)]
    return micro_batches(rollouts, groups, config(**changes), shared)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_log_probabilities_are_the_engines_at_its_temperature(kind, temperature):
    asked, rollouts = sampled(kind, temperature)
    model, hot = ActorCritic(asked.model, "none"), []
    for rows in laid_out(rollouts, tokens_per_batch=60):
        found = read(model, rows, temperature).logprobs
        want = torch.tensor([p for i in rows.rollouts for p in rollouts[i].logprobs])
        assert close(found, want)
        assert torch.equal(reference_logprobs(asked.model, rows, temperature), found)
        hot.append((read(model, rows, 1.5).logprobs - want).abs().mean())
    assert max(hot) > 0.01  # at another temperature they are not


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("critic", ["shared", "separate"])
@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_neighbours_and_padding_change_nothing(kind, critic, shared, attention):
    """Every number of a rollout read in company is that of its own text read plainly."""
    asked, rollouts = sampled(kind, double=True)
    asked.model.set_attn_implementation(attention)
    model = ActorCritic(asked.model, critic)
    torch.nn.init.normal_(model.head.weight)
    (rows,) = laid_out(rollouts, shared)
    assert (rows.owner is not None) == shared and len(rows.ids) == (4 if shared else 12)
    assert sorted(rows.rollouts) == list(range(12))
    together = read(model, rows, 1.0, closely=True)
    assert len(together.logprobs) == sum(len(r.ids) for r in rollouts)
    sizes = [len(rollouts[i].ids) for i in rows.rollouts]
    columns = (together.logprobs, together.values, together.entropy)
    pieces = zip(*[column.split(sizes) for column in columns], strict=True)
    for at, (i, (logprobs, values, entropy)) in enumerate(zip(rows.rollouts, pieces, strict=True)):
        rollout = rollouts[i]
        body, before = model.body or model.policy.base_model, len(rollout.prompt_ids) - 1
        text = torch.tensor([rollout.prompt_ids + rollout.ids])
        states = body(text).last_hidden_state[0, before:]
        want = states @ model.head.weight[0] + model.head.bias
        assert close(values, want[:-1]) and close(together.last[at], want[-1])
        chances = asked.model(text).logits[0, before:-1].log_softmax(-1)
        assert close(logprobs, chances.gather(-1, text[0, before + 1 :, None])[:, 0])
        assert close(entropy, -(chances.exp() * chances).sum(-1))


def test_only_plain_attention_is_asked_to_share():
    asked = policy()
    assert can_share(asked.model)
    for change in ({"use_sliding_window": True}, {"model_type": "gemma3"}):
        odd = copy.deepcopy(asked.model)
        for name, value in change.items():
            setattr(odd.config, name, value)
        assert not can_share(odd)


sizes = st.lists(st.integers(1, 200), min_size=1, max_size=12)


@settings(max_examples=30)
@given(st.integers(1, 300), sizes, st.booleans(), st.integers(1, 2000))
def test_rows_hold_every_rollout_once_within_their_size(prompt, written, shared, most):
    rollouts = [Rollout(None, [5] * prompt, [7] * n, [0.0] * n, "") for n in written]
    ready = micro_batches(rollouts, [list(range(len(written)))], config(tokens_per_batch=most), shared)  # fmt: skip  # noqa: E501
    assert sorted(i for rows in ready for i in rows.rollouts) == list(range(len(written)))
    for rows in ready:
        assert len(rows.tokens) == len(rows.before) == len(rows.weight)
        assert len(rows.ids) == 1 or rows.ids.numel() <= most
        for head, sizes in rows.sizes:
            assert len(sizes) == 1 or (shared and head + sum(sizes) <= LONGEST)


def test_the_value_head_starts_at_zero_and_a_critic_of_its_own_is_a_copy():
    asked, rollouts = sampled("llama")
    (rows,) = laid_out(rollouts)
    for critic in ("shared", "separate"):
        model = ActorCritic(asked.model, critic)
        assert (read(model, rows, 1.0).values == 0).all()
    theirs = {id(p) for p in model.body.parameters()}
    assert not theirs & {id(p) for p in asked.model.parameters()}
    start = copy.deepcopy(asked.model.base_model)
    assert ActorCritic(asked.model, "separate", start).body is not start
    assert ActorCritic(asked.model, "none").head is None


def test_flops_are_those_of_the_real_tokens_and_a_prompt_is_read_once():
    asked, rollouts = sampled("llama")
    shape, one = asked.model.config, rollouts[0]
    head, size = len(one.prompt_ids), len(one.ids)
    whole = forward_flops(shape, head + size, (head + size + 1) / 2, size)
    body = forward_flops(shape, head + size, (head + size + 1) / 2, 0)
    alone = lay_out(rollouts, [[0]], config())
    assert ActorCritic(asked.model, "shared").flops(alone) == pytest.approx(whole)
    assert ActorCritic(asked.model, "separate").flops(alone) == pytest.approx(whole + body)
    three = [replace(one)] * 3
    saved = 2 * forward_flops(shape, head, (head + 1) / 2, 0)
    together = lay_out(three, [[0, 1, 2]], config()).flops(shape)
    assert together == pytest.approx(3 * whole - saved)


def test_weights_say_which_average_the_loss_is():
    _, rollouts = sampled("llama")
    rollouts = [replace(r, ids=r.ids[:n]) for r, n in zip(rollouts, [3, 5], strict=False)]
    sums = {"token": [3, 5], "sequence": [1, 1], "constant": [3 / 6, 5 / 6]}
    for average, want in sums.items():
        (rows,) = laid_out(rollouts, average=average)
        weights = rows.weight.split([len(rollouts[i].ids) for i in rows.rollouts])
        assert [float(w.sum()) for w in weights] == pytest.approx([want[i] for i in rows.rollouts])
