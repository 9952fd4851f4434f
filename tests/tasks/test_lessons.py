"""The lessons' difficulties and their held-out problems."""

import pytest

from o1lab.tasks.lessons import exam, lesson


@pytest.mark.parametrize("world", ["stories", "countdown"])
def test_exam_problems_are_distinct_held_out_and_repeatable(world):
    task, difficulty = lesson(world)
    asked = exam(world, 20)
    assert [p.prompt for p in asked[:5]] == [p.prompt for p in exam(world, 5)]
    assert len({task.canonical(p) for p in asked}) == 20
    assert {p.difficulty for p in asked} == {difficulty}


def test_a_split_too_small_for_the_exam_says_so():
    with pytest.raises(ValueError, match="ask for fewer"):
        exam("stories", 2000, difficulty=1)


def test_unknown_worlds_are_named():
    with pytest.raises(ValueError, match="countdown, stories"):
        lesson("chess")
