"""GRPO and its kin: the loss whose value is 0 and whose gradient is not, process supervision."""

import math
from dataclasses import replace

import pytest
import torch

from o1lab.rewards.base import ExactScorer
from o1lab.rl.experience import estimate
from o1lab.rl.grpo import DR_GRPO, GRPO, PROCESS, RLOO, grpo
from o1lab.rl.metrics import zero_variance
from o1lab.rl.ppo import ppo
from o1lab.rl.rewards import placebo, steps
from o1lab.rl.update import updates
from tests.rl.test_ppo import seen_by
from tests.rl.tiny_rl import Digits, config, policy, problems, reward

KINDS = {"grpo": GRPO, "dr_grpo": DR_GRPO, "process": PROCESS, "rloo": RLOO}


def settings_of(kind, **changes):
    quick = {"iterations": 14, "rollouts": 4, "max_new_tokens": 3, "minibatches": 2,
             "learning_rate": 3e-3, "tokens_per_batch": 120, "kl_stop": 1.0}  # fmt: skip
    return replace(KINDS[kind], **(quick | changes))


def run(kind, parts=(), asked=None, **changes):
    found = grpo(asked or policy(), lambda i: problems(i, 24), reward(*parts, no_answer=None),
                 settings_of(kind, **changes), progress=False)  # fmt: skip
    return found.records


def test_the_loss_is_zero_and_its_gradient_is_not():
    """ "Why is my GRPO loss zero?" With one update an iteration and beta 0, by construction."""
    records = run("grpo", iterations=2, minibatches=1, beta=0.0)
    for record in records:
        assert abs(record["loss"]) < 1e-6 and record["grad_norm"] > 0.01
        assert record["ratio_mean"] == 1 and record["ratio_var"] == 0
    with_kl = run("grpo", iterations=2, minibatches=1, beta=0.1)
    assert with_kl[1]["loss"] > 1e-6  # away from the reference only the penalty shows


def test_groups_of_equal_rewards_teach_nothing():
    assert zero_variance([1, 1, 0, 1, 0, 0, 0.1, 0.1], 2) == 0.75
    asked = policy()
    before = [p.detach().clone() for p in asked.model.parameters()]
    records = run("grpo", [placebo(1.0)], asked, iterations=1, beta=0.0)
    assert records[0]["zero_variance"] == 1 and records[0]["proxy"] == 1
    assert all(torch.equal(a, b) for a, b in zip(before, asked.model.parameters(), strict=True))


@pytest.mark.parametrize("kind", ["grpo", "dr_grpo", "rloo"])
def test_an_easy_reward_is_learned(kind):
    records = run(kind, learning_rate=2e-2, max_new_tokens=2, beta=0.0)
    assert records[0]["true"] < 0.4 and records[-1]["true"] > 0.8
    assert "explained_variance" not in records[0]


def test_advantages_are_of_the_group_and_the_same_on_every_token():
    settings = settings_of("grpo")
    seen, _ = seen_by(policy(), settings)
    columns = estimate(seen, settings, 0.0)
    assert set(columns) == {"advantage"}
    totals = torch.tensor(seen.paid.totals()).view(-1, 4)
    for i, row in enumerate(columns["advantage"]):
        group = totals[i // 4]
        want = (totals.flatten()[i] - group.mean()) / (group.std(correction=0) + 1e-4)
        assert len(row) == len(seen.rollouts[i].ids)
        assert row.tolist() == pytest.approx([float(want)] * len(row), abs=1e-5)


def test_process_supervision_sums_the_steps_still_to_come():
    settings = settings_of("process", max_new_tokens=12)
    paid_by = reward(steps(ExactScorer(Digits()), "sum"), no_answer=None)
    seen, _ = seen_by(policy(), settings, paid_by=paid_by)
    seen.paid.payments[:] = [[] for _ in seen.rollouts]
    seen.paid.payments[0], seen.paid.payments[1] = [(0, 1.0), (2, 0.0)], [(1, 0.0)]
    found = estimate(seen, settings, 0.0)["advantage"]
    spread = math.sqrt(2 / 9) + 1e-4  # scores 1, 0, 0
    up, down = (2 / 3) / spread, (-1 / 3) / spread
    assert found[0][:3].tolist() == pytest.approx([up + down, down, down], abs=1e-5)
    assert found[0][3:].abs().sum() == 0
    assert found[1][:2].tolist() == pytest.approx([down, down], abs=1e-5)
    assert all(row.abs().sum() == 0 for row in found[2:])


def test_dr_grpo_divides_by_a_constant_and_grpo_by_each_length():
    """Loss of hand-made advantages, from the first update's value."""
    for kind in ("grpo", "dr_grpo"):
        settings = settings_of(kind, minibatches=1, beta=0.0, max_new_tokens=8)
        seen, model = seen_by(policy(), settings)
        sizes = [len(r.ids) for r in seen.rollouts]
        columns = {"advantage": [torch.full((n,), float(i)) for i, n in enumerate(sizes)]}
        made = updates(model, torch.optim.SGD(model.parameters(), lr=0.0), seen, columns,
                       settings, 0.0, 0)  # fmt: skip
        each = {"grpo": lambda i, n: i, "dr_grpo": lambda i, n: i * n / 8}[kind]
        want = -sum(each(i, n) for i, n in enumerate(sizes)) / len(sizes)
        assert made.loss == pytest.approx(want, rel=1e-5)


@pytest.mark.parametrize("kind", list(KINDS))
def test_byte_level_tokens_run_through(kind):
    parts = [steps(ExactScorer(Digits()), "sum")] if kind == "process" else []
    records = run(kind, parts, policy(kind="qwen"), iterations=2, max_new_tokens=8, temperature=0.8)
    assert all(math.isfinite(r["loss"]) and r["engine_gap"] < 1e-4 for r in records)


def test_each_method_sends_the_other_one_away():
    with pytest.raises(ValueError, match="call `ppo`"):
        grpo(policy(), problems, reward(), config("ppo"))
    with pytest.raises(ValueError, match="call `grpo`"):
        ppo(policy(), problems, reward(), config("grpo"))
