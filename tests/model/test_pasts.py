"""Going on from what a rollout left behind gives what reading everything again gives."""

from dataclasses import replace

import pytest
import torch

from o1lab.measure.compute import forward_flops
from o1lab.model import decoder
from o1lab.model.generate import generate
from o1lab.model.hub_decoder import HubDecoder
from o1lab.model.network import tiny_policy
from o1lab.model.pasts import Past, padded, sight
from o1lab.model.tokens import build_tokenizer
from tests.model.tiny import byte_tokenizer, tiny_qwen

PROMPTS = ["Make 33 from 3 3 10 17.\n", "There are 51 cups.\n", "Ann has 3.\n"]


@pytest.fixture(params=["llama", "qwen"])
def case(request):
    if request.param == "llama":
        return tiny_policy("xs").double().eval(), build_tokenizer()
    tokenizer = byte_tokenizer()
    return tiny_qwen(len(tokenizer)), tokenizer


def grown(model, tokenizer, remember, n, rounds=3):
    """Some tokens more, three times over: every rollout of each round."""
    out, pasts = [], [None] * len(PROMPTS)
    prefixes = [[], [], []]
    for size in range(5, 5 + rounds):
        groups = generate(
            model, tokenizer, PROMPTS, n=n, max_new_tokens=size, prefixes=prefixes,
            pasts=pasts if remember else None,
        )  # fmt: skip
        out.append([rollout for group in groups for rollout in group])
        chosen = [next((r for r in group if not r.finished), group[0]) for group in groups]
        prefixes = [r.ids if not r.finished else [] for r in chosen]
        pasts = [r.past for r in chosen]
    return out


@pytest.mark.parametrize("few", [0, 64])
@pytest.mark.parametrize("n", [1, 7])
def test_the_same_tokens_whether_remembered_or_read_again(case, few, n, monkeypatch):
    monkeypatch.setattr(decoder, "FEW", few)
    ours, again = (grown(*case, remember, n) for remember in (True, False))
    for a, b in zip(ours, again, strict=True):
        assert [r.ids for r in a] == [r.ids for r in b]
        for x, y in zip(a, b, strict=True):
            assert x.logprobs == pytest.approx(y.logprobs, abs=1e-9)
            assert y.past is None and (x.past is None) == x.finished
            if x.past:
                assert x.past.size == len(x.prompt_ids) + len(x.ids) - 1
                assert x.past.whole().shape[-2] == x.past.size


def test_flops_count_what_was_read(case):
    model, tokenizer = case
    first = generate(model, tokenizer, PROMPTS[:1], max_new_tokens=6, seed=3, pasts=[None])[0][0]
    assert first.past is not None
    more = {"max_new_tokens": 4, "prefixes": [first.ids], "n": 2}
    ours = generate(model, tokenizer, PROMPTS[:1], pasts=[first.past], **more)[0]
    again = generate(model, tokenizer, PROMPTS[:1], **more)[0]
    start = len(first.prompt_ids) + len(first.ids)
    saved = forward_flops(model.config, start, (start + 1) / 2, 1)
    saved -= forward_flops(model.config, 1, start, 1)
    spent = [sum(r.flops for r in group) for group in (ours, again)]
    assert spent[1] - spent[0] == pytest.approx(saved)


def test_a_past_of_something_else_is_an_error(case):
    model, tokenizer = case
    first = generate(model, tokenizer, PROMPTS[:1], max_new_tokens=6, seed=3, pasts=[None])[0][0]
    with pytest.raises(ValueError, match="not that of its prefix"):
        generate(model, tokenizer, PROMPTS[:1], pasts=[first.past], max_new_tokens=4)
    with pytest.raises(ValueError, match="of one length"):
        generate(model, tokenizer, PROMPTS[:1], pasts=[None, None], max_new_tokens=4)


def test_where_the_decoder_keeps_none_they_are_passed_over():
    from transformers import GPT2Config, GPT2LMHeadModel

    tokenizer = build_tokenizer()
    shape = {"n_embd": 16, "n_layer": 1, "n_head": 2, "bos_token_id": None, "eos_token_id": 1}
    model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer), **shape))
    assert not decoder.keeps_pasts(model)
    (group,) = generate(model.eval(), tokenizer, PROMPTS[:1], max_new_tokens=4, pasts=[None])
    assert group[0].past is None
    with pytest.raises(ValueError, match="keeps no pasts"):
        HubDecoder(model, 4).prefill([[1, 2]], 1, [None])


def test_blocks_are_chained_padded_and_seen():
    old = Past(torch.ones(2, 2, 1, 3, 4))
    new = Past(torch.full((2, 2, 1, 2, 4), 2.0), old)
    assert new.size == 5 and new.whole()[0, 0, 0, :, 0].tolist() == [1, 1, 1, 2, 2]
    side = padded([None, new, old])
    assert side.shape == (2, 2, 3, 1, 5, 4) and padded([None]) is None
    assert side[0, 0, :, 0, :, 0].tolist() == [[0] * 5, [1, 1, 1, 2, 2], [1, 1, 1, 0, 0]]
    seen = sight(torch.tensor([0, 2]), 2, 2)[:, 0].int().tolist()
    assert seen == [[[0, 0, 1, 0], [0, 0, 1, 1]], [[1, 1, 1, 0], [1, 1, 1, 1]]]


def test_a_past_is_no_part_of_what_a_rollout_is():
    model, tokenizer = tiny_policy("xs").eval(), build_tokenizer()
    rollout = generate(model, tokenizer, PROMPTS[:1], max_new_tokens=4, pasts=[None])[0][0]
    assert rollout == replace(rollout, past=None) and "past" not in repr(rollout)
