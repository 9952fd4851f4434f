"""Tests of o1lab/model/batches.py: bucketing, padding, packing, and what they must not lose."""

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from o1lab.model.batches import Example, batches, cut, pack, pad

rows = st.lists(st.integers(1, 99), min_size=1, max_size=20)
examples = st.lists(st.builds(Example, rows, st.integers(0, 25)), min_size=1, max_size=30)


def pairs(row_ids, row_weight, lengths):
    """How often each (token, weight) occurs among the real tokens."""
    count = Counter()
    for ids, weight, n in zip(row_ids, row_weight, lengths, strict=True):
        count.update(zip(ids[:n], weight[:n], strict=True))
    return count


def wanted(given_examples):
    count = Counter()
    for example in given_examples:
        count.update(zip(example.ids, example.weights(), strict=True))
    return count


@given(examples, st.integers(1, 200))
def test_batches_hold_every_token_and_weight_once(given_examples, size):
    found = Counter()
    for batch in batches(given_examples, size):
        found += pairs(batch.ids.tolist(), batch.weight.tolist(), batch.lengths)
        for row, n in zip(batch.ids, batch.lengths, strict=True):
            assert (row[n:] == 0).all()
        for row, n in zip(batch.weight, batch.lengths, strict=True):
            assert (row[n:] == 0).all() and row[0] == 0
    assert found == wanted(given_examples)


@given(examples, st.integers(1, 200))
def test_groups_keep_the_bound_and_are_longest_first(given_examples, size):
    groups = list(cut(given_examples, size))
    for group in groups:
        assert len(group) == 1 or len(group) * max(len(e.ids) for e in group) <= size
    lengths = [len(example.ids) for group in groups for example in group]
    assert lengths == sorted(lengths, reverse=True)


@given(examples, st.integers(20, 64))
def test_packing_loses_nothing_and_fits(given_examples, length):
    packed = pack(given_examples, length)
    assert all(len(row.ids) <= length for row in packed)
    assert wanted(packed) == wanted(given_examples)


def test_weights_of_an_example():
    assert Example([5, 6, 7]).weights() == [0, 1, 1]
    assert Example([5, 6, 7], 2).weights() == [0, 0, 1]
    assert Example([5, 6, 7], 9).weights() == [0, 0, 0]
    assert Example([5, 6, 7], [1.0, 0.5, 2.0]).weights() == [0, 0.5, 2.0]


def test_context_is_the_mean_number_of_tokens_seen():
    batch = pad([Example([1, 2, 3]), Example([4])])
    assert batch.tokens == 4 and batch.context == (1 + 2 + 3 + 1) / 4


def test_extra_columns_travel_with_their_tokens():
    one = Example([1, 2], extra={"gain": [0.0, 0.5]})
    two = Example([3, 4, 5], extra={"gain": [0.0, 1.0, 2.0]})
    (batch,) = batches([one, two], 100)
    assert batch.extra["gain"].tolist() == [[0, 1, 2], [0, 0.5, 0]]
    assert batch.to("cpu").extra["gain"].dtype == torch.float32
    assert pack([one, two], 5)[0].extra["gain"] == [0, 0.5, 0, 1, 2]


def test_padding_changes_no_real_position(tmp_path):
    from o1lab.model.network import tiny_policy

    model = tiny_policy("xs").eval()
    short, long = Example([7, 8, 9]), Example(list(range(20)))
    alone = model(input_ids=pad([short]).ids).logits[0]
    among = model(input_ids=pad([long, short]).ids).logits[1, :3]
    assert torch.allclose(alone, among, atol=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([Example([])], "without tokens"),
        ([Example([1, 2], [1.0])], "give one each"),
        ([Example([1, 2], extra={"gain": [1.0]})], "one number a token"),
    ],
)
def test_ragged_examples_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        pad(wrong)


def test_a_row_too_long_to_pack_is_refused():
    with pytest.raises(ValueError, match="does not fit"):
        pack([Example([1] * 9)], 8)
