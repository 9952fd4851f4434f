"""Figures hold what they were given and say it in words; headless controls draw one figure."""

import pytest

from o1lab.show.plots import bars, curve, heat, learning_curve
from o1lab.show.theme import caption

AXES = {"x_title": "steps", "y_title": "solved"}
LINE = ([0.9, 0.5], [0.8, 0.4], [0.95, 0.6])


@pytest.mark.parametrize("draw", [curve, bars])
def test_lines_intervals_and_drawn_numbers(draw):
    fig = draw([1, 2], {"ours": LINE}, **AXES, published={"o1": 0.74}, guess=[0.5, 0.5], floor=0.1)
    names = [trace.name for trace in fig.data]
    assert "ours" in names and "your guess" in names
    ours = "ours: 90% to 50%" if draw is curve else "ours: 90%, 50%"
    assert ours in fig.layout.meta["alt"] and "o1: 74%" in fig.layout.meta["alt"]
    assert fig.layout.meta["table"][1][1] == "90% (80% to 95%)"
    assert fig.layout.xaxis.title.text == "steps" and fig.layout.yaxis.title.text == "solved"
    assert "the numbers" in caption(fig).html


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="ours has 1 values for 2"):
        curve([1, 2], {"ours": [0.5]}, **AXES)
    with pytest.raises(ValueError, match="no series"):
        curve([1, 2], {}, **AXES)
    with pytest.raises(ValueError, match="look at records"):
        learning_curve([{"loss": 1}], x="tokens")


def test_learning_curves_and_heat_maps():
    fig = learning_curve([{"tokens": i, "loss": 5 - i} for i in range(5)], title="falls")
    assert fig.layout.title.text == "falls"
    grid = heat([[0.1, 0.9]], [1, 2], ["a"], x_title="x", y_title="y", z_title="z")
    assert "10% to 90%" in grid.layout.meta["alt"]


def test_several_values_of_one_run_or_several_runs_of_one_value():
    rows = [{"tokens": i, "loss": 5 - i, "dev": 6 - i} for i in range(5)]
    names = {t.name for t in learning_curve(rows, y=("loss", "dev")).data}
    assert {"loss", "dev"} <= names
    assert "seed 1" in {t.name for t in learning_curve({"seed 0": rows, "seed 1": rows}).data}
    with pytest.raises(ValueError, match="one value a figure"):
        learning_curve({"seed 0": rows}, y=("loss", "dev"))
