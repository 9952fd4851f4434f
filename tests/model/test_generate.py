"""The engine against the model's own forward pass, and rollouts that do not feel their batch."""

import random

import pytest
import torch

from o1lab.model import decoder as decoders
from o1lab.model.generate import draw, generate
from o1lab.model.network import tiny_config, tiny_policy
from o1lab.model.steps import step_ends
from o1lab.model.tokens import build_tokenizer
from o1lab.tasks import task
from o1lab.tasks.base import lines_of
from tests.model.tiny import byte_tokenizer, tiny_qwen


def prompts(count: int) -> list[str]:
    rng = random.Random(5)
    return [task("stories").problem(rng, 1 + i % 6).prompt for i in range(count)]


def llama():
    """Untied, so that it does not just repeat itself, and sharp, so that its choices differ."""
    from transformers import LlamaForCausalLM

    config = tiny_config("xs")
    config.tie_word_embeddings = False
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(config).double().eval()
    with torch.no_grad():
        model.lm_head.weight.mul_(8)
        model.lm_head.weight[1].mul_(2)  # the end token comes up now and then
    return model


def gpt2():
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(vocab_size=512, n_embd=32, n_layer=2, n_head=2, n_positions=512,
                        eos_token_id=1, bos_token_id=1)  # fmt: skip
    return GPT2LMHeadModel(config).double().eval()


def cases():
    return {
        "llama": (llama(), build_tokenizer()),
        "qwen": (tiny_qwen(320), byte_tokenizer()),
        "hub": (gpt2(), build_tokenizer()),
    }


@pytest.fixture(scope="module", params=["llama", "qwen", "hub"])
def case(request):
    return cases()[request.param]


def flat(groups):
    return [rollout for group in groups for rollout in group]


def test_the_right_decoder_is_chosen():
    assert isinstance(decoders.decoder_for(llama(), 4), decoders.Decoder)
    assert isinstance(decoders.decoder_for(tiny_qwen(320), 4), decoders.Decoder)
    assert isinstance(decoders.decoder_for(gpt2(), 4), decoders.HubDecoder)


@pytest.mark.parametrize("few", [0, 10_000], ids=["shared prompts", "copied prompts"])
@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_log_probabilities_are_the_models_own(case, temperature, few, monkeypatch):
    monkeypatch.setattr(decoders, "FEW", few)
    model, tokenizer = case
    groups = generate(model, tokenizer, prompts(4), n=3, max_new_tokens=12, temperature=temperature)
    for rollout in flat(groups):
        ids = torch.tensor([rollout.prompt_ids + rollout.ids])
        with torch.no_grad():
            logits = model(ids).logits[0, len(rollout.prompt_ids) - 1 : -1]
        wanted = (logits / (temperature or 1.0)).log_softmax(-1)
        wanted = wanted.gather(-1, torch.tensor(rollout.ids)[:, None]).squeeze(-1)
        assert torch.allclose(wanted, torch.tensor(rollout.logprobs).double(), atol=1e-5)


@pytest.mark.parametrize("few", [0, 10_000], ids=["shared prompts", "copied prompts"])
def test_a_rollout_is_the_same_in_any_batch(case, few, monkeypatch):
    monkeypatch.setattr(decoders, "FEW", few)
    model, tokenizer = case
    asked = prompts(6)
    together = generate(model, tokenizer, asked, n=4, max_new_tokens=24, seed=9)
    turned = generate(model, tokenizer, asked[::-1], n=4, max_new_tokens=24, seed=9, batch_rows=8)
    alone = [generate(model, tokenizer, [p], n=4, max_new_tokens=24, seed=9)[0] for p in asked]
    ids = [r.ids for r in flat(together)]
    assert ids == [r.ids for r in flat(turned[::-1])] == [r.ids for r in flat(alone)]
    assert len(set(map(tuple, ids))) > 12  # and they are not all one rollout
    other = generate(model, tokenizer, asked, n=4, max_new_tokens=24, seed=10)
    assert ids != [r.ids for r in flat(other)]


def test_rows_leave_at_different_times():
    model, tokenizer = llama(), build_tokenizer()
    rollouts = flat(generate(model, tokenizer, prompts(30), n=4, max_new_tokens=40))
    lengths = {len(r.ids) for r in rollouts}
    assert len(lengths) > 5
    for rollout in rollouts:
        assert rollout.finished == (rollout.ids[-1] == tokenizer.eos_token_id)
        assert rollout.finished or len(rollout.ids) == 40
        assert tokenizer.eos_token_id not in rollout.ids[:-1]


def test_more_rollouts_than_rows_and_the_same_prompt_twice():
    model, tokenizer = llama(), build_tokenizer()
    one = prompts(1)[0]
    whole = generate(model, tokenizer, [one], n=6, max_new_tokens=8)[0]
    pieces = generate(model, tokenizer, [one], n=6, max_new_tokens=8, batch_rows=4)[0]
    twice = generate(model, tokenizer, [one, one], n=3, max_new_tokens=8)
    assert [r.ids for r in whole] == [r.ids for r in pieces] == [r.ids for r in flat(twice)]


@pytest.mark.parametrize("few", [0, 10_000], ids=["shared prompts", "copied prompts"])
def test_going_on_from_a_prefix(case, few, monkeypatch):
    """A greedy rollout, cut anywhere and gone on from, is the same rollout."""
    monkeypatch.setattr(decoders, "FEW", few)
    model, tokenizer = case
    asked = prompts(3)
    whole = flat(generate(model, tokenizer, asked, temperature=0.0, max_new_tokens=16))
    starts = [r.ids[: 3 + i] for i, r in enumerate(whole)]
    again = generate(model, tokenizer, asked, temperature=0.0, max_new_tokens=16, prefixes=starts)
    for old, new, start in zip(whole, flat(again), starts, strict=True):
        assert new.ids[: len(old.ids)] == old.ids
        assert new.logprobs[: len(start)] == [0.0] * len(start)


