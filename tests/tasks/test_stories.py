"""The world of serial reasoning: stories read like English, and every step is judged."""

import hashlib
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.model.tokens import UNKNOWN, build_tokenizer
from o1lab.tasks import task
from o1lab.tasks.base import Problem, Task, split_of, write_completion
from o1lab.tasks.stories import MAX_LINE, Stories, Sums
from o1lab.tasks.story_text import FORMS
from o1lab.tasks.story_world import Line, Node, Ref, Story

# Ann 12 given, Bob = Ann + 7, then Ann finds 3, then Bob gets as many as Ann; Cal is idle.
STORY = Story(
    nodes=(
        Node(0, "given", None, None, 12),
        Node(1, "+", Ref(True, 0), Ref(False, 7), 19),
        Node(2, "*", Ref(True, 1), Ref(False, 2), 38),
        Node(0, "+", Ref(True, 0), Ref(False, 3), 15),
        Node(1, "+", Ref(True, 1), Ref(True, 3), 34),
    ),
    spine=(1, 3, 4),
    lines=(Line("given", 0, c=12),),
    asked=1,
    people=3,
)
PROBLEM = Problem("stories", "?\n", "34", 3, (STORY, ("Ann", "Bob", "Cal"), "apples"))
RIGHT = [
    "Bob = Ann + 7 = 12 + 7 = 19", "Ann = Ann + 3 = 12 + 3 = 15", "Bob = Bob + Ann = 19 + 15 = 34",
]  # fmt: skip
WORLD = Stories()


def kinds(steps):
    return [v.kind for v in WORLD.verdicts(PROBLEM, steps)]


def test_right_steps_are_right_in_either_operand_order():
    assert kinds(RIGHT) == ["ok"] * 3
    assert kinds([*RIGHT[:2], "Bob = Ann + Bob = 15 + 19 = 34"]) == ["ok"] * 3


@pytest.mark.parametrize(
    ("steps", "kind"),
    [
        (["Bob = Ann + 7 = 12 + 7 = 18"], "arithmetic"),
        (["Bob = Ann + 8 = 12 + 8 = 20"], "wrong operand"),
        (["Bob = Cal + 7 = 12 + 7 = 19"], "wrong operand"),
        (["Bob = Ann + 7 = 13 + 7 = 20"], "wrong operand"),
        ([*RIGHT[:2], "Bob = Bob + Ann = 19 + 12 = 31"], "stale value"),
        ([RIGHT[0], "Bob = Bob + Ann = 19 + 15 = 34"], "not ready"),
        ([RIGHT[0], "Cal = Bob * 2 = 19 * 2 = 38"], "irrelevant"),
        ([RIGHT[0], RIGHT[0]], "wrong operand"),
        (["Bob is 19"], "malformed"),
        (["Bob = Ann + 7 = 12 - 7 = 5"], "malformed"),
    ],
)
def test_each_mistake_is_named(steps, kind):
    assert kinds(steps)[-1] == kind
    assert kind in WORLD.mistakes


def test_a_slip_is_one_wrong_step_when_used_rightly():
    steps = [
        "Bob = Ann + 7 = 12 + 7 = 18", RIGHT[1], "Bob = Bob + Ann = 18 + 15 = 33",
    ]  # fmt: skip
    assert kinds(steps) == ["arithmetic", "ok", "ok"]


@given(st.lists(st.text(max_size=200), max_size=80))
def test_hostile_steps_get_verdicts(steps):
    verdicts = WORLD.verdicts(PROBLEM, steps)
    assert len(verdicts) == len(steps) and not any(v.ok for v in verdicts)


def test_endless_and_unicode_steps_are_malformed():
    assert kinds(["Bob = Ann + 7 = 12 + 7 = 19" + " " * MAX_LINE]) == ["malformed"]
    assert kinds(["Bob = Ann + ٧ = 12 + ٧ = 19"]) == ["malformed"]
    assert WORLD.grade(PROBLEM, "34") and not WORLD.grade(PROBLEM, "٣٤")
    assert not WORLD.grade(PROBLEM, None)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 10), st.sampled_from(["stories", "sums"]))
