"""Controls: one plain figure where there is no screen; with one, each picture drawn when due."""

import pytest

from o1lab.show import widgets
from o1lab.show.view import View


class Pen:
    """A drawing function that remembers what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, value):
        self.asked.append(value)
        return View(f"<b>{value}</b>", f"value {value}")


@pytest.fixture
def screen(monkeypatch):
    """ipywidgets as in a notebook; gives the list of what was displayed."""
    shown = []
    monkeypatch.setattr(widgets, "_widgets", lambda: pytest.importorskip("ipywidgets"))
    monkeypatch.setattr(widgets, "_display", shown.append)
    return shown


def test_headless_controls_draw_once(capsys):
    pen = Pen()
    widgets.slider(pen, [1, 2, 3], start=2)
    widgets.dial(pen, [1, 2])
    assert pen.asked == [2, 1] and capsys.readouterr().out == "value 2\nvalue 1\n"


def test_wrong_settings_are_named():
    with pytest.raises(ValueError, match="not one of"):
        widgets.slider(Pen(), [1, 2], start=9)
    with pytest.raises(ValueError, match="no values"):
        widgets.dial(Pen(), [])


def test_headless_asks_for_no_widget(monkeypatch):
    monkeypatch.setattr(widgets, "in_notebook", lambda: True)
    assert widgets._widgets() is None
    monkeypatch.delenv("O1LAB_HEADLESS")
    assert widgets._widgets() is not None
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    assert widgets._widgets() is None


def test_a_slider_draws_each_picture_once_when_it_is_due(screen):
    pen = Pen()
    widgets.slider(pen, [1, 2, 3], label="temperature", start=2)
    control = screen[0].children[0]
    assert pen.asked == [2] and control.tooltip == "temperature"
    assert control.description == "temperature\u2003", "room between the label and the handle"
    assert control.continuous_update is False
    for value in (3, 2, 3):
        control.value = value
    assert pen.asked == [2, 3]


def test_a_dial_draws_everything_before(screen):
    pen = Pen()
    widgets.dial(pen, [1, 2, 4], unit="thoughts")
    assert pen.asked == [1, 2, 4] and "thoughts" in screen[0].children[0].description


def test_an_error_in_the_first_picture_stops_the_cell(screen):
    def broken(value):
        raise RuntimeError("no such value")

    with pytest.raises(RuntimeError):
        widgets.slider(broken, [1, 2])
    assert screen == []


def points(live):
    live.add(1, 3.0)
    live.add(2, 2.0)
    live.add(2, 5.0, "b")


def test_a_live_curve_without_a_screen_is_a_plain_figure(capsys):
    with widgets.LiveCurve("a", "b", x_title="tokens", y_title="loss") as live:
        points(live)
    assert {t.name for t in live.figure().data} >= {"a", "b"}
    assert "loss against tokens" in capsys.readouterr().out
    with pytest.raises(ValueError, match="this figure has a, b"):
        live.add(3, 1.0, "c")


def test_a_live_curve_moves_and_makes_way_for_a_plain_figure(screen, monkeypatch, capsys):
    pytest.importorskip("anywidget")
    monkeypatch.setattr(widgets, "PAUSE", 0.0)
    taken = []
    monkeypatch.setattr(widgets, "_take_away", lambda live, place: taken.append(live))
    with widgets.LiveCurve("a", "b", x_title="tokens", y_title="loss") as live:
        points(live)
        (figure,) = screen
        assert [tuple(t.x) for t in figure.data] == [(1, 2), (2,)]
        assert figure._config["showSendToCloud"] is False
        assert capsys.readouterr().out == "" and taken == []
    assert taken == [figure] and "loss against tokens" in capsys.readouterr().out


def test_a_live_curve_falls_back_where_plotly_has_no_widget(screen, monkeypatch, capsys):
    monkeypatch.setattr(widgets, "_moving", lambda *_: None)
    with widgets.LiveCurve(x_title="tokens", y_title="loss") as live:
        live.add(1, 2.0)
    assert screen == [] and "loss against tokens" in capsys.readouterr().out
    with widgets.LiveCurve(x_title="tokens", y_title="loss") as live:
        pass
    with pytest.raises(ValueError, match="no points"):
        live.figure()
