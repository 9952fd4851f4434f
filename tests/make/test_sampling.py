"""Lesson 02's store and what is read out of it: kept bits, resuming, votes, laws, claims."""

import json
import random
from dataclasses import replace

import numpy as np
import pytest

from o1lab.make import exam, lesson01, lesson02, sampling
from o1lab.measure.claims import thresholds
from o1lab.paths import data_dir
from o1lab.tasks import task
from o1lab.tasks.base import write_completion
from o1lab.tasks.countdown_solver import play_probability
from o1lab.tasks.lessons import lesson
from tests.rewards.traces import stepless, trace, worked


def test_what_is_kept_of_rollouts():
    group = [worked(0), worked(0, wrong=(1,)), worked(0, answer="98"), replace(stepless(), text="")]
    assert [group[0].problem.answer] * 2 == [g.answer for g in group[:2]]
    kept = sampling.read("stories", [group])
    right = np.unpackbits(kept["right"], axis=1, count=4)
    assert right.tolist() == [[1, 1, 0, 0]]  # the second is right by luck
    assert np.unpackbits(kept["sound"], axis=1, count=4).tolist() == [[1, 0, 0, 0]]
    assert kept["answers"].tolist()[0][1:] == [int(group[1].answer), 98, sampling.NO_ANSWER]
    assert kept["distinct thoughts"].tolist() == [3] and kept["distinct answers"].tolist() == [3]
    assert kept["tokens"][0] == sum(len(r.ids) for r in group)


def test_countdown_rollouts_have_no_codes_and_hard_puzzles_are_the_hardest():
    problem, steps, answer = task("countdown").worked(random.Random(0), 4, "test")
    kept = sampling.read("countdown", [[trace(problem, write_completion(steps, answer))]])
    assert kept["answers"].size == 0 and kept["right"].tolist() == [[128]]
    hard = sampling.hard_problems("countdown", 5)
    rates = [play_probability(*p.data) for p in hard]
    assert rates == sorted(rates) and rates[-1] < 0.02
    assert {p.difficulty for p in sampling.hard_problems("stories", 3)} == {5}


def test_a_store_that_was_stopped_goes_on_with_the_same_rollouts(tmp_path):
    asked = sampling.exam("countdown", 41)
    job = sampling.Job("countdown lesson", "countdown", asked, 2, seed=5)
    for folder in ("once", "twice"):
        sampling.sample(job, tmp_path / folder, progress=False)
    names = sorted(path.name for path in (tmp_path / "once").iterdir())
    assert names == ["00000.safetensors", "00020.safetensors", "00040.safetensors"]
    (tmp_path / "twice" / names[1]).unlink()
    sampling.sample(job, tmp_path / "twice", progress=False)
    one, two = (sampling.gather(job, tmp_path / folder) for folder in ("once", "twice"))
    assert all(np.array_equal(one[key], two[key]) for key in one) and len(one["right"]) == 41
    assert sampling.floors(job) == [round(play_probability(*p.data), 6) for p in asked]


def test_the_floor_of_stories_is_that_of_the_exam_at_every_size():
    world, level = lesson("stories")
    asked = exam.exam("stories", 40, level)
    floor = sampling.floors(sampling.Job("stories lesson", "stories", asked, 2))
    sizes = [1, 2, 8, 64, 128]
    told = [exam.floor(world, asked, size) for size in sizes]
    assert lesson02.floor_curve(np.array(floor), sizes) == pytest.approx(told, abs=1e-4)
    numbers, answers = (lesson02.floor_curve(np.array(one), sizes) for one in floor)
    assert numbers[0] > answers[0] and answers[-1] > 0.6 > 0.2 > numbers[-1]


def test_the_record_holds_the_floor_that_the_checkpoint_records():
    """The exam asked the first 200 of the same stories; another record: `sampling --floors`."""
    path = data_dir() / "checkpoints" / "stories-cot" / "recipe.json"
    told = json.loads(path.read_text())["measured"]["lesson"]
    found = lesson02.part("stories lesson").floor[:, : told["problems"]]
    assert lesson02.floor_curve(found, [64])[0] == pytest.approx(told["floor, 64 tries"], abs=1e-4)