def test_worked_solutions_are_right_and_round_trip(seed, depth, name):
    world, rng = task(name), random.Random(seed)
    problem, steps, answer = world.worked(rng, depth)
    assert isinstance(world, Task) and len(steps) == depth == problem.difficulty
    assert all(v.ok for v in world.verdicts(problem, steps)) and world.grade(problem, answer)
    text = problem.prompt + write_completion(steps, answer)
    tok = build_tokenizer()
    ids = tok.encode(text)
    assert tok.decode(ids) == text and tok.convert_tokens_to_ids(UNKNOWN) not in ids


def test_splits_are_disjoint_and_traces_pass_no_reserved_state():
    rng = random.Random(3)
    seen = {s: set() for s in ("train", "dev", "test")}
    for depth in (1, 3, 5):
        for split, found in seen.items():
            for _ in range(60):
                problem = WORLD.problem(rng, depth, split)
                found.add(WORLD.canonical(problem))
                if split == "train":
                    states = WORLD.states(problem.data[0])
                    assert {split_of(s, *WORLD.reserved) for s in states} <= {"train"}
    assert not seen["train"] & seen["test"] and not seen["dev"] & seen["test"]
    assert not seen["train"] & seen["dev"]


def test_canonical_ignores_names_and_distractors():
    nodes = (*STORY.nodes, Node(2, "+", Ref(True, 2), Ref(False, 5), 43))
    other = Story(nodes, STORY.spine, STORY.lines, STORY.asked, 3)
    renamed = Problem("stories", "!\n", "34", 3, (other, ("Zoe", "Tom", "Ida"), "keys"))
    assert WORLD.canonical(renamed) == WORLD.canonical(PROBLEM)


def test_distractors_are_between_a_third_and_a_half():
    rng, shares = random.Random(5), []
    for _ in range(300):
        story = WORLD.problem(rng, 5).data[0]
        shares.append(1 - 6 / len(story.lines))
    assert 0.3 <= sum(shares) / len(shares) <= 0.5


def test_english_has_at_least_forty_forms():
    assert sum(map(len, FORMS.values())) >= 40


def test_same_seed_same_problem():
    a, b = (WORLD.problem(random.Random(9), 4) for _ in range(2))
    assert a == b and a.prompt == b.prompt


def test_bad_input_says_what_to_do():
    with pytest.raises(ValueError, match="1 to 10"):
        WORLD.problem(random.Random(0), 11)
    with pytest.raises(ValueError, match="choose train"):
        WORLD.problem(random.Random(0), 2, "validation")
    with pytest.raises(ValueError, match="choose one of"):
        task("poems")


def test_sums_do_not_care_about_order():
    problem, steps, answer = Sums().worked(random.Random(2), 4)
    story = problem.data[0]
    start = story.nodes[story.nodes[story.spine[0]].left.at].value
    adds = [story.nodes[at].right.at for at in story.spine]
    assert int(answer) == start + sum(adds)


def test_problems_are_made_quickly():
    """The aim is 5,000 a second on a quiet core; a busy machine may be four times slower."""
    rng = random.Random(0)
    WORLD.problem(rng, 6)
    began = time.process_time()
    for _ in range(1000):
        WORLD.problem(rng, 6)
    assert 1000 / (time.process_time() - began) > 1250


def test_the_problems_of_a_seed_stay_what_they_are():
    """A faster generator must make the same problems: everything recorded is about them."""
    digest = hashlib.sha256()
    for depth in range(1, 11):
        rng = random.Random(f"fixed {depth}")
        for split, count in (("train", 40), ("test", 2)):
            digest.update(repr([WORLD.problem(rng, depth, split) for _ in range(count)]).encode())
    assert digest.hexdigest()[:16] == "b43ba5937a747f14"
