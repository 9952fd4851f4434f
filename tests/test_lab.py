"""Where the lab runs: profiles, sizes, the box, expected minutes. No card is needed."""

import json
import random

import pytest

from o1lab import lab as module
from o1lab.lab import Lab, Minutes, measured_minutes, record_minutes, start


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    monkeypatch.delenv("O1LAB_PROFILE", raising=False)
    monkeypatch.delenv("O1LAB_FAST", raising=False)


def make(profile="cpu", small=False) -> Lab:
    return Lab(profile, "cpu", 2, None, True, small, "00", "2 CPU cores")


@pytest.mark.parametrize(("profile", "value"), [("smoke", 1), ("cpu", 2), ("gpu", 3)])
def test_sizes(profile, value):
    assert make(profile).size(smoke=1, cpu=2, gpu=3) == value
    assert make("gpu").size(smoke=1, cpu=2) == 2


def test_small_machines_take_small_sizes_only_under_the_cpu_profile():
    assert make("cpu", small=True).size(smoke=1, cpu=2, small=9) == 9
    assert make("cpu", small=True).size(smoke=1, cpu=2) == 2
    assert make("smoke", small=True).size(smoke=1, cpu=2, small=9) == 1


def test_generators_are_fresh_and_seeded():
    import torch

    lab, state = make(), random.getstate()
    assert lab.rng(7).random() == lab.rng(7).random() == random.Random(7).random()
    draws = [torch.rand(3, generator=lab.torch_rng(7)) for _ in range(2)]
    assert torch.equal(*draws) and random.getstate() == state


def test_starting_twice_is_the_same_and_says_one_line(capsys):
    first, second = start("smoke", notebook="01_chain"), start("smoke", notebook="01")
    assert first == second and first.headless and first.device == "cpu"
    said = capsys.readouterr().out.strip().split("\n")
    assert len(said) == 2 and said[0] == said[1]
    assert said[0].startswith("o1lab 01 | device: ") and "profile: smoke" in said[0]
    assert "<script" not in first._repr_html_() and "CPU core" in first._repr_html_()


def test_choosing(monkeypatch):
    assert module._choose("auto", cuda=False) == "cpu" and module._choose("auto", True) == "gpu"
    monkeypatch.setenv("O1LAB_PROFILE", "smoke")
    assert module._choose("auto", cuda=True) == "smoke" and module._choose("cpu", True) == "cpu"
    monkeypatch.setenv("O1LAB_PROFILE", "huge")
    with pytest.raises(ValueError, match="O1LAB_PROFILE=huge"):
        module._choose("auto", cuda=False)
    with pytest.raises(ValueError, match="choose auto"):
        module._choose("tiny", cuda=False)
    with pytest.raises(ValueError, match="CUDA finds none"):
        module._choose("gpu", cuda=False)


def test_fast_makes_a_machine_small(monkeypatch):
    monkeypatch.setenv("O1LAB_FAST", "1")
    assert module._lab("cpu", "00").small
    monkeypatch.delenv("O1LAB_FAST")
    monkeypatch.setattr(module, "cores", lambda: 1)
    assert module._lab("cpu", "00").small
    monkeypatch.setattr(module, "cores", lambda: 2)
    assert not module._lab("cpu", "00").small


def test_a_quota_counts_as_cores(monkeypatch):
    monkeypatch.setattr(module.os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    for text, count in (("150000 100000", 2), ("50000 100000", 1), ("max 100000", 8), ("", 8)):
        monkeypatch.setattr(module, "_first_line", lambda path, text=text: text)
        assert module.cores() == count


@pytest.mark.parametrize(("value", "told"), [(None, False), ("", False), ("0", False), ("1", True)])
def test_headless(monkeypatch, value, told):
    monkeypatch.delenv("O1LAB_HEADLESS")
    if value is not None:
        monkeypatch.setenv("O1LAB_HEADLESS", value)
    assert module.headless() is told


def test_measured_minutes_replace_older_ones(tmp_path):
    path = tmp_path / "results" / "minutes.json"
    assert measured_minutes(path) == []
    record_minutes(Minutes("01", "cpu", 3.0, "2 CPU cores"), path)
    record_minutes(Minutes("00", "cpu", 1.0, "2 CPU cores"), path)
    record_minutes(Minutes("01", "cpu", 2.5, "4 CPU cores"), path)
    assert [m.minutes for m in measured_minutes(path)] == [1.0, 2.5]
    assert json.loads(path.read_text())[0]["notebook"] == "00"
    assert [p.name for p in path.parent.iterdir()] == ["minutes.json"]


def test_what_the_box_expects(monkeypatch):
    rows = [Minutes("00", "cpu", 1.44, "2 CPU cores"), Minutes("00", "smoke", 0.2, "1 core")]
    monkeypatch.setattr(module, "measured_minutes", lambda: rows)
    assert module._expected("00", "cpu") == "about 1.4 min (measured on 2 CPU cores)"
    assert module._expected("00", "smoke") == "about 12 s (measured on 1 core)"
    assert module._expected("07", "cpu") == "not measured yet, at most 5 minutes by design"
    assert module._expected("07", "smoke") == "not measured yet, at most 20 s by design"
