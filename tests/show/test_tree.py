"""The tree explorer: what it is given stands in the figure, at every simulation."""

import pytest

from o1lab.show.tree import explore, label, moment, places, tree
from o1lab.show.view import RED


def node(number, parent, text, prior=1.0, answer=None, **more):
    return {
        "id": number, "parent": parent, "text": text, "answer": answer, "prior": prior,
        "visits": 0, "q": 0.0, "value": 0.5, "ended": answer is not None, "chosen": False,
    } | more  # fmt: skip


RECORDS = {
    "prompt": "Make 7 from <3> 4.\n",
    "nodes": [
        node(0, None, "", chosen=True),
        node(1, 0, "<think>\n3 + 4 = 7 left 7", 0.3, chosen=True),
        node(2, 0, "<think>\n4 - 3 = 1 left 1", 0.7),
        node(3, 1, "</think>\n3 + 4", answer="3 + 4", chosen=True),
        node(4, 2, "1 1 1", ended=True),
    ],
    "paths": [[0, 2], [0, 2, 4], [0, 1], [0, 1, 3]],
    "values": [0.2, 0.0, 0.6, 1.0],
}


def texts(fig):
    return [note.text for note in fig.layout.annotations]


def test_counts_are_those_of_the_paths_so_far():
    early, late = moment(RECORDS, 2), moment(RECORDS, 4)
    assert [early[i].visits for i in range(5)] == [2, 0, 2, 0, 1]
    assert [late[i].visits for i in range(5)] == [4, 2, 2, 1, 1]
    assert early[2].q == pytest.approx(0.1) and early[1].q is None
    assert [early[i].shown for i in range(5)] == [True, True, True, False, True]
    assert late[0].size > late[1].size > late[3].size
    assert [late[i].kind for i in (0, 3, 4)] == ["step", "answer", "cut"]
    assert label(late[0]) == "start" and label(late[1]) == "3 + 4 = 7 left 7"


def test_a_leaf_has_a_row_and_the_likeliest_is_on_top():
    x, y = places(RECORDS["nodes"])
    assert x == {0: 0, 1: 1, 2: 1, 3: 2, 4: 2}
    assert y == {4: 0.0, 2: 0.0, 3: -1.0, 1: -1.0, 0: -0.5}


def test_the_figure_names_marks_and_tells():
    fig = tree(RECORDS, truth={1: True, 2: False})
    said = " ".join(texts(fig))
    assert "✓" in said and "✗" in said and "3 + 4 =<br>7 left 7" in said
    assert "&lt;3&gt;" in fig.layout.title.text and "after 4 simulations" in fig.layout.title.text
    chosen = [trace for trace in fig.data if trace.name == "chosen"]
    assert chosen[0].line.color == RED
    hover = " ".join(text for trace in fig.data for text in trace.hovertext or [])
    assert "N 2, Q 0.80" in hover and "prior 0.30" in hover and "dead" in hover
    assert "chosen answer 3 + 4" in fig.layout.meta["alt"]
    assert fig.layout.meta["table"][1][3] == "4"
    assert {"circle", "square", "diamond"} <= {t.marker.symbol for t in fig.data if t.marker.size}


def test_without_truth_nothing_is_given_away_and_a_moment_shows_its_simulation():
    fig = tree(RECORDS, at=2)
    assert not {"✓", "✗"} & set(texts(fig))
    names = [trace.name for trace in fig.data]
    assert "this simulation" in names and "chosen" not in names
    assert "after 2 of 4" in fig.layout.title.text
    assert fig.layout.height == tree(RECORDS).layout.height  # it does not jump


def test_before_the_first_simulation_only_the_start_is_there():
    spots = moment(RECORDS, 0)
    assert [spot.shown for spot in spots.values()] == [True, False, False, False, False]
    assert tree(RECORDS, at=0).layout.meta["alt"].startswith("Search tree after 0 simulations")


def test_long_texts_are_cut_and_a_wide_tree_names_what_matters():
    wide = [node(0, None, ""), *[node(i, 0, "word " * 30, 0.02) for i in range(1, 41)]]
    records = {"prompt": "p" * 200, "nodes": wide, "paths": [[0, 1], [0, 1]], "values": [1.0, 0.0]}
    fig = tree(records)
    assert len(texts(fig)) == 1 and texts(fig)[0].count("…") == 2
    assert len(fig.layout.title.text.split("<br>")[0]) < 90


def test_headless_the_explorer_is_one_figure(capsys):
    explore(RECORDS, truth={2: False})
    assert "Search tree after 4 simulations" in capsys.readouterr().out


def test_what_does_not_fit_is_named():
    with pytest.raises(ValueError, match="there are 4 simulations"):
        tree(RECORDS, at=5)
    with pytest.raises(ValueError, match="search first"):
        tree({"prompt": "", "nodes": [], "paths": [], "values": []})


def test_a_verified_answer_is_shown_in_the_end_though_nothing_visited_it():
    cut = RECORDS | {"paths": RECORDS["paths"][:2], "values": RECORDS["values"][:2]}
    assert moment(cut, 2)[3].shown and not moment(cut, 1)[3].shown
