"""Both worlds: train, dev and test share no problem, no training trace passes a reserved one."""

import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.tasks import task
from o1lab.tasks.base import Problem, split_of
from o1lab.tasks.countdown import Countdown, make_problem
from o1lab.tasks.countdown_splits import split_of_state
from o1lab.tasks.stories import Stories, Sums
from o1lab.tasks.story_world import Node, Ref, Story

WORLDS = {"stories": Stories(), "sums": Sums()}
MOVE = re.compile(r"(\d+) ([-+*/]) (\d+) = (\d+) left ([\d ]+)")


def split_of_story(world, problem):
    return split_of(world.canonical(problem), *world.reserved)


def solved_so_far(story, k):
    """The story whose question is the value after k of the needed steps."""
    return story._replace(spine=story.spine[:k])


def still_to_do(story, k):
    """The story in which the values of the first k needed steps are given."""
    done = set(story.spine[:k])
    nodes = [
        Node(n.person, "given", None, None, n.value) if i in done else n
        for i, n in enumerate(story.nodes)
    ]
    return story._replace(nodes=tuple(nodes), spine=story.spine[k:])


@pytest.mark.parametrize("name", ["stories", "sums"])
def test_three_thousand_training_stories_pass_no_reserved_problem(name):
    world, rng = WORLDS[name], random.Random(11)
    for i in range(3000 if name == "stories" else 800):
        problem = world.problem(rng, 1 + i % 8)
        story, names, thing = problem.data
        depth = len(story.spine)
        parts = [solved_so_far(story, k) for k in range(2, depth + 1)]
        parts += [still_to_do(story, k) for k in range(depth - 1)]
        for part in parts:
            inner = Problem(name, "", "", len(part.spine), (part, names, thing))
            assert split_of_story(world, inner) == "train"


@pytest.mark.parametrize("name", ["stories", "sums", "countdown"])
def test_splits_share_no_problem(name):
    world, rng = task(name), random.Random(12)
    counts = {"train": 2000, "dev": 150, "test": 150}
    seen = {
        split: {world.canonical(world.problem(rng, 3 + i % 2, split)) for i in range(count)}
        for split, count in counts.items()
    }
    assert all(seen.values())
    assert not seen["train"] & seen["dev"] and not seen["train"] & seen["test"]
    assert not seen["dev"] & seen["test"]


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("depth", [1, 4, 8])
def test_a_reserved_story_belongs_to_its_split_by_canonical_form(split, depth):
    world, rng = WORLDS["stories"], random.Random(13)
    for _ in range(20):
        assert split_of_story(world, world.problem(rng, depth, split)) == split


def test_the_reserved_share_is_as_declared():
    world, rng = WORLDS["stories"], random.Random(14)
    count = {"train": 0, "dev": 0, "test": 0}
    for i in range(4000):
        story = world.build(rng, 3 + i % 6, 0.4)
        count[split_of(world._core(story, 0, len(story.spine)), *world.reserved)] += 1
    assert 0.01 < count["dev"] / 4000 < 0.03 and 0.01 < count["test"] / 4000 < 0.03


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from(["stories", "sums"]), st.integers(1, 8))
def test_other_names_things_and_idle_people_keep_the_canonical_form(seed, name, depth):
    world, rng = WORLDS[name], random.Random(seed)
    problem = world.problem(rng, depth)
    story = problem.data[0]
    told = world._told(story, random.Random(seed + 1), depth)
    assert told.prompt != problem.prompt and world.canonical(told) == world.canonical(problem)
    moved = world._told(with_stranger(story, rng), rng, depth)
    assert world.canonical(moved) == world.canonical(problem)


def with_stranger(story: Story, rng) -> Story:
    """The same story about the same people, numbered anew, and one more whom nobody needs."""
    people = list(range(story.people + 1))
    rng.shuffle(people)

    def moved(ref):
        return Ref(True, ref.at + 1) if ref and ref.node else ref

    nodes = [Node(people[-1], "given", None, None, 7)]
    for n in story.nodes:
        nodes.append(Node(people[n.person], n.op, moved(n.left), moved(n.right), n.value))
    lines = [
        line._replace(x=people[line.x], a=_of(people, line.a), b=_of(people, line.b))
        for line in story.lines
    ]
    spine = tuple(at + 1 for at in story.spine)
    return Story(tuple(nodes), spine, tuple(lines), people[story.asked], len(people))


def _of(people, who):
    return people[who] if who >= 0 else who


def test_two_steps_on_the_same_numbers_in_another_wording_are_one_problem():
    def chain(first, second):
        nodes = (
            Node(0, "given", None, None, 12),
            Node(1, "+", Ref(True, 0), Ref(False, 7), 19),
            Node(2, "*", Ref(True, 1), Ref(False, 2), 38),
        )
        return Story(nodes, (1, 2), (first, second), 2, 3)

    one, two = chain("events", "relations"), chain("relations", "events")
    world = WORLDS["stories"]
    assert world._core(one, 0, 2) == world._core(two, 0, 2) == "stories|0:12|#7+n0|#2*n1"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.integers(3, 6))
def test_countdown_order_is_no_new_problem(seed, difficulty):
    world, rng = Countdown(), random.Random(seed)
    problem = world.problem(rng, difficulty)
    numbers, target = problem.data
    other = make_problem(rng.sample(numbers, len(numbers)), target)
    assert world.canonical(other) == world.canonical(problem)
    assert split_of_state(*other.data) == split_of_state(*problem.data)


def test_countdown_training_text_passes_no_reserved_state():
    """Read from the printed steps alone; `worked` and `solution` both."""
    world, rng = Countdown(), random.Random(15)
    for i in range(2000):
        problem, steps, _ = world.worked(rng, 3 + i % 4)
        if i % 10 == 0:
            problem = world.problem(rng, 4)
            steps, _ = world.solution(problem, rng)
        target = problem.data[1]
        states = [problem.data[0]]
        states += [tuple(map(int, MOVE.fullmatch(step)[5].split())) for step in steps]
        assert {split_of_state(s, target) for s in states if len(s) > 2} == {"train"}
