"""Tests of o1lab/tasks/story_baselines.py: guesses score little, and so does reading the verbs."""

import random
from collections import Counter

import pytest

from o1lab.tasks.base import Problem
from o1lab.tasks.lessons import exam, lesson
from o1lab.tasks.stories import Stories, Sums
from o1lab.tasks.story_baselines import (
    SCRIPTS,
    answer_chance,
    answer_guess,
    constant_guess,
    floors,
    number_chance,
    number_guess,
    printed,
    rates,
    verb_script,
)
from o1lab.tasks.story_world import Line, Story


def told(*lines):
    story = Story((), (), lines, 0, 3)
    return Problem("stories", "Bob has 12 pens. Ann has 7 more pens than Bob.\n", "19", 1,
                   (story, ("Ann", "Bob", "Cal"), "pens"))  # fmt: skip


GIVEN = Line("given", 0, c=12)


def test_the_script_reads_verbs_in_order_and_no_names():
    lines = (GIVEN, Line("more", 1, 0, c=7), Line("double", 2), Line("lose", 1, c=8))
    assert verb_script()(told(*lines)) == "30"
    assert verb_script()(told(GIVEN, Line("give", 1, 2, c=5))) == "17"
    assert verb_script(moved=-1)(told(GIVEN, Line("give", 1, 2, c=5))) == "7"
    assert verb_script(moved=0)(told(GIVEN, Line("give", 1, 2, c=5))) == "12"
    assert verb_script()(told(GIVEN, Line("swap", 0, 1), Line("match", 0, 1))) == "12"


def test_the_script_steps_over_what_cannot_be():
    assert verb_script()(told(GIVEN, Line("fewer", 1, 0, c=20))) == "12"
    assert verb_script()(told(Line("given", 0, c=13), Line("halve", 0))) == "13"


def test_where_the_script_starts():
    lines = (GIVEN, Line("given", 1, c=40), Line("given", 2, c=30))
    starts = [verb_script(start)(told(*lines)) for start in ("first", "last", "largest")]
    assert starts == ["12", "30", "40"]


def test_a_script_solves_what_needs_no_people():
    assert verb_script()(told(GIVEN, Line("more", 1, 0, c=7))) == "19"


def test_guesses_by_hand():
    problems = [Problem("stories", "12 and 7 and 12\n", answer, 1) for answer in ("5", "5", "12")]
    assert constant_guess(problems)(problems[2]) == "5"
    assert printed(problems[0]) == ["12", "7", "12"]
    assert number_chance(problems[2]) == 2 / 3 and number_chance(problems[0]) == 0
    assert answer_chance(problems)(problems[0]) == 2 / 3


@pytest.mark.parametrize("world", [Stories(), Sums()])
def test_exact_chances_are_what_guessing_scores(world):
    rng = random.Random(0)
    seen = [world.problem(rng, 2) for _ in range(300)]
    problem = max(seen, key=lambda p: number_chance(p))
    for guess, chance in (
        (number_guess(rng), number_chance(problem)),
        (answer_guess(seen, rng), answer_chance(seen)(problem)),
    ):
        hits = Counter(guess(problem) for _ in range(4000))[problem.answer]
        assert abs(hits / 4000 - chance) < 0.04


def test_the_lesson_has_depth_three():
    assert lesson("stories")[1] == 3, "the next test bounds what is solved blindly at that depth"


@pytest.mark.parametrize(("depth", "most"), [(3, 0.25), *((depth, 0.10) for depth in range(4, 9))])
def test_ignoring_who_and_what_solves_at_most_a_quarter(depth, most):
    """Every reading of every script, at the lesson's depth and at deeper ones."""
    found = rates(Stories(), depth, 500, seed=depth, split="train")
    assert found["script"] <= most
    assert max(found["constant"], found["number in the story"], found["answer of another"]) < 0.05


def test_the_floors_of_given_problems():
    asked = exam("stories", 60)
    found = floors(Stories(), asked, count=100)
    assert found == floors(Stories(), asked, count=100)
    guess, script = found["guessing"], found["ignoring who and what"]
    assert guess >= sum(map(number_chance, asked)) / 60 and 0 < guess < 0.1
    best = max(sum(p.answer == script(p) for p in asked) for script in SCRIPTS.values())
    assert script == best / 60


def test_rates_are_shares_and_repeatable():
    one, two = (rates(Stories(), 2, 40, seed=3, split="train") for _ in range(2))
    assert one == two and one["script reads"] in SCRIPTS
    shares = [v for k, v in one.items() if k not in ("depth", "problems", "script reads")]
    assert all(0 <= share <= 1 for share in shares)
