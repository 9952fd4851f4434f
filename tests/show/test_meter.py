"""The meter: a bar a setting, the one that is set marked in more than colour."""

import pytest

from o1lab.show.meter import meter


def test_the_marked_bar_is_the_one_that_is_set():
    view = meter({1: 0.5, 16: 0.75}, 16, "thoughts")
    first, second = view.text.split("\n")
    assert "  1 thought " in first and "50%" in first and "◀" not in first
    assert "16 thoughts" in second and second.endswith("75% ◀") and second.count("█") == 15
    assert "width:90px" in view.html and "width:135px" in view.html


def test_a_setting_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="there are 1, 2"):
        meter({1: 0.5, 2: 0.6}, 3)
