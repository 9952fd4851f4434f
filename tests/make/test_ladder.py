"""Lesson 03's ladder and labels: how choices and measures are read off scores."""

import json
from dataclasses import replace

import numpy as np
import pytest

from o1lab.make import labelling, ladder, verifiers
from o1lab.make.verifier_metrics import metrics
from o1lab.rewards.base import ExactScorer
from o1lab.rewards.labels import Labels, exact_labels
from o1lab.rewards.scorers import ConstantScorer
from o1lab.tasks import task
from o1lab.tasks.base import write_completion
from tests.rewards.traces import trace, worked

STORIES, COUNTDOWN = task("stories"), task("countdown")


@pytest.fixture
def held():
    """Three stories, four rollouts each: one right, one lucky, two that go wrong."""
    groups = []
    for seed in range(3):
        right = worked(seed).problem.answer
        group = [worked(seed), worked(seed, wrong=(0,), answer=right)]
        group += [worked(seed, wrong=(0, 1), answer="98"), worked(seed, wrong=(2,), answer="99")]
        groups.append([replace(r, logprobs=[-1.0] * len(r.ids)) for r in group])
    return ladder.known(groups)


def test_what_is_known_of_held_out_rollouts(held):
    assert held.right.tolist() == [[True, True, False, False]] * 3
    assert held.sound.tolist() == [[True, False, False, False]] * 3
    part = held.first(2, 3)
    assert part.right.shape == (2, 3) and part.groups[1][0].problem is held.groups[2][0].problem


def test_an_exact_verifier_climbs_to_the_oracle_and_no_verifier_does_not(held):
    curves = ladder.free_curves(held)
    assert np.allclose(curves["random/right"], 0.5) and np.allclose(curves["random/sound"], 0.25)
    assert np.allclose(curves["oracle/right"][:, -1], 1) and "majority/sound" not in curves
    assert np.allclose(curves["majority/right"][:, -1], 1)  # two votes of four
    exact = ladder.verifier_curves(held, ExactScorer(STORIES)(held.flat), "prm")
    assert np.allclose(exact["product/sound"][:, -1], 1)
    assert set(exact) > {"min/right", "last/sound", "mean/right", "vote/right"}
    flat = ladder.verifier_curves(held, ConstantScorer()(held.flat), "orm")
    assert np.allclose(flat["last/right"], 0.5) and "min/right" not in flat


def test_measures_of_an_exact_and_of_a_blind_verifier(held):
    best = metrics(ExactScorer(STORIES), held, "prm", "kept")
    assert best["within auroc"] == best["pooled auroc"] == best["first-error f1"] == 1
    assert best["ece"] == 0 and best["minimum at"][0] == 1
    assert set(best["within auroc by depth"]) == {3}
    blind = metrics(ConstantScorer(), held, "prm", "kept")
    assert blind["within auroc"] == blind["outcome auroc"] == 0.5
    json.dumps(best)


def test_arms_have_their_own_folders_and_equal_labels_means_equal():
    names = [ladder._slug(arm.name) for arm in verifiers.ARMS]
    assert len(set(names)) == len(names)
    assert all(
        ladder._named(f"{ladder._slug(arm.name)}-2") == (arm.name, "2") for arm in verifiers.ARMS
    )
    assert ladder.sizes_of(48) == [1, 2, 4, 8, 16, 32]


def test_shuffled_labels_are_the_same_labels_elsewhere(held):
    exact = exact_labels(STORIES, held.flat, "negative")
    mixed = verifiers.shuffled(exact)
    pools = [sorted(label for row in labels.rows for label in row) for labels in (mixed, exact)]
    assert pools[0] == pools[1] and mixed.rows != exact.rows
    assert [len(row) for row in mixed.rows] == [len(row) for row in exact.rows]


def test_label_quality_counts_false_rights_and_false_wrongs(held):
    exact = exact_labels(STORIES, held.flat, "negative")
    kinds = labelling.first_kinds(STORIES, held.flat)
    assert [bool(kind) for kind in kinds[:4]] == [False, True, True, True]
    same = labelling.quality(replace(exact, name="hard"), exact.rows, kinds)
    assert same["false positive rate"] == same["false negative rate"] == 0 and same["auroc"] == 1
    blind = Labels("hard", [[1.0] * len(row) for row in exact.rows])
    lies = labelling.quality(blind, exact.rows, kinds)
    assert lies["false positive rate"] == 1 and lies["false negative rate"] == 0
    assert all(share == 1 for share, _ in lies["false positive rate by kind"].values())


def test_a_countdown_trace_is_cut_before_its_first_slip_and_its_last_step():
    import random

    problem, steps, answer = COUNTDOWN.worked(random.Random(0), 4)
    whole = labelling.legal_part(COUNTDOWN, trace(problem, write_completion(steps, answer)))
    assert len(whole.step_ends) == 2 and whole.ids == whole.ids[: whole.step_ends[-1]]
    assert exact_labels(COUNTDOWN, [whole], "kept").rows == [[1.0, 1.0]]
    slip = [steps[0], "1 + 1 = 3 left 3 3", steps[2]]
    cut = labelling.legal_part(COUNTDOWN, trace(problem, write_completion(slip, answer)))
    assert len(cut.step_ends) == 1
    assert (
        labelling.legal_part(COUNTDOWN, trace(problem, write_completion(slip[1:], answer))) is None
    )


def test_a_thought_without_a_step_is_the_least_likely_of_all(held):
    from dataclasses import replace

    rollout = replace(held.groups[0][0], step_ends=[])
    assert ladder._least_likely_step(rollout) == -np.inf
    with_steps = next(r for r in held.flat if len(r.step_ends) > 1)
    assert -np.inf < ladder._least_likely_step(with_steps) <= 0
