"""Tests of o1lab/model/network.py and checkpoints.py: sizes, seeds, save and load."""

import json

import pytest
import torch
from transformers import AutoModelForCausalLM

from o1lab.model import checkpoints
from o1lab.model.network import SIZES, tiny_policy
from o1lab.model.tokens import build_tokenizer

IDS = torch.arange(40).reshape(2, 20)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    ("size", "low", "high"),
    [("xs", 0.08e6, 0.14e6), ("s", 0.3e6, 0.5e6), ("m", 0.9e6, 1.2e6), ("l", 2e6, 5e6)],
)
def test_the_ladder_of_sizes(size, low, high):
    assert low <= parameters(tiny_policy(size)) <= high


def test_every_size_shares_keys_between_heads_and_ties_embeddings():
    for size in SIZES:
        config = tiny_policy(size).config
        assert config.num_key_value_heads < config.num_attention_heads
        assert config.tie_word_embeddings and config.vocab_size == 512


def test_the_seed_decides_the_weights_and_leaves_the_global_stream_alone():
    torch.manual_seed(3)
    one = tiny_policy("xs", seed=4)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(1))
    two, three = tiny_policy("xs", seed=4), tiny_policy("xs", seed=5)
    weight = "model.layers.0.mlp.up_proj.weight"
    assert torch.equal(one.state_dict()[weight], two.state_dict()[weight])
    assert not torch.equal(one.state_dict()[weight], three.state_dict()[weight])


def test_save_pretrained_opens_with_identical_logits(tmp_path):
    model = tiny_policy("xs").eval()
    model.save_pretrained(tmp_path)
    again = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert again.dtype == torch.float32
    assert torch.equal(model(IDS).logits, again(IDS).logits)


def test_an_unknown_size_names_the_sizes():
    with pytest.raises(ValueError, match="xs, s, m, l"):
        tiny_policy("xxl")


def saved(tmp_path):
    policy = checkpoints.Policy(
        tiny_policy("xs").eval(), build_tokenizer(), "trial", {"seed": 0, "minutes": 1.5}
    )
    checkpoints.save(policy, tmp_path / "trial")
    return policy


def test_bf16_round_trip(tmp_path):
    policy = saved(tmp_path)
    again = checkpoints.load(tmp_path / "trial")
    for (name, weight), loaded in zip(
        policy.model.named_parameters(), again.model.parameters(), strict=True
    ):
        assert torch.equal(weight.to(torch.bfloat16).float(), loaded), name
        assert loaded.dtype == torch.float32
    assert again.recipe == policy.recipe and not again.model.training
    assert again.tokenizer.encode("Make 24") == policy.tokenizer.encode("Make 24")
    close = (policy.model(IDS).logits - again.model(IDS).logits).abs().max()
    assert close < 0.05


def test_the_saved_folder_is_whole_small_and_plain(tmp_path):
    policy = saved(tmp_path)
    folder = tmp_path / "trial"
    checkpoints.save(policy, folder)
    assert [p.name for p in tmp_path.iterdir()] == ["trial"]
    assert (folder / "model.safetensors").stat().st_size < 3 * parameters(policy.model)
    assert json.loads((folder / "recipe.json").read_text()) == policy.recipe
    stock = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ours = checkpoints.load(folder).model
    assert torch.equal(stock(IDS).logits, ours(IDS).logits)


def test_a_second_round_trip_changes_nothing(tmp_path):
    saved(tmp_path)
    first = checkpoints.load(tmp_path / "trial")
    checkpoints.save(first, tmp_path / "again")
    one, two = (tmp_path / name / "model.safetensors" for name in ("trial", "again"))
    assert one.read_bytes() == two.read_bytes()


def test_an_unknown_name_says_what_there_is(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoints, "data_dir", lambda: tmp_path)
    (tmp_path / "checkpoints" / "base").mkdir(parents=True)
    (tmp_path / "checkpoints" / "base" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"no checkpoint 'bse': shipped are base"):
        checkpoints.load("bse")


@pytest.mark.parametrize(("card", "dtype"), [(True, torch.bfloat16), (False, torch.float32)])
def test_weights_are_bf16_only_where_the_card_computes_in_it(monkeypatch, card, dtype):
    asked = []
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation: asked.append(1) or card
    )
    assert checkpoints._dtype("cuda") == checkpoints._dtype("cuda:0") == dtype and len(asked) == 2
    assert checkpoints._dtype("cpu") == checkpoints._dtype("mps") == torch.float32
