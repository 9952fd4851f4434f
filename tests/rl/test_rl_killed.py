"""A real reinforcement run is killed at random points and goes on to the same bits."""

import json
import random
from pathlib import Path

import pytest

from o1lab.model import training_state as state
from tests.killing import finish, kill_at, start, tensors_in

SCRIPT = Path(__file__).with_name("tiny_rl.py")


def without_times(record):
    return {key: value for key, value in record.items() if "seconds" not in key}


def left_behind(folder):
    """Everything a run leaves that must not depend on its having been killed."""
    lines = (folder / state.METRICS).read_text().splitlines()
    tensors, about = tensors_in(folder / state.STATE)
    run = json.loads(about["counters"])["run"]
    records = [without_times(json.loads(line)) for line in lines]
    return {"records": records, "tensors": tensors, "run": without_times(run)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    finish(SCRIPT, folder)
    return left_behind(folder)


def test_killed_while_saving_and_later_ends_with_the_same_bits(tmp_path, whole):
    late = random.SystemRandom().randint(3, 8)
    print(f"killed while saving at iteration 2, then after iteration {late}")
    assert kill_at(start(SCRIPT, tmp_path, 0, state.STATE, 2), "stuck")
    assert state.read_counters(tmp_path)["run"]["step"] == 0, "the checkpoint was cut"
    assert kill_at(start(SCRIPT, tmp_path, 0.05), f"step {late}")
    finish(SCRIPT, tmp_path)
    ended = left_behind(tmp_path)
    assert ended["run"]["beta"] != 0.1 and [r["step"] for r in ended["records"]] == [*range(1, 10)]
    for name, part in whole.items():
        assert ended[name] == part, f"{name} differ, killed after {late}"
    assert not list(tmp_path.rglob("*.tmp*")), "files left behind"
