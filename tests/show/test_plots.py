"""Figures hold what they were given and say it in words; headless controls draw one figure."""

import pytest

from o1lab.show.canvas import REACH
from o1lab.show.plots import At, bars, curve, heat, learning_curve
from o1lab.show.series import spread
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
    assert grid.data[0].zmin == 0 and grid.data[0].zmax == 0.9, "colours go as far as the data"


def words(fig):
    return [note.text for note in fig.layout.annotations]


def test_a_guessed_place_is_a_vertical_line_that_says_its_x():
    fig = curve([1, 2, 4], {"ours": [0.9, 0.5, 0.1]}, **AXES, guess=At(2.5), log_x=True)
    (line,) = fig.layout.shapes
    assert line.x0 == line.x1 == 2.5 and "your guess, 2.5" in words(fig)
    assert "your guess: steps 2.5." in fig.layout.meta["alt"]
    assert fig.layout.meta["table"][0] == ["steps", "ours"]


@pytest.mark.parametrize("guess", [None, At(None), (8, None), [None, None], {"mine": None}])
def test_no_guess_draws_nothing(guess):
    fig = curve([1, 8], {"ours": [0.9, 0.5]}, **AXES, guess=guess)
    assert words(fig) == ["ours"] and not fig.layout.shapes


def test_guesses_stand_across_their_bars_with_their_values():
    fig = bars(["a", "b"], {"ours": [0.9, 0.5]}, **AXES, guess=[None, 0.35])
    line = next(trace for trace in fig.data if trace.name == "your guess")
    assert list(line.x) == [1 - REACH, 1 + REACH, None] and list(line.y) == [0.35, 0.35, None]
    assert "your guess, 35%" in words(fig)
    assert "your guess: 35%." in fig.layout.meta["alt"]
    two = bars(["a", "b"], {"ours": [0.9, 0.5]}, **AXES, guess=[0.8, 0.35])
    assert {"80%", "35%", "your guess"} <= set(words(two))


def test_labels_stand_in_the_margin_and_are_tied_to_their_lines():
    lines = {"a line": [0.1, 0.50], "another line": [0.2, 0.51]}
    fig = curve([1, 2], lines, **AXES, guess=(1, 0.9))
    notes = {note.text: note for note in fig.layout.annotations}
    assert all(note.xref == "paper" and note.x == 1 for note in notes.values())
    assert [notes[name].y for name in lines] == [0.50, 0.51], "each begins at its line's end"
    assert abs(notes["a line"].ay - notes["another line"].ay) >= 15, "and none hides another"
    assert notes["✕ your guess, 90%"].ay == 0


def test_labels_make_room_to_both_sides():
    assert spread([10, 12, 90], [20, 20, 20], 0, 100) == [10, 30, 90]
    assert spread([50, 50], [20, 20], 0, 100) == [40, 60]
    assert spread([95, 99], [20, 20], 0, 100) == [70, 90]


def test_a_value_stands_clear_of_the_levels_that_would_cross_it():
    fig = bars(["a", "b"], {"ours": [0.9, 0.03]}, **AXES, floor={"script": 0.05, "far": 0.5})
    places = {note.text: note.y for note in fig.layout.annotations}
    assert places["90%"] == 0.9 and places["3%"] == 0.05


def test_a_name_can_keep_its_look():
    def colours(names, looks):
        fig = curve([1, 2], {name: [0.1, 0.2] for name in names}, **AXES, looks=looks)
        return {trace.name: (trace.line.color, trace.line.dash) for trace in fig.data}

    looks = {"direct": 1, "thinks": 0, "direct, deep": 5}
    one, two = (
        colours(["thinks", "direct"], looks),
        colours(["new", "direct", "direct, deep"], looks),
    )
    assert one["direct"] == two["direct"] and two["new"] not in (two["direct"], one["direct"])
    assert two["direct"][0] == two["direct, deep"][0], "the same colour"
    assert two["direct"][1] != two["direct, deep"][1], "another dash"


def test_several_values_of_one_run_or_several_runs_of_one_value():
    rows = [{"tokens": i, "loss": 5 - i, "dev": 6 - i} for i in range(5)]
    names = {t.name for t in learning_curve(rows, y=("loss", "dev")).data}
    assert {"loss", "dev"} <= names
    assert "seed 1" in {t.name for t in learning_curve({"seed 0": rows, "seed 1": rows}).data}
    with pytest.raises(ValueError, match="one value a figure"):
        learning_curve({"seed 0": rows}, y=("loss", "dev"))


def test_a_legend_of_long_names_gets_the_rows_it_needs():
    names = ("any of them", "majority", "vote weighted by the PRM", "PRM", "ORM", "a coin a text")
    long = curve([1, 2], {n: [0.1, 0.2] for n in names}, x_title="N", y_title="solved")
    short = curve([1, 2], {n: [0.1, 0.2] for n in "abcdef"}, x_title="N", y_title="solved")
    assert long.layout.margin.t == short.layout.margin.t + 40, "three rows, not one"
    assert long.layout.height - long.layout.margin.t == short.layout.height - short.layout.margin.t


def test_what_lies_below_zero_is_not_cut_at_the_edge():
    figure = curve([1, 2], {"gain": [-0.3, -0.1]}, x_title="N", y_title="gain")
    assert figure.layout.yaxis.range[0] < -0.3
