"""The clipped objectives against their definitions and finite differences; KL; the controller."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from o1lab.rl.objectives import clipped_objective, kl_estimate, next_beta, value_loss

small = st.floats(-2, 2, allow_nan=False)
rows = st.lists(st.tuples(small, small, small), min_size=1, max_size=8)


@given(rows)
def test_the_clipped_objective_is_equation_7(drawn):
    new, old, advantages = torch.tensor(drawn, dtype=torch.float64).T
    found = clipped_objective(new, old, advantages, 0.2)
    for value, (n, o, a) in zip(found.tolist(), drawn, strict=True):
        ratio = math.exp(n - o)
        assert value == pytest.approx(min(ratio * a, min(max(ratio, 0.8), 1.2) * a), abs=1e-6)


@given(rows)
def test_the_value_loss_takes_the_worse(drawn):
    values, old, returns = torch.tensor(drawn, dtype=torch.float64).T
    for value, (v, o, r) in zip(value_loss(values, old, returns, 0.2), drawn, strict=True):
        clipped = o + min(max(v - o, -0.2), 0.2)
        assert float(value) == pytest.approx(0.5 * max((v - r) ** 2, (clipped - r) ** 2), abs=1e-6)


def test_gradients_agree_with_finite_differences():
    """In float64, away from the corners: inside the clip and beyond it, for both signs."""
    new = torch.tensor([0.05, 0.5, 0.5, -0.5, -0.5, -0.05], dtype=torch.float64)
    old, advantages = torch.zeros(6).double(), torch.tensor([1.0, 1, -1, 1, -1, -1]).double()
    new.requires_grad_()
    torch.autograd.gradcheck(lambda x: clipped_objective(x, old, advantages), new)
    torch.autograd.gradcheck(lambda x: value_loss(x, old, advantages + 0.03), new)
    torch.autograd.gradcheck(lambda x: kl_estimate(x, old), new)
    clipped_objective(new, old, advantages).sum().backward()
    assert [g == 0 for g in new.grad.tolist()] == [False, True, False, False, True, False]


def test_only_the_new_policy_carries_a_gradient_where_ratio_is_one():
    new = torch.tensor([-1.0, -2.0], requires_grad=True)
    advantages = torch.tensor([1.0, -1.0])
    objective = clipped_objective(new, new.detach(), advantages)
    assert objective.sum() == 0  # the value says nothing ...
    objective.sum().backward()
    assert torch.equal(new.grad, advantages)  # ... and the gradient is the policy gradient


@given(st.lists(st.tuples(small, small), min_size=2, max_size=5))
def test_the_kl_estimate_is_unbiased_and_never_negative(logits):
    p, q = torch.tensor(logits, dtype=torch.float64).T.log_softmax(-1)
    estimates = kl_estimate(p, q)
    assert (estimates >= -1e-12).all()
    exact = (p.exp() * (p - q)).sum()
    assert float((p.exp() * estimates).sum()) == pytest.approx(float(exact), abs=1e-9)


def test_the_controller_moves_at_most_a_fifth_and_towards_its_target():
    assert next_beta(0.1, 6.0, 6.0, 64, 640) == 0.1
    assert next_beta(0.1, 600.0, 6.0, 64, 640) == pytest.approx(0.1 * 1.02)
    assert next_beta(0.1, 0.0, 6.0, 64, 640) == pytest.approx(0.1 * 0.98)
    assert next_beta(0.1, 6.6, 6.0, 64, 640) == pytest.approx(0.1 * 1.01)
