"""The bench of scoring: its peers score the same, and the rollouts it scores all differ."""

import pytest

from o1lab.make import bench_score
from o1lab.model.checkpoints import load
from o1lab.rewards.models import RewardModel, token_classifier


def test_the_slow_loop_scores_the_same(monkeypatch):
    monkeypatch.setattr(bench_score, "ROLLOUTS", 6)
    policy = load("stories-cot")
    rollouts = bench_score.different(policy, 2)
    assert len({tuple(r.ids) for r in rollouts}) == 12
    model = token_classifier(policy)
    model.score.weight.data[1] = 0.1
    slow = bench_score.step_by_step(model, rollouts)
    for a, b in zip(slow, RewardModel(model, policy.tokenizer)(rollouts), strict=True):
        assert a == pytest.approx(b, abs=1e-4)
    names = [row["name"] for row in bench_score.rows(1, 1)]
    assert names == ["score-vs-step", "score-vs-full"]
