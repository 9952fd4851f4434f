"""Advantages against slow definitions, masks, truncation, and examples worked by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from o1lab.rl.advantages import (
    EPS,
    gae,
    group_advantages,
    leave_one_out,
    process_advantages,
    whiten,
)

small = st.floats(-3, 3, allow_nan=False)


@st.composite
def episodes(draw):
    """Rewards, values and a last value of one to four rollouts of different lengths."""
    rows = draw(st.lists(st.lists(st.tuples(small, small), min_size=1, max_size=7), min_size=1,
                         max_size=4))  # fmt: skip
    return rows, draw(st.lists(small, min_size=len(rows), max_size=len(rows)))


def padded(rows, filler):
    """(B, T) of the rows; padding is filled with what must never be read."""
    width = max(map(len, rows))
    return torch.tensor(
        [[*row, *[filler] * (width - len(row))] for row in rows], dtype=torch.float64
    )


def slow_gae(rewards, values, last, gamma, lam):
    """The definition: every later surprise, discounted, summed anew for every token, O(T^2)."""
    size, after = len(rewards), [*values[1:], last]
    surprises = [rewards[t] + gamma * after[t] - values[t] for t in range(size)]
    return [
        sum((gamma * lam) ** (k - t) * surprises[k] for k in range(t, size)) for t in range(size)
    ]


@given(episodes(), st.floats(0, 1), st.floats(0, 1))
def test_gae_is_the_slow_sum_and_never_reads_padding(drawn, gamma, lam):
    rows, last = drawn
    rewards = padded([[r for r, _ in row] for row in rows], 1e6)
    values = padded([[v for _, v in row] for row in rows], -1e6)
    mask = padded([[1.0] * len(row) for row in rows], 0.0).bool()
    advantages, returns = gae(
        rewards, values, mask, torch.tensor(last, dtype=torch.float64), gamma, lam
    )
    assert (advantages[~mask] == 0).all() and (returns[~mask] == 0).all()
    for i, row in enumerate(rows):
        slow = slow_gae([r for r, _ in row], [v for _, v in row], last[i], gamma, lam)
        assert advantages[i, : len(row)].tolist() == pytest.approx(slow, abs=1e-9)
        back = [a + v for a, (_, v) in zip(slow, row, strict=True)]
        assert returns[i, : len(row)].tolist() == pytest.approx(back, abs=1e-9)


def test_nothing_is_bootstrapped_past_a_true_end():
    rewards, values = torch.tensor([[0.0, 0.0, 1.0]]), torch.tensor([[0.2, 0.5, 0.7]])
    mask = torch.ones(1, 3, dtype=torch.bool)
    ended, returns = gae(rewards, values, mask, lam=1.0)
    assert ended[0].tolist() == pytest.approx([0.8, 0.5, 0.3])
    assert returns[0].tolist() == pytest.approx([1.0] * 3)  # the outcome, at every token
    cut, _ = gae(0 * rewards, values, mask, torch.tensor([0.9]), lam=1.0)
    assert cut[0].tolist() == pytest.approx([0.7, 0.4, 0.2])


@given(st.lists(st.lists(small, min_size=1, max_size=6), min_size=1, max_size=5))
def test_whitening_is_over_written_tokens_only(rows):
    mask = padded([[1.0] * len(row) for row in rows], 0.0).bool()
    white, plain = whiten(padded(rows, 1e6), mask), whiten(padded(rows, -1e6), mask)
    assert torch.equal(white, plain) and (white[~mask] == 0).all()
    assert abs(white[mask].mean()) < 1e-6
    spread = torch.tensor([x for row in rows for x in row], dtype=torch.float64).std(correction=0)
    if spread > 0.01:
        assert white[mask].std(correction=0) == pytest.approx(1, abs=1e-3)


groups = st.lists(st.lists(small, min_size=4, max_size=4), min_size=1, max_size=4)


@given(groups)
def test_group_advantages_are_group_by_group(rows):
    rewards = torch.tensor(rows, dtype=torch.float64)
    scaled, plain = group_advantages(rewards), group_advantages(rewards, False)
    others = leave_one_out(rewards)
    for i, row in enumerate(rows):
        mean = sum(row) / 4
        spread = (sum((r - mean) ** 2 for r in row) / 4) ** 0.5
        assert plain[i].tolist() == pytest.approx([r - mean for r in row], abs=1e-9)
        assert scaled[i].tolist() == pytest.approx(
            [(r - mean) / (spread + EPS) for r in row], abs=1e-6
        )
        for j, r in enumerate(row):
            rest = [x for k, x in enumerate(row) if k != j]
            assert float(others[i, j]) == pytest.approx(r - sum(rest) / 3, abs=1e-9)


def test_equal_rewards_teach_nothing_and_a_group_of_one_is_refused():
    same = torch.full((2, 4), 0.1)
    for found in (group_advantages(same), group_advantages(same, False), leave_one_out(same)):
        assert found.abs().max() < 1e-3
    with pytest.raises(ValueError, match="sample 2 rollouts"):
        leave_one_out(torch.ones(3, 1))


def test_process_supervision_by_hand():
    """DeepSeekMath 4.1.3: scores 1, 0 | 1, 1, 0 | none; mean 0.6, spread sqrt(0.24)."""
    payments = [[(1, 1.0), (3, 0.0)], [(0, 1.0), (2, 1.0), (4, 0.0)], []]
    up, down = (0.4 / (0.24**0.5 + EPS), -0.6 / (0.24**0.5 + EPS))
    one, two, three = process_advantages(payments, [4, 5, 2])
    assert one.tolist() == pytest.approx([up + down, up + down, down, down])
    assert two.tolist() == pytest.approx([2 * up + down, up + down, up + down, down, down])
    assert three.tolist() == [0, 0]
    plain = process_advantages(payments, [4, 5, 2], std=False)
    assert plain[0].tolist() == pytest.approx([-0.2, -0.2, -0.6, -0.6])


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), small), max_size=4), min_size=1, max_size=4))
def test_process_advantages_are_the_slow_sum(payments):
    flat = [s for row in payments for _, s in row]
    mean = sum(flat) / len(flat) if flat else 0
    spread = (sum((s - mean) ** 2 for s in flat) / len(flat)) ** 0.5 if flat else 1
    found = process_advantages(payments, [6] * len(payments))
    for tokens, row in zip(found, payments, strict=True):
        slow = [sum((s - mean) / (spread + EPS) for at, s in row if at >= t) for t in range(6)]
        assert tokens.tolist() == pytest.approx(slow, abs=1e-6)
