"""Lesson 05's searches at a dialled value, and what is read out of their record."""

import json
import random

import numpy as np
import pytest

from o1lab.make import lesson01, lesson05, planning
from o1lab.model.checkpoints import load
from o1lab.rewards.base import ExactScorer
from o1lab.tasks.lessons import exam, lesson
from tests.rewards.traces import trace


def test_cells_are_different_and_an_exact_value_has_no_noise_to_share():
    cells = planning.cells()
    assert len({cell.name for cell in cells}) == len(cells)
    assert not [cell for cell in cells if cell.way == "mcts" and cell.auroc == 1 and cell.rho]


def test_complete_thoughts_show_their_success_whatever_the_value_says():
    from o1lab.tasks.base import write_completion

    world, problem = lesson("countdown")[0], exam("countdown", 1, 4)[0]
    steps, answer = world.solution(problem, random.Random(0))
    right = trace(problem, write_completion(steps, answer))
    wrong = trace(problem, write_completion(steps, "1 + 1"))
    rows = planning.KnownEnds(lambda rs: [[0.5] * len(r.step_ends) for r in rs], world)
    assert [row[-1] for row in rows([right, wrong])] == [1.0, 0.0]
    assert rows([right])[0][:-1] == [0.5] * (len(steps) - 1)
    exact = planning.KnownEnds(ExactScorer(world), world)
    assert exact([right])[0] == [1.0] * len(steps)


def test_searches_stay_within_their_budget_and_the_same_seed_finds_the_same():
    policy, problems = load(planning.POLICY), exam("countdown", 3, 4)
    price = planning.price_of_a_rollout(policy, problems)
    for way in ("mcts", "beam", "dvts"):
        cell = planning.Cell(way, 0.9)
        found = planning.searched(cell, policy, problems, 6 * price)
        again = planning.searched(cell, policy, problems, 6 * price)
        assert all(f.ledger.flops <= 6 * price for f in found)
        assert [planning.found_at(f) for f in found] == [planning.found_at(f) for f in again]


def test_sampling_pays_for_its_failures_too():
    policy, problems = load(planning.POLICY), exam("countdown", 4, 4)
    spent = np.array(planning.sampled_at(policy, problems, planning.Cell("sampling"), 16))
    price = planning.price_of_a_rollout(policy, problems)
    assert np.all(spent[np.isfinite(spent)] < 17 * price) and np.all(spent > 0.3 * price)
    grid = planning.solved_within(spent, [0.1 * price, 100 * price])
    assert grid.shape == (4, 2) and grid[:, 0].sum() == 0


def test_break_even_lies_between_the_points_where_the_costs_cross():
    aurocs = (0.5, 0.8, 1.0)
    assert lesson05.break_even(aurocs, [20, 14, 10], 16) == pytest.approx(0.7)
    assert lesson05.break_even(aurocs, [20, 18, 17], 16) == 1.0
    assert lesson05.break_even(aurocs, [12, 11, 10], 16) == 0.5
    assert lesson05.saved(np.array([10.0, 10]), np.array([20.0, 20])) == 0.5


def test_effects_have_the_signs_that_were_put_in(tmp_path, monkeypatch):
    from safetensors.numpy import save_file

    rng, arrays = np.random.default_rng(0), {}
    worth = {"mcts": {0.5: 22, 0.65: 17, 0.8: 12, 0.9: 11, 1.0: 9}}
    hard = rng.uniform(0.5, 1.5, 60)
    for cell in planning.cells():
        mean = 16 if cell.way == "sampling" else worth["mcts"].get(cell.auroc, 12) - 2 * cell.rho
        arrays[cell.name] = 1e8 * mean * hard * rng.uniform(0.9, 1.1, 60)
    arrays["mcts-1.0-0.0-0"][0] = np.inf
    (tmp_path / "results").mkdir()
    save_file(arrays, tmp_path / "results" / "planning.safetensors")
    record = {"seeds": planning.SEEDS, "aurocs": planning.AUROCS, "rhos": planning.RHOS,
              "sizes": planning.SIZES, "rollout flops": 1e8, "command": "c", "date": "d",
              "device": "x"}  # fmt: skip
    (tmp_path / "results" / "planning.json").write_text(json.dumps(record))
    for module in (lesson01, lesson05):
        monkeypatch.setattr(module, "data_dir", lambda: tmp_path)
    found = lesson05.effects()
    assert found["05-exact-value-pays"][0][1] > 0.3 and found["05-exact-value-pays"][2] == 60
    assert found["05-blind-value-costs"][0][2] < 0
    assert found["05-break-even"][0][0] == pytest.approx(0.69, abs=0.03)
    assert found["05-shared-noise-is-cheaper"][0][2] < 0
    assert np.isfinite(lesson05.paid(lesson05.spent("mcts"))).all()
