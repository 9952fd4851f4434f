"""`make results`: only what is not recorded is made, and the Makefile asks for nothing else."""

from pathlib import Path

import pytest

from o1lab.__main__ import COMMANDS
from o1lab.make import arms, planning, results, sampling, serial

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def made(tmp_path, monkeypatch):
    log = []
    monkeypatch.setattr(results, "data_dir", lambda: tmp_path)
    for module in (arms, planning, sampling, serial):
        monkeypatch.setattr(module, "main", lambda argv, m=module: log.append((m.__name__, argv)))
    (tmp_path / "results").mkdir()
    return tmp_path / "results", log


def test_a_record_that_is_there_is_left_alone(made, capsys):
    folder, log = made
    for name in ("serial.json", "sampling.json"):
        (folder / name).write_text("{}")
    results.main([])
    names = ("arms", "sampling", "planning")  # half of sampling is there
    assert log == [(f"o1lab.make.{name}", []) for name in names]
    assert "serial: recorded already" in capsys.readouterr().out


def test_a_fresh_clone_has_nothing_to_make():
    assert results.lacking() == [] and set(results.RECORDS) <= set(COMMANDS)


def test_the_checkpoints_target_makes_checkpoints_only():
    rules = (ROOT / "Makefile").read_text().split("\n\n")
    (rule,) = (rule for rule in rules if rule.startswith("checkpoints:"))
    assert rule.count("-m o1lab") == 1 and "o1lab checkpoints" in rule
