"""FLOPs against torch's own counter, and the ledger."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from o1lab.measure.compute import (
    Ledger,
    forward_flops,
    ledger_of,
    matrix_parameters,
    training_flops,
)
from o1lab.model.network import tiny_policy
from tests.model.tiny import tiny_qwen


@pytest.mark.parametrize("model", [tiny_policy("xs"), tiny_qwen(300)], ids=["llama", "qwen"])
def test_matrix_products_are_those_torch_counts(model):
    """Torch counts products only: attention over all keys, so the mean context is the length."""
    ids = torch.randint(5, 100, (3, 17))
    model.set_attn_implementation("eager")
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(ids)
    assert forward_flops(model.config, 3 * 17, 17) == counter.get_total_flops()


def test_output_layer_only_where_it_is_read():
    config = tiny_policy("xs").config
    saved = forward_flops(config, 10, 5) - forward_flops(config, 10, 5, logits_tokens=1)
    assert saved == 2 * 9 * config.hidden_size * config.vocab_size
    assert training_flops(config, 10, 5) == 3 * forward_flops(config, 10, 5)


def test_parameters_are_those_of_the_model():
    model = tiny_policy("m")
    own = sum(p.numel() for n, p in model.named_parameters() if p.dim() > 1 and "embed" not in n)
    assert matrix_parameters(model.config) == own


def test_ledgers_add_up():
    total = Ledger(1, 2, 3, 4.0, 5.0) + Ledger(10, 20, 30, 40.0, 50.0)
    assert total == Ledger(11, 22, 33, 44.0, 55.0) and total.flops == 99.0


def test_the_ledger_of_rollouts_counts_a_shared_prompt_once():
    from o1lab.model.rollouts import Rollout

    rollouts = [Rollout(None, [1, 2, 3], [4] * n, [0.0] * n, "", flops=10.0) for n in (2, 5)]
    assert ledger_of(rollouts) == Ledger(3, 7, 0, 20.0, 0.0)
