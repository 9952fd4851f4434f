"""Every kind of mistake from a spoilt worked story; hostile steps and answers get a verdict."""

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.tasks.stories import MAX_STEPS, Stories, Sums, _write

WORLD = Stories()
FULL = re.compile(r"(\w+) = (\w+) (.) (\w+) = (\d+) (.) (\d+) = (\d+)")
seeds, depths = st.integers(0, 2**32), st.integers(2, 8)
QUICK = settings(max_examples=80, deadline=None)


def drawn(seed, depth, world=WORLD):
    return world.worked(random.Random(seed), depth)[:2]


def kinds(problem, steps):
    return [v.kind for v in WORLD.verdicts(problem, steps)]


@QUICK
@given(seeds, depths)
def test_a_wrong_sum_is_arithmetic(seed, depth):
    problem, steps = drawn(seed, depth)
    for i, step in enumerate(steps):
        if found := FULL.fullmatch(step):
            spoilt = f"{step[: found.start(8)]}{(int(found[8]) + 1) % 100}"
            assert kinds(problem, [*steps[:i], spoilt])[-1] == "arithmetic"


@QUICK
@given(seeds, depths)
def test_a_number_that_is_nowhere_is_a_wrong_operand(seed, depth):
    problem, steps = drawn(seed, depth)
    for i, step in enumerate(steps):
        found = FULL.fullmatch(step)
        if found and found[4].isdigit() and found[3] == "+":
            true = int(found[5]) + 130
            spoilt = f"{found[1]} = {found[2]} + 130 = {found[5]} + 130 = {true}"
            assert kinds(problem, [*steps[:i], spoilt])[-1] == "wrong operand"


@QUICK
@given(seeds, depths)
def test_a_person_of_another_story_is_a_wrong_operand(seed, depth):
    problem, steps = drawn(seed, depth)
    assert kinds(problem, [re.sub(r"^\w+", "Nobody", steps[0])]) == ["wrong operand"]
    assert kinds(problem, [re.sub(r"= \w+", "= Nobody", steps[0], count=1)]) == ["wrong operand"]


def written(problem, at):
    return _write(*problem.data[:2], at)


def made(problem):
    """Every value of the story that somebody could work out, in order."""
    return [at for at, node in enumerate(problem.data[0].nodes) if node.op != "given"]


def named(problem, at):
    """What a step says in names ("Bob = Ann + 7"); two moments of a story may say the same."""
    return written(problem, at).split(" = ")[:-2] or written(problem, at).split(" = ")[:-1]


@QUICK
@given(seeds, depths)
def test_a_skipped_step_is_not_ready(seed, depth):
    problem, steps = drawn(seed, depth)
    spine, all_named = problem.data[0].spine, [named(problem, at) for at in made(problem)]
    for i in range(1, depth):
        if all_named.count(named(problem, spine[i])) == 1:
            assert kinds(problem, [*steps[: i - 1], steps[i]])[-1] == "not ready"


@QUICK
@given(seeds, depths)
def test_true_steps_nobody_asked_for_are_irrelevant(seed, depth):
    problem, _ = drawn(seed, depth)
    all_named = [named(problem, at) for at in made(problem)]
    if all(all_named.count(name) == 1 for name in all_named):
        found = kinds(problem, [written(problem, at) for at in made(problem)])
        spine = problem.data[0].spine
        assert found == ["ok" if at in spine else "irrelevant" for at in made(problem)]


def test_an_older_value_is_stale():
    hits = 0
    for seed in range(200):
        problem, steps = drawn(seed, 5)
        story, names, _ = problem.data
        for i, at in enumerate(story.spine):
            node, found = story.nodes[at], FULL.fullmatch(steps[i])
            if node.op == "=" or node.right.node or not found or node.op != "+":
                continue
            who = story.nodes[node.left.at].person
            ready = [j for j in story.spine[:i] if j < node.left.at]
            ready += [j for j, n in enumerate(story.nodes) if n.op == "given"]
            old = [story.nodes[j].value for j in ready if story.nodes[j].person == who]
            old = [v for v in old if v != story.nodes[node.left.at].value]
            if not old:
                continue
            hits += 1
            spoilt = f"{names[node.person]} = {names[who]} + {found[4]} = {old[0]} + {found[4]}"
            spoilt += f" = {old[0] + int(found[4])}"
            assert kinds(problem, [*steps[:i], spoilt])[-1] == "stale value", (seed, spoilt)
    assert hits > 20


