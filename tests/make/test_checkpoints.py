"""`make checkpoints`: what is made, in which order, when; with training and exams stubbed."""

import json
from pathlib import Path

import pytest

from o1lab.make import checkpoints, exam

ALL = [recipe.name for recipe in checkpoints.recipes()]
SHIPPED = [recipe.name for recipe in checkpoints.recipes() if recipe.shipped]
BASES = [f"base-{i}" for i in range(1, 7)]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty data folder; `log` has what was made and examined, in order."""
    log = []

    def make(recipe, work, updates=None):
        start = recipe.start and checkpoints._place(recipe.start, work) / "recipe.json"
        assert not start or start.exists(), f"{recipe.name} has nothing to start from"
        log.append(f"make {recipe.name}")
        put(recipe.name, work)

    def measured(name):
        log.append(f"examine {name}")
        return {"greedy": 1.0}

    monkeypatch.setattr(checkpoints, "data_dir", lambda: tmp_path / "data")
    monkeypatch.setattr(checkpoints, "make", make)
    monkeypatch.setattr(exam, "examine", measured)
    return tmp_path / "work", log


def put(name: str, work: Path, **notes) -> Path:
    """A checkpoint's folder as `make` leaves it, with these notes."""
    folder = checkpoints._place(name, work)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps({"minutes": 1} | notes))
    return folder


def run(work: Path, *only: str) -> int:
    return checkpoints.main(["--work", str(work), *(["--only", *only] if only else [])])


def test_from_nothing_everything_is_made_in_order_and_shipped_files_are_examined(place):
    work, log = place
    assert run(work) == 0
    assert [entry[5:] for entry in log if entry.startswith("make")] == ALL
    assert [entry[8:] for entry in log if entry.startswith("examine")] == SHIPPED
    notes = json.loads((checkpoints._place("base", work) / "recipe.json").read_text())
    assert notes == {"minutes": 1, "measured": {"greedy": 1.0}}
    log.clear()
    assert run(work) == 0 and log == []


def test_one_missing_file_brings_its_missing_ancestors_only(place):
    work, log = place
    for name in SHIPPED:
        put(name, work, measured={})
    (checkpoints._place("countdown-direct", work) / "recipe.json").unlink()
    put("countdown-direct-1", work)
    assert run(work) == 0
    made = ["countdown-direct-2", "countdown-direct-3", "countdown-direct"]
    assert log == [*(f"make {name}" for name in made), "examine countdown-direct"]


def test_a_named_one_is_made_again_with_the_stages_before_it(place):
    work, log = place
    for name in SHIPPED:
        put(name, work, measured={"old": 1})
    assert run(work, "base") == 0
    assert log == [*(f"make {name}" for name in [*BASES, "base"]), "examine base"]
    log.clear()
    assert run(work, "stories-cot") == 0 and log == ["make stories-cot", "examine stories-cot"]


def test_named_ones_are_made_before_those_that_start_from_them(place):
    work, log = place
    put("base", work, measured={})
    named = ["countdown-direct", "countdown-direct-2", "countdown-direct-1", "countdown-direct-3"]
    assert run(work, *named) == 0
    assert log == [*(f"make {name}" for name in sorted(named[1:])), "make countdown-direct",
                   "examine countdown-direct"]  # fmt: skip


@pytest.mark.parametrize("only", [(), ("stories-cot",)])
def test_one_whose_exam_was_cut_off_is_only_examined(place, only):
    work, log = place
    for name in SHIPPED:
        put(name, work, **({} if name == "stories-cot" else {"measured": {}}))
    assert run(work, *only) == 0 and log == ["examine stories-cot"]


def test_an_unknown_name_gives_one_line_with_the_names_there_are(place, capsys):
    work, log = place
    assert run(work, "base", "bse") == 2 and log == []
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and said.startswith("no checkpoint bse: there are base-1, ")
    assert all(name in said for name in ALL)