def test_draw_follows_the_distribution():
    logits = torch.log(torch.tensor([[0.5, 0.0, 0.3, 0.2]])).expand(20_000, 4)
    uniforms = torch.rand(20_000, generator=torch.Generator().manual_seed(0))
    tokens, logprobs = draw(logits, 1.0, uniforms)
    counts = torch.bincount(tokens, minlength=4) / 20_000
    assert torch.allclose(counts, torch.tensor([0.5, 0.0, 0.3, 0.2]), atol=0.015)
    assert torch.allclose(logprobs.exp(), logits[0].exp()[tokens])
    edges = torch.tensor([0.0, 0.99999994])
    assert draw(logits[:2], 1.0, edges)[0].tolist() == [0, 3]


THOUGHT = "<think>\nBob = Ann + 7 = 12 + 7 = 19\nCid = Bob = 19\n</think>\n19"


@pytest.mark.parametrize("tokenizer", [build_tokenizer(), byte_tokenizer()], ids=["words", "bytes"])
@pytest.mark.parametrize(
    "text",
    [THOUGHT, THOUGHT[:60], THOUGHT[:46], "19", "", "<think>\n</think>\n3", "a\nb",
     "<think>\n\nBob = 3\n\n\nAnn = 4</think>\n4"],
)  # fmt: skip
def test_step_ends_are_the_lines_of_thought(tokenizer, text):
    ids = tokenizer.encode(text, add_special_tokens=False)
    ends = step_ends(tokenizer, ids)
    inside = tokenizer.decode(ids).partition("<think>")[2].partition("</think>")[0]
    lines = lines_of(inside)
    assert len(ends) == len(lines)
    for end, line in zip(ends, lines, strict=True):
        assert tokenizer.decode(ids[:end]).rstrip().endswith(line)


@pytest.mark.parametrize("kind", ["words", "bytes"])
def test_stop_at_the_end_of_a_step(kind):
    """Forced to write a known thought, the engine stops after each of its steps."""
    tokenizer = build_tokenizer() if kind == "words" else byte_tokenizer()
    script = tokenizer.encode(THOUGHT, add_special_tokens=False) + [tokenizer.eos_token_id]
    model = Parrot(script, len(tokenizer))
    start, found = [], []
    while not found or not found[-1].finished:
        rollout = generate(
            model, tokenizer, ["Hi Ann.\n"], stop="step", prefixes=[start], max_new_tokens=120,
        )[0][0]  # fmt: skip
        found.append(rollout)
        start = rollout.ids
    assert [len(r.step_ends) for r in found] == [1, 2, 2]
    assert [r.ids == script[: len(r.ids)] for r in found] == [True] * 3
    assert found[0].text.endswith("12 + 7 = 19\n")
    assert found[-1].answer == "19"


class Parrot(torch.nn.Module):
    """A causal LM that writes one script, whatever it reads."""

    def __init__(self, script: list[int], vocab: int):
        from transformers import GPT2Config

        super().__init__()
        self.script, self.start = script, None
        self.anchor = torch.nn.Parameter(torch.zeros(1))
        self.config = GPT2Config(vocab_size=vocab, n_layer=1, n_head=1, n_embd=4)

    def forward(self, input_ids, attention_mask, past_key_values, **_):
        from types import SimpleNamespace

        if self.start is None:
            self.start = attention_mask.shape[1]
        at = attention_mask.shape[1] - self.start
        logits = torch.full((len(input_ids), 1, self.config.vocab_size), -1e9)
        logits[:, :, self.script[at]] = 0.0
        zeros = torch.zeros(len(input_ids), 1, input_ids.shape[1], 4)
        past_key_values.update(zeros, zeros, 0)
        return SimpleNamespace(logits=logits)


@pytest.mark.parametrize(
    ("settings", "words"),
    [({"n": 0}, "at least 1"), ({"temperature": -1}, "temperature"), ({"stop": "line"}, "stop"),
     ({"max_new_tokens": 2000}, "Lower max_new_tokens"), ({"prefixes": []}, "one length")],
)  # fmt: skip
def test_bad_settings_say_what_to_do(settings, words):
    with pytest.raises(ValueError, match=words):
        generate(tiny_policy("xs"), build_tokenizer(), prompts(1), **settings)


def test_bad_prompts_say_what_to_do():
    with pytest.raises(ValueError, match="list"):
        generate(tiny_policy("xs"), build_tokenizer(), "Make 3 from 1 2.")
    with pytest.raises(ValueError, match="empty"):
        generate(tiny_policy("xs"), build_tokenizer(), [""])
    assert generate(tiny_policy("xs"), build_tokenizer(), []) == []


def test_flops_count_every_token_once():
    from o1lab.measure.compute import forward_flops

    model, tokenizer = tiny_policy("xs"), build_tokenizer()
    rollout = generate(model, tokenizer, prompts(1), n=1, max_new_tokens=5)[0][0]
    read, written = len(rollout.prompt_ids), len(rollout.ids)
    each = [
        forward_flops(model.config, 1, c + 1, logits_tokens=0) for c in range(read + written - 1)
    ]
    output = 2 * model.config.hidden_size * model.config.vocab_size
    assert rollout.flops == pytest.approx(sum(each) + written * output)
