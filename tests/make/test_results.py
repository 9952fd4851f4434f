"""`make results`: only what is not recorded is made, and the Makefile asks for nothing else."""

from importlib import import_module
from pathlib import Path

import pytest

from o1lab.__main__ import COMMANDS
from o1lab.make import results

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def made(tmp_path, monkeypatch):
    log = []
    monkeypatch.setattr(results, "data_dir", lambda: tmp_path)
    for name in results.RECORDS:  # whatever is recorded, none of it is made here
        module = import_module(f"o1lab.make.{name}")
        monkeypatch.setattr(module, "main", lambda argv, name=name: log.append((name, argv)))
    (tmp_path / "results").mkdir()
    return tmp_path / "results", log


def test_a_record_that_is_there_is_left_alone(made, capsys):
    folder, log = made
    for name in ("serial.json", "sampling.json"):
        (folder / name).write_text("{}")
    results.main([])
    assert log == [(name, []) for name in results.RECORDS if name != "serial"]
    assert ("sampling", []) in log, "half of it is there"
    assert "serial: recorded already" in capsys.readouterr().out


def test_a_fresh_clone_has_nothing_to_make():
    assert results.lacking() == [] and set(results.RECORDS) <= set(COMMANDS)


def test_the_checkpoints_target_makes_checkpoints_only():
    rules = (ROOT / "Makefile").read_text().split("\n\n")
    (rule,) = (rule for rule in rules if rule.startswith("checkpoints:"))
    assert rule.count("-m o1lab") == 1 and "o1lab checkpoints" in rule
