"""Test of o1lab/make/bench_train.py: one short race; the rates themselves are the bench's."""

import pytest

from o1lab.make import bench_train


def test_one_short_race(monkeypatch, capsys):
    pytest.importorskip("accelerate")
    monkeypatch.setattr(bench_train, "DOCUMENTS", 4)
    row = bench_train.train_ratio(rounds=1, updates=1, memory=False)
    assert row["name"] == "train-tokens" and row["aim"] == 1.5 and row["unit"] == "tokens/s"
    assert row["ours"] > 0 and row["ratio"] == pytest.approx(row["ours"] / row["peer"])
    assert not capsys.readouterr().out
