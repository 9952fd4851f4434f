"""The bench of tree search: its peers build trees of the same kind, and its rows are named."""

import pytest

from o1lab.make import bench_search
from o1lab.make.textbook_mcts import hub_sampler
from o1lab.model.checkpoints import load
from o1lab.search.writing import Writer
from o1lab.tasks.lessons import exam


def test_the_hub_samples_whole_steps_and_answers():
    policy = load("countdown-cot")
    writer, sample = Writer(policy, 16, 60), hub_sampler(policy, 3, 16)
    at = writer.start(exam("countdown", 1)[0])
    for step in range(1, 5):
        group = sample(at)
        for rollout in group:
            assert rollout.ids[: len(at.ids)] == at.ids
            assert len(rollout.logprobs) == len(rollout.ids)
            assert all(value <= 0 for value in rollout.logprobs)
        at = group[0]
        assert at.finished or (len(at.step_ends) == step and not writer.cut(at))
    assert at.finished and at.answer is not None


def test_rows(monkeypatch):
    monkeypatch.setattr(bench_search, "SIMULATIONS", 3)
    monkeypatch.setattr(bench_search, "ALONE", 1)
    rows = bench_search.rows(1, 2)
    assert all(row["name"].startswith("mcts-") and row["ours"] > 0 for row in rows)
    assert len({row["name"] for row in rows}) == len(rows) == 5
    assert rows[0]["ratio"] == pytest.approx(rows[0]["ours"] / rows[0]["peer"])
