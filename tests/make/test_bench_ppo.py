"""The bench of PPO: the plain loop does the same work, and every part has its row."""

import pytest
import torch

from o1lab.make import bench_ppo, bench_ppo_peer


def test_the_plain_loop_reads_the_same_numbers():
    race = bench_ppo._Race(3)
    policy, problems = race.policy, race.problems
    torch.manual_seed(0)
    ids, mask, width = bench_ppo_peer.sample(policy.model, policy.tokenizer, problems, 2, 12)
    assert ids.shape == mask.shape and len(ids) == 6
    with torch.no_grad():
        found = bench_ppo_peer.chances(policy.model, ids, mask, width)
    row = ids[3][mask[3].bool()]
    prompt = len(policy.tokenizer.encode(problems[1].prompt))
    with torch.no_grad():
        logits = policy.model(row[None]).logits[0, prompt - 1 : -1].log_softmax(-1)
    want = logits.gather(-1, row[prompt:, None])[:, 0]
    assert found[3, : len(want)].tolist() == pytest.approx(want.tolist(), abs=1e-4)


def test_a_row_for_the_whole_and_for_every_part(monkeypatch):
    monkeypatch.setattr(bench_ppo, "NEW", 12)
    monkeypatch.setattr(bench_ppo, "EACH", 2)
    rows = bench_ppo.rows(1, 4)
    assert [row["name"] for row in rows] == [
        "ppo-samples", "ppo-samples-own-critic", "ppo-rollout", "ppo-score", "ppo-update",
        "ppo-update-matmul-share",
    ]  # fmt: skip
    assert all(row["ours"] > 0 and row["ratio"] > 0 for row in rows)
    assert [row["aim"] for row in rows] == [2.5, None, None, None, None, None]
    assert rows[-1]["ratio"] < 1.5
