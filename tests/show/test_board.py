"""The board: every panel takes what it knows of a record; live it moves, then makes way."""

import pytest

from o1lab.rl.metrics import PANELS
from o1lab.show import widgets
from o1lab.show.board import LiveBoard

TWO = {"reward": {"paid": "proxy", "wanted": "true"}, "held out": {"right": "pass@1"}}
ROWS = ({"step": 0, "pass@1": 0.5}, {"step": 1, "proxy": 1.0, "true": 0.4, "pass@1": None})


def test_a_board_without_a_screen_is_a_plain_figure(capsys):
    with LiveBoard(TWO, x="step", x_title="iteration") as board:
        for row in ROWS:
            board.add(row)
    figure = board.figure()
    assert [(t.name, tuple(t.x)) for t in figure.data] == [
        ("paid", (1,)), ("wanted", (1,)), ("held out", (0,)),
    ]  # fmt: skip
    heads = [a.text for a in figure.layout.annotations]
    assert "paid" in heads[0] and "wanted" in heads[0] and heads[1] == "held out"
    out = capsys.readouterr().out
    assert "reward: paid from 1" in out and "held out from 0.5" in out


def test_nothing_to_show_is_said():
    with pytest.raises(ValueError, match="no panels"):
        LiveBoard({}, x="step", x_title="iteration")
    with LiveBoard(TWO, x="step", x_title="iteration") as board:
        pass
    with pytest.raises(ValueError, match="no points"):
        board.figure()


def test_a_live_board_moves_and_makes_way(monkeypatch, capsys):
    pytest.importorskip("anywidget")
    shown, taken = [], []
    monkeypatch.setattr(widgets, "_widgets", lambda: True)
    monkeypatch.setattr(widgets, "_display", shown.append)
    monkeypatch.setattr(widgets, "_take_away", lambda live, place: taken.append(live))
    monkeypatch.setattr(widgets, "PAUSE", 0.0)
    with LiveBoard(PANELS, x="step", x_title="iteration") as board:
        board.add({"step": 1, "kl": 0.1, "length": 40.0})
        (live,) = shown
        drawn = {trace.name: tuple(trace.y) for trace in live.data}
        assert drawn["KL, nats a rollout"] == (0.1,) and drawn["tokens of a rollout"] == (40.0,)
    assert taken == [live] and "KL" in capsys.readouterr().out