@QUICK
@given(seeds, depths, st.data())
def test_a_cut_step_is_malformed(seed, depth, data):
    problem, steps = drawn(seed, depth)
    full = [step for step in steps if FULL.fullmatch(step)]
    if full:
        step = full[0]
        cut = step[: data.draw(st.integers(0, step.rindex(" = ") + 3))]
        assert kinds(problem, [cut]) == ["malformed"]


def test_every_kind_is_covered_here():
    assert set(WORLD.mistakes) == {
        "arithmetic", "wrong operand", "stale value", "not ready", "irrelevant", "malformed",
    }  # fmt: skip


@QUICK
@given(seeds, depths)
def test_all_right_steps_make_a_right_answer(seed, depth):
    for world in (WORLD, Sums()):
        problem, steps = drawn(seed, depth, world)
        assert all(v.ok for v in world.verdicts(problem, steps))
        assert steps[-1].endswith(f"= {problem.answer}") and world.grade(problem, problem.answer)


pieces = st.sampled_from(["Ann", "Bob", "Zoe", "=", "+", "-", "*", "/", " ", "7", "0", "99", "٣",
                          "\x00", "=" * 50, "-1", "1e9", "left", "<think>"])  # fmt: skip
hostile = st.one_of(st.text(), st.lists(pieces, max_size=30).map(" ".join))


@settings(max_examples=150, deadline=None)
@given(seeds, depths, st.lists(hostile, max_size=8), st.data())
def test_hostile_steps_among_right_ones_get_verdicts(seed, depth, junk, data):
    problem, steps = drawn(seed, depth)
    mixed = data.draw(st.permutations([*steps, *junk]))
    verdicts = WORLD.verdicts(problem, mixed)
    assert len(verdicts) == len(mixed)
    assert all(v.ok == (v.kind == "ok") and (v.ok or v.why) for v in verdicts)
    assert all(v.ok or v.kind in WORLD.mistakes for v in verdicts)


@settings(max_examples=150, deadline=None)
@given(seeds, depths, st.data())
def test_one_changed_letter_never_crashes(seed, depth, data):
    problem, steps = drawn(seed, depth)
    text = "\n".join(steps)
    at = data.draw(st.integers(0, len(text)))
    spoilt = text[:at] + data.draw(st.text(max_size=2)) + text[at + data.draw(st.integers(0, 2)) :]
    lines = WORLD.steps(spoilt)
    assert len(WORLD.verdicts(problem, lines)) == len(lines)


@QUICK
@given(seeds, hostile)
def test_only_the_plain_number_is_a_right_answer(seed, text):
    problem, _ = drawn(seed, 3)
    assert WORLD.grade(problem, text) == (text.strip() == problem.answer)


@pytest.mark.parametrize("form", ["{}.0", "0{}", "+{}", "{} apples", "{}\n{}", "", "( {} )"])
def test_other_forms_of_the_answer_are_wrong(form):
    problem, _ = drawn(1, 3)
    assert not WORLD.grade(problem, form.format(problem.answer, problem.answer))


def test_huge_text_gets_a_quick_verdict():
    problem, steps = drawn(2, 4)
    huge = [steps[0] + " " * 10**6, "Ann = " * 10**5, "9" * 10**6, "(" * 10**6] * 5
    began = time.perf_counter()
    assert set(kinds(problem, huge)) == {"malformed"}
    assert not any(WORLD.grade(problem, text) for text in huge)
    assert time.perf_counter() - began < 2


def test_steps_past_the_limit_are_malformed():
    problem, steps = drawn(3, 4)
    found = kinds(problem, [*["junk"] * MAX_STEPS, *steps])
    assert found == ["malformed"] * (MAX_STEPS + 4)
