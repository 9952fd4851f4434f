"""A policy whose next token depends on its place alone, so that all odds of its trees are known."""

from types import SimpleNamespace

import torch
from transformers import LlamaConfig

from o1lab.model.tokens import build_tokenizer
from o1lab.rewards.fixed import states
from o1lab.search.writing import Writer
from o1lab.tasks.base import Problem

PROMPT = "?\n"


class Clockwork(torch.nn.Module):
    """A causal LM with the same odds of a token at a place, whatever was written before it."""

    def __init__(self, odds: list[dict[str, float]]):
        super().__init__()
        tokenizer = build_tokenizer()
        self.config = LlamaConfig(
            vocab_size=len(tokenizer), hidden_size=8, intermediate_size=8, num_hidden_layers=1,
            num_attention_heads=2, eos_token_id=tokenizer.eos_token_id, hidden_act="gelu",
        )  # fmt: skip
        table = torch.full((len(odds), len(tokenizer)), -1e9, dtype=torch.float64)
        for row, choices in zip(table, odds, strict=True):
            for token, chance in choices.items():
                row[tokenizer.convert_tokens_to_ids(token)] = torch.tensor(chance).log()
        self.table = torch.nn.Parameter(table)

    def forward(self, input_ids, position_ids, **_):
        place = position_ids[:, -1:] - 1  # the prompt has two tokens, at places 0 and 1
        return SimpleNamespace(logits=self.table[place.clamp(max=len(self.table) - 1)])


def clockwork(*steps: dict[str, float], answer: dict[str, float] | None = None) -> SimpleNamespace:
    """A policy that thinks one word a step, with these odds, and then answers one word."""
    sure = [{"<think>": 1.0}, {"\n": 1.0}]
    thoughts = [odds for step in steps for odds in (step, {"\n": 1.0})]
    end = [{"</think>": 1.0}, {"\n": 1.0}, answer or {"1": 1.0}, {"<eos>": 1.0}]
    # the first place of the table is that of the prompt's last token
    return SimpleNamespace(model=Clockwork(sure + thoughts + end), tokenizer=build_tokenizer())


def problem(name: str = "1") -> Problem:
    return Problem("toy", PROMPT, name, 1)


def writer(policy, **settings) -> Writer:
    return Writer(policy, **{"step_tokens": 8, "max_new_tokens": 40} | settings)


class TableScorer:
    """Scores steps from a table of paths; counts how often each rollout was asked for."""

    def __init__(self, table: dict[tuple[str, ...], float], other: float = 0.5):
        self.table, self.other, self.asked = table, other, []

    def __call__(self, rollouts):
        self.asked += [rollout.text for rollout in rollouts]
        return [[self.table.get(state, self.other) for state in states(r)] for r in rollouts]
