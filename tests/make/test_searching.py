"""Lesson 05's searches that pay: cells, budgets, costs; on word problems the same."""

from dataclasses import replace

import numpy as np
import pytest

from o1lab.make import searching, story_search
from o1lab.make.searching import Cell
from o1lab.model.checkpoints import load
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import ExactScorer
from o1lab.rewards.models import load_reward_model
from o1lab.search import mcts
from o1lab.search.beam import Settings
from o1lab.tasks.countdown_solver import play_probability
from o1lab.tasks.lessons import exam, lesson


def test_cells_have_names_of_their_own():
    cells = searching.cells()
    assert len({cell.name for cell in cells}) == len(cells)
    assert not any(" " in cell.name for cell in cells)


def test_hard_puzzles_are_hard_and_all_are_held_out():
    puzzles = searching.puzzles_of("4 hard", 20)
    assert all(play_probability(*p.data) <= searching.HARD for p in puzzles)
    assert len(searching.puzzles_of("24", 2000)) == 1334
    assert searching.puzzles_of("5", 3) == exam("countdown", 3, 5, seed=5)


@pytest.mark.parametrize(
    ("way", "value"), [("mcts", "exact"), ("mcts", "rollout"), ("beam", "exact"), ("dvts", "exact")]
)
def test_searches_keep_their_budget(way, value):
    policy, puzzles = load("countdown-cot"), searching.puzzles_of("4 hard", 3)
    price = searching.price_of_a_rollout(policy, puzzles)
    scorer = ExactScorer(lesson("countdown")[0])
    found = searching.searched(Cell("4 hard", way, value), policy, puzzles, scorer, 8 * price)
    assert all(f.ledger.flops <= 8 * price for f in found)


def test_a_learned_value_is_paid_for_and_not_asked_about_complete_thoughts():
    policy, puzzles = load("stories-cot"), exam("stories", 2)
    judge = load_reward_model("stories-prm")
    settings = replace(story_search.TREE, simulations=12, finish=False)
    asked = []

    def outcome(rollout):
        asked.append(rollout.finished)
        return 1.0

    writer = story_search._writer(policy, 0)
    found = mcts.mcts(writer, puzzles, judge, settings, outcome=outcome)
    assert all(f.ledger.verifier_flops > 0 for f in found)
    assert asked and all(asked)
    assert all(e.score == 1.0 for f in found for e in f.endings if e.score is not None)


def test_what_the_rules_show():
    problem = next(p for p in exam("countdown", 40, 4) if sum(p.data[0]) < 99)
    a, b, c, d = problem.data[0]
    first = f"{max(a, b)} + {min(a, b)} = {a + b} left {c} {d} {a + b}"

    def said(*steps):
        text = "<think>\n" + "".join(f"{step}\n" for step in steps)
        return searching.rules(Rollout(problem, [1], [2], [0.0], text, list(range(len(steps)))))

    assert said() is None and said(first) is None
    assert said(first.replace(f"= {a + b} ", "= 1000 ")) == 0.0
    e, f = a + b + c, a + b + c + d
    second = f"{max(a + b, c)} + {min(a + b, c)} = {e} left {d} {e}"
    third = f"{max(e, d)} + {min(e, d)} = {f} left {f}"
    assert said(first, second, third) == float(f == problem.data[1])


def test_sampling_is_charged_up_to_its_first_success():
    policy, puzzles = load("countdown-cot"), searching.puzzles_of("4 hard", 4)
    one = searching.sampled_at(policy, puzzles, Cell("4 hard", "sampling"), 2)
    assert one.shape == (4, 4)
    greedy = searching.sampled_at(policy, puzzles, Cell("4 hard", "sampling", temperature=0.0), 64)
    done = np.isfinite(greedy[:, 0])
    price = searching.price_of_a_rollout(policy, puzzles)
    assert np.all(greedy[done, 0] < 2 * price) and np.all(greedy[done, 1] >= 3)
    assert np.all(greedy[done, 2] > 30)


def test_stories_by_every_way(monkeypatch):
    monkeypatch.setattr(story_search, "N", 4)
    monkeypatch.setattr(story_search, "BUDGETS", (2, 4))
    monkeypatch.setattr(story_search, "SEEDS", (0,))
    monkeypatch.setattr(story_search, "BEAMS", {"beam": Settings(2, 2, how="product")})
    policy, judge = load("stories-cot"), load_reward_model("stories-prm")
    problems = exam("stories", 3, seed=7)
    made = {k: f() for k, f in story_search.parts(policy, judge, problems, 3e8).items()}
    assert set(made) == {"0/sampled", "0/mcts", "0/beam"}
    table = made["0/sampled"]
    assert table["majority/right"].shape == (3, 3) and np.all(np.diff(table["oracle/right"]) >= 0)
    assert np.all(table["best of N/flops"] > table["majority/flops"])
    tree = made["0/mcts"]
    assert np.all(tree["mcts, vote/flops"] <= np.array([2, 4]) * 3e8)
    assert np.all(tree["mcts, vote/flops"] == tree["mcts, score/flops"])
    assert set(tree["mcts, score/right"].ravel()) <= {0, 1}
