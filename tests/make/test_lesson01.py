"""The grids of lesson 01: what is trained and tested, and what is read out of the record."""

import json

import numpy as np
import pytest

from o1lab.make import arms, lesson01, serial
from o1lab.tasks import groups, task
from o1lab.tasks.story_baselines import floors


def bits(rows) -> list[str]:
    return ["".join("01"[int(b)] for b in row) for row in rows]


@pytest.fixture
def record(tmp_path, monkeypatch):
    """A made-up grid in which deeper networks hold out longer, three seeds alike."""
    rng = np.random.default_rng(0)
    runs = []
    for world, arm, layers, seed in serial.grid():
        reach = {"thoughts": 10, "direct": 2 + layers, "filler": 4, "unspoken": 6}[arm]
        reach = 10 if world == "sum" else reach
        right = [rng.random(50) < (0.95 if n <= reach else 0.05) for n in range(1, 11)]
        runs.append({"world": world, "arm": arm, "layers": layers, "seed": seed, "updates": 1,
                     "flops": 1.0, "right": bits(right)})  # fmt: skip
    folder = tmp_path / "results"
    folder.mkdir()
    (folder / "serial.json").write_text(json.dumps({"runs": runs}))
    monkeypatch.setattr(lesson01, "data_dir", lambda: tmp_path)


def test_curves_and_half_points_follow_the_record(record):
    lengths, mean, low, high = lesson01.serial_curves("s5", "direct", 2)
    assert lengths == list(range(1, 11)) and mean[0] > 0.8 > 0.2 > mean[9]
    assert all(a <= b <= c for a, b, c in zip(low, mean, high, strict=True))
    points = [lesson01.half_point("s5", "direct", n)[0] for n in (1, 2, 4)]
    assert points == sorted(points) and points[2] == pytest.approx(6.5, abs=0.2)
    gain, low, high = lesson01.half_point_gain()
    assert low <= gain <= high and gain == pytest.approx(3, abs=0.3)
    assert len(lesson01.half_points_by_seed("s5", "direct", 4)) == 3


def test_a_missing_record_says_how_to_make_it(tmp_path, monkeypatch):
    monkeypatch.setattr(lesson01, "data_dir", lambda: tmp_path)
    with pytest.raises(FileNotFoundError, match="python -m o1lab serial"):
        lesson01.recorded("serial")


@pytest.mark.parametrize("arm", groups.ARMS)
def test_no_reserved_word_is_trained_and_every_tested_long_word_is_reserved(arm):
    for example in serial.examples("s5", arm, seed=0, rows=200)(3):
        moves = [i - groups.FIRST_MOVE for i in example.ids if i >= groups.FIRST_MOVE]
        assert not groups.reserved(np.array([moves]))[0]
        assert sum(example.weights()) == (len(moves) if arm == "thoughts" else 1)


def test_answers_are_judged_on_the_same_words_for_every_arm():
    """A model that knows the table is right everywhere, in the arm that writes its states."""
    oracle = Oracle("s5")
    right = serial.right_answers(oracle, "s5", "thoughts", rows=12)
    assert np.array(right).shape == (10, 12) and np.all(right)
    wrong = serial.right_answers(oracle, "sum", "thoughts", rows=12)
    assert not np.all(wrong)


class Oracle:
    """A causal LM that reads the moves and writes the true next state."""

    def __init__(self, world: str):
        self.table = groups.transitions(world)

    def parameters(self):
        import torch

        yield torch.zeros(1)

    def __call__(self, ids):
        from types import SimpleNamespace

        import torch

        logits = torch.zeros(len(ids), ids.shape[1], groups.VOCABULARY)
        for row, tokens in enumerate(ids.tolist()):
            moves = [t - groups.FIRST_MOVE for t in tokens if t >= groups.FIRST_MOVE]
            written = tokens[groups.LONGEST + 1 :]
            state = written[-1] if written else 0
            logits[row, -1, self.table[state, moves[len(written)]]] = 1
        return SimpleNamespace(logits=logits)


def test_a_whole_cell_of_the_grid_runs():
    found = serial.run("sum", "unspoken", 1, 0, updates=2)
    assert len(found["right"]) == 10 and set("".join(found["right"])) <= {"0", "1"}
    assert found["tokens"] > 0 and found["flops"] > 0


def test_the_floor_of_stories_is_the_better_of_two_blind_ways():
    asked = [arms.exam_problems("sums", depth, 30) for depth in (1, 4)]
    both = [floors(task("sums"), row, 50).values() for row in asked]
    assert lesson01.story_floor(asked, 50) == list(map(max, both))