def test_floors_are_mended_and_samples_stay():
    asked = {job.name: job for job in sampling.jobs(3, 2, 2, 2, 2)}
    record = {"command": "c", "date": "d", "device": "x", "parts": {}}
    for name, job in asked.items():
        told = [p.answer for p in job.problems] if job.world == "stories" else []
        record["parts"][name] = {"problems": len(job.problems), "n": 2, "answer": told, "floor": []}
    mended = sampling.with_floors(record)
    assert {key: mended[key] for key in ("command", "date", "device")} == {
        "command": "c", "date": "d", "device": "x",
    }  # fmt: skip
    assert mended["floors recomputed"]["command"] == "python -m o1lab sampling --floors"
    assert np.shape(mended["parts"]["stories hard"]["floor"]) == (2, 2)
    assert np.shape(mended["parts"]["countdown lesson"]["floor"]) == (3,)
    assert record["parts"]["stories hard"]["floor"] == []
    record["parts"]["stories hard"]["answer"] = ["0", "0"]
    with pytest.raises(ValueError, match="other problems"):
        sampling.with_floors(record)


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A made-up store: chances with a heavy tail, and answers of which one wrong one is common."""
    from safetensors.numpy import save_file

    rng, arrays, parts = np.random.default_rng(0), {}, {}
    for world, problems, n in (("stories", 40, 512), ("countdown", 60, 512)):
        chance = rng.beta(0.6, 1.2, problems)[:, None]
        right = rng.random((problems, n)) < chance
        wrong = np.where(rng.random((problems, n)) < 0.5, 50, rng.integers(51, 90, (problems, n)))
        name = f"{world} lesson"
        arrays[f"{name}/right"] = arrays[f"{name}/sound"] = np.packbits(right, axis=1)
        if world == "stories":
            arrays[f"{name}/answers"] = np.where(right, 7, wrong).astype(np.uint8)
        parts[name] = {"n": n, "floor": [0.01] * problems, "answer": ["7"] * problems, "flops": 5.0}
        for key in ("answers", "thoughts"):
            arrays[f"{world} at 1.0/distinct {key}"] = np.full(problems, 8, np.int32)
        arrays[f"{world} at 1.0/right"] = arrays[f"{name}/right"]
        arrays[f"{world} at 1.0/sound"] = arrays[f"{name}/right"]
        parts[f"{world} at 1.0"] = parts[name]
    blind = {"natural": rng.beta(0.5, 8, 300).clip(1e-4).tolist(), "narrow": [0.05, 0.06] * 150}
    record = {"parts": parts, "blind": blind, "command": "c", "date": "d", "device": "x"}
    (tmp_path / "results").mkdir()
    save_file(arrays, tmp_path / "results" / "sampling.safetensors")
    (tmp_path / "results" / "sampling.json").write_text(json.dumps(record))
    for module in (lesson01, lesson02):
        monkeypatch.setattr(module, "data_dir", lambda: tmp_path)


def test_votes_are_predicted_and_coverage_outruns_them(store):
    found = lesson02.part("stories lesson")
    assert found.right.shape == (40, 512) and found.answers()[0][0] in {str(c) for c in range(90)}
    claimed = lesson02.effects()
    assert set(claimed) == {name for name in thresholds() if name.startswith("02")}
    assert claimed["02-coverage-outruns-voting"][0][0] > 0.2
    assert claimed["02-votes-predicted"][0][0] < 0.03
    assert claimed["02-no-tail-no-law"][0][1] > 0
    assert all(low <= value <= high for (value, low, high), _, _ in claimed.values())
    blocks = lesson02.blocks(found)
    assert len(blocks) == 4 and sum(b.right.sum() for b in blocks) == found.right.sum()
    rest = lesson02._rest(found, 1)
    assert rest.right.sum() + blocks[1].right.sum() == found.right.sum()


def test_the_exponent_of_a_beta_tail_is_found_from_both_sides(store):
    rng = np.random.default_rng(1)
    rights = rng.random((4000, 512)) < rng.beta(0.5, 2.0, 4000)[:, None]
    tail, fitted = lesson02.exponents(rights)
    assert tail == pytest.approx(0.5, abs=0.05) and fitted == pytest.approx(0.5, abs=0.08)


def test_curves_read_by_the_notebook(store):
    found = lesson02.part("countdown lesson")
    mean, low, high = lesson02.coverage_curve(found.sound, [1, 4, 16])
    assert mean == sorted(mean) and all(
        a <= b <= c for a, b, c in zip(low, mean, high, strict=True)
    )
    assert lesson02.floor_curve(found.floor, [1, 2]) == pytest.approx([0.01, 0.0199])
    kept = lesson02.variety("stories", 1.0)
    assert kept["answers"] == pytest.approx(8 / 512) and set(kept["covered"]) <= {0.0, 1.0}
    with pytest.raises(KeyError, match="stories lesson"):
        lesson02.part("stories")
