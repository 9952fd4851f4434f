"""A real training process is killed at random points and goes on to the same bits."""

import json
import random
from pathlib import Path

import pytest

from o1lab.model import training_state as state
from tests.killing import finish, kill_at, start, tensors_in

SCRIPT = Path(__file__).with_name("tiny_run.py")


def left_behind(folder):
    """Everything a run leaves that must not depend on its having been killed."""
    lines = (folder / state.METRICS).read_text().splitlines()
    records = [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]
    tensors, about = tensors_in(folder / state.STATE)
    run = json.loads(about["counters"])["run"]
    run = {k: v for k, v in run.items() if k not in ("seconds", "snapshots")}
    kept = {p.relative_to(folder): p.read_bytes() for p in folder.rglob("snapshots/*/*")}
    return {"records": records, "tensors": tensors, "run": run, "snapshots": kept}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    finish(SCRIPT, folder)
    return left_behind(folder)


def test_killed_three_times_ends_with_the_same_bits(tmp_path, whole):
    early = random.SystemRandom().randint(1, 5)
    late = random.SystemRandom().randint(13, 23)
    print(f"killed after step {early}, in a snapshot, while saving, after step {late}")
    assert kill_at(start(SCRIPT, tmp_path, 0.05), f"step {early}")
    assert kill_at(start(SCRIPT, tmp_path, 0, "snapshots", 1), "stuck")
    assert state.read_counters(tmp_path)["run"]["step"] == 5
    before = (tmp_path / state.STATE).read_bytes()
    assert kill_at(start(SCRIPT, tmp_path, 0, state.STATE, 1), "stuck")
    assert (tmp_path / state.STATE).read_bytes() == before, "the old checkpoint was touched"
    assert kill_at(start(SCRIPT, tmp_path, 0.05), f"step {late}")
    assert state.read_counters(tmp_path)["run"]["step"] in (10, 15, 20)
    finish(SCRIPT, tmp_path)
    ended = left_behind(tmp_path)
    for name, part in whole.items():
        assert ended[name] == part, f"{name} differ, killed at {early} and {late}"
    assert not list(tmp_path.rglob("*.tmp*")), "files left behind"
