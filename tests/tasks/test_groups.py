"""Tests of o1lab/tasks/groups.py: S5 really is S5, sums commute, tests stay out of training."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.make import serial
from o1lab.tasks import groups
from o1lab.tasks.groups import (
    ARMS,
    ASK,
    DOT,
    FIRST_MOVE,
    LONGEST,
    MOVES,
    REST,
    STATES,
    reserved,
    rows_of,
    transitions,
    words,
)  # fmt: skip

PERMUTATIONS = list(permutations(range(5)))
ORDERS = (2, 2, 3, 3, 5, 5)  # two swaps, two three-cycles, two five-cycles


def after(table, state, moves):
    for move in moves:
        state = table[state, move]
    return state


@pytest.mark.parametrize("world", ["s5", "sum"])
def test_moves_are_permutations_of_the_states_and_reach_all(world):
    table = transitions(world)
    assert table.shape == (STATES, MOVES)
    for move in range(MOVES):
        assert sorted(table[:, move]) == list(range(STATES))
    reached, fresh = {0}, {0}
    while fresh:
        fresh = {int(table[s, m]) for s in fresh for m in range(MOVES)} - reached
        reached |= fresh
    assert len(reached) == STATES


def test_s5_moves_have_the_order_of_their_cycles():
    table = transitions("s5")
    for move, order in enumerate(ORDERS):
        for power in range(1, order + 1):
            back = after(table, np.arange(STATES), [move] * power) == np.arange(STATES)
            assert back.all() if power == order else not back.any()


def test_s5_is_an_action_of_the_group_on_itself():
    """Multiplying on the left commutes with every move, and a word acts as its product."""
    table, index = transitions("s5"), {p: i for i, p in enumerate(PERMUTATIONS)}
    rng = np.random.default_rng(0)
    for _ in range(50):
        g = PERMUTATIONS[rng.integers(STATES)]
        shift = np.array([index[tuple(g[i] for i in p)] for p in PERMUTATIONS])
        assert (shift[table] == table[shift]).all()
        u, v = rng.integers(0, MOVES, 4), rng.integers(0, MOVES, 3)
        one, two = (PERMUTATIONS[after(table, 0, word)] for word in (u, v))
        assert PERMUTATIONS[after(table, 0, [*u, *v])] == tuple(one[i] for i in two)


def test_s5_does_not_commute_and_sums_do():
    s5, total = transitions("s5"), transitions("sum")
    pairs = list(product(range(MOVES), repeat=2))
    swapped = [(after(s5, 0, p), after(s5, 0, p[::-1])) for p in pairs]
    assert sum(a != b for a, b in swapped) > len(pairs) / 2
    assert all(after(total, 0, p) == after(total, 0, p[::-1]) for p in pairs)


@given(st.lists(st.integers(0, MOVES - 1), max_size=10), st.randoms(use_true_random=False))
def test_a_sum_does_not_care_about_order(moves, rng):
    table = transitions("sum")
    mixed = rng.sample(moves, len(moves))
    assert after(table, 0, moves) == after(table, 0, mixed)
    assert after(table, 0, moves) == sum(m + 1 for m in moves) % STATES


@pytest.mark.parametrize("world", ["s5", "sum"])
def test_words_follow_the_table(world):
    moves, states = words(world, np.random.default_rng(1), 50, 7)
    for row, ends in zip(moves, states, strict=True):
        assert [after(transitions(world), 0, row[: t + 1]) for t in range(7)] == ends.tolist()


@settings(deadline=None)
@given(st.integers(1, LONGEST), st.sampled_from(ARMS), st.integers(0, 99))
def test_rows_of_each_arm(length, arm, seed):
    moves, states = words("s5", np.random.default_rng(seed), 5, length)
    ids, weights = rows_of(moves, states, arm)
    said = length if arm in ("thoughts", "filler") else 1
    assert ids.shape == weights.shape == (5, LONGEST + 1 + said)
    assert (ids[:, :length] == moves + FIRST_MOVE).all()
    assert (ids[:, length:LONGEST] == REST).all() and (ids[:, LONGEST] == ASK).all()
    assert (ids[:, -1] == states[:, -1]).all() and ids.max() < groups.VOCABULARY
    assert not weights[:, : LONGEST + 1].any() and (weights[:, -1] == 1).all()
    middle, trained = ids[:, LONGEST + 1 : -1], weights[:, LONGEST + 1 : -1]
    if arm == "thoughts":
        assert (middle == states[:, :-1]).all() and trained.all()
    else:
        assert (middle == DOT).all() and not trained.any()


def test_thoughts_and_filler_are_of_equal_length():
    pair = words("sum", np.random.default_rng(0), 3, 6)
    assert rows_of(*pair, "thoughts")[0].shape == rows_of(*pair, "filler")[0].shape


def test_a_tenth_of_the_long_words_and_no_short_one_is_reserved():
    rng = np.random.default_rng(2)
    for length in range(1, LONGEST + 1):
        share = reserved(words("s5", rng, 4000, length)[0]).mean()
        assert share == 0 if length < 4 else 0.07 < share < 0.13


def test_reserving_looks_at_the_word_alone():
    moves, _ = words("s5", np.random.default_rng(3), 200, 6)
    alone = np.concatenate([reserved(moves[i : i + 1]) for i in range(200)])
    assert (alone == reserved(moves)).all() and 0 < alone.sum() < 200


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("world", ["s5", "sum"])
def test_no_reserved_word_is_trained(world, arm):
    make, seen = serial.examples(world, arm, seed=0), 0
    for step in range(8):
        rows = np.array([example.ids[:LONGEST] for example in make(step)]) - FIRST_MOVE
        for length in range(4, LONGEST + 1):
            full = (rows[:, :length] < MOVES).all(1) & (rows[:, :length] >= 0).all(1)
            ended = full if length == LONGEST else full & (rows[:, length] == REST - FIRST_MOVE)
            seen += ended.sum()
            assert not reserved(rows[ended][:, :length]).any()
    assert seen > 1000


def test_serial_examples_are_a_pure_function_of_seed_and_step():
    make = serial.examples("s5", "thoughts", 0)
    assert make(3) == serial.examples("s5", "thoughts", 0)(3)
    assert make(3) != make(4) and make(3) != serial.examples("s5", "thoughts", 1)(3)


def test_unknown_names_say_what_there_is():
    with pytest.raises(ValueError, match='choose "s5"'):
        transitions("s6")
    with pytest.raises(ValueError, match="choose one of direct"):
        rows_of(*words("s5", np.random.default_rng(0), 1, 1), "aloud")
