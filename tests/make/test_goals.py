"""All targets at once: labels that the solver stands by, no test puzzle, a head that learns."""

import random

import torch

from o1lab.make import foresight, goals
from o1lab.model.batches import batches
from o1lab.model.checkpoints import load
from o1lab.rewards.models import label_loss, token_classifier
from o1lab.tasks.countdown_solver import reachable
from o1lab.tasks.countdown_splits import is_reserved
from o1lab.tasks.lessons import lesson

STATE = (3, 5, 7, 11)


def bits(state):
    """(reach, known), a list of 100 each, from the columns as a batch holds them."""
    numbers = [int(x) for x in goals.labels(state)]
    flags = [n >> place & 1 for n in numbers for place in range(goals.BITS)]
    return flags[:100], flags[100:]


def test_labels_are_the_solvers_and_leave_test_puzzles_out():
    reach, known = bits(STATE)
    assert known == [not is_reserved(STATE, target) for target in range(100)]
    assert 0 < 100 - sum(known) < 30
    assert reach == [k and reachable(STATE, t) for t, k in enumerate(known)]
    assert sum(bits((4, 9))[1]) == 100  # two numbers are single facts


def test_the_loss_without_the_second_head_is_the_labels_own_and_it_can_be_learned():
    model = token_classifier(load("countdown-cot"), 1)
    goals.attach(model)
    problem = lesson("countdown")[0].problem(random.Random(2), 5)
    rows = [foresight.document(problem, random.Random(seed)) for seed in range(4)]
    (batch,) = batches(rows, 4096)
    ends = int(sum(batch.extra[name] for name in goals.COLUMNS[goals.PARTS :]).gt(0).sum())
    assert ends == sum(len(foresight.beginning(problem, random.Random(s))[0]) for s in range(4))
    start = goals.loss(model, batch)
    plain = label_loss(model, batch)
    assert torch.isclose(start - plain, torch.tensor(goals.WEIGHT * ends * 0.6931), rtol=1e-3)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(15):
        optimizer.zero_grad()
        goals.loss(model, batch).backward()
        optimizer.step()
    assert goals.loss(model, batch) < 0.6 * start
