"""A control around a plot, nothing else: a plain figure first, and only that when headless.

What a control draws is a function of its value that can be tested without it.
"""

import time
from collections.abc import Callable, Sequence

from o1lab.lab import headless
from o1lab.show.theme import COLOURS, CONFIG, DASHES, show, theme
from o1lab.show.view import in_notebook, present

PAUSE = 0.2  # seconds between two redrawings of a live figure


def slider(draw: Callable, values: Sequence, label: str = "value", start=None) -> None:
    """A slider over `values`: draw(value) gives a Figure or a View, drawn at its first showing.

    start: the value shown first, default the first one. Headless, without ipywidgets or outside
    a notebook it shows draw(start) and stops. ValueError if start is not one of the values.
    """
    _slider(draw, list(values), label, start, ahead=False)


def dial(draw: Callable, values: Sequence[int], unit: str = "thoughts", start=None) -> None:
    """A slider for thinking time whose every picture is drawn before, so that it turns freely.

    Takes what `slider` takes; unit: what a value counts.
    """
    _slider(draw, list(values), f"thinking time ({unit})", start, ahead=True)


def _slider(draw: Callable, values: list, label: str, start, ahead: bool) -> None:
    if not values:
        raise ValueError(f"{label!r} has no values to choose from: give at least one")
    start = values[0] if start is None else start
    if start not in values:
        raise ValueError(f"start {start!r} is not one of {values}")
    drawn = {start: draw(start)}  # outside any widget, where an error stops the cell
    widgets = _widgets()
    if widgets is None:
        return _show(drawn[start])
    if ahead:
        drawn |= {value: draw(value) for value in values if value != start}

    def turn(value) -> None:
        if value not in drawn:
            drawn[value] = draw(value)
        _show(drawn[value])

    control = _control(widgets, values, label, start)
    _display(widgets.VBox([control, widgets.interactive_output(turn, {"value": control})]))


def _control(widgets, values: list, label: str, start):
    """The slider itself; it reports where it is let go, not on its way there."""
    return widgets.SelectionSlider(
        options=values,
        value=start,
        description=f"{label}\u2003",  # the wide space leaves room for the handle
        tooltip=label,
        continuous_update=False,
        style={"description_width": "initial"},
        layout={"width": "min(520px, 95%)"},
    )


def _widgets():
    """ipywidgets where controls can work, else None."""
    if headless() or not in_notebook():
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    return ipywidgets


def _show(drawn) -> None:
    """A Figure with its caption, or a View."""
    if hasattr(drawn, "to_plotly_json"):
        show(drawn)
    else:
        present(drawn)


def _display(widget):
    """Show a widget; its handle can take it away again."""
    from IPython.display import display

    return display(widget, display_id=True)


class LiveCurve:
    """A training figure that moves: `add` a point to a named line while a run goes on.

        with LiveCurve("loss", x_title="tokens", y_title="loss (nats)") as live:
            train(..., on_record=lambda r: live.add(r["tokens"], r["loss"]))

    At the end one plain figure takes its place, so that a saved notebook stays small; headless,
    or where plotly has no widget, that is all.
    """

    def __init__(
        self, *lines: str, x_title: str, y_title: str, title: str = "", percent: bool = False
    ):
        self.lines = lines or (y_title,)
        self.points: dict[str, list[tuple[float, float]]] = {name: [] for name in self.lines}
        self.titles = {"x_title": x_title, "y_title": y_title, "title": title}
        self.percent, self._live, self._place, self._drawn = percent, None, None, 0.0

    def __enter__(self) -> "LiveCurve":
        if _widgets() is not None:
            self._live = _moving(self.lines, self.titles, self.percent)
        if self._live is not None:
            self._place = _display(self._live)
        return self

    def add(self, x: float, y: float, line: str | None = None) -> None:
        """One point more; `line` names which, default the first. ValueError for another name."""
        name = line or self.lines[0]
        if name not in self.points:
            raise ValueError(f"no line {name!r}: this figure has {', '.join(self.lines)}")
        self.points[name].append((x, y))
        if self._live is not None and time.monotonic() - self._drawn > PAUSE:
            self._redraw()

    def _redraw(self) -> None:
        with self._live.batch_update():
            for trace, name in zip(self._live.data, self.lines, strict=True):
                trace.x = [x for x, _ in self.points[name]]
                trace.y = [y for _, y in self.points[name]]
        self._drawn = time.monotonic()

    def figure(self):
        """The points so far as a plain figure. ValueError while there are none."""
        from o1lab.show.plots import curve

        if not any(self.points.values()):
            raise ValueError("no points yet: call add(x, y) first")
        known = {name: dict(row) for name, row in self.points.items() if row}
        xs = sorted({x for row in known.values() for x in row})
        series = {name: [row.get(x) for x in xs] for name, row in known.items()}
        return curve(xs, series, percent=self.percent, **self.titles)

    def __exit__(self, *failure) -> None:
        if self._live is not None:
            _take_away(self._live, self._place)
            self._live = None
        if any(self.points.values()):
            _show(self.figure())


def _take_away(live, place) -> None:
    """Empty the place of a live figure and forget its state, 5 MB in a saved notebook."""
    from IPython.display import HTML

    if place is not None:
        place.update(HTML(""))
    live.close()


def _moving(lines: Sequence[str], titles: dict, percent: bool):
    """An empty FigureWidget with those lines, or None where plotly cannot make one.

    It is complete from the start: what is added while a browser still loads it gets lost.
    """
    import plotly.graph_objects as go

    looks = [{"color": COLOURS[i % 4], "dash": DASHES[i % 4]} for i in range(len(lines))]
    traces = [
        go.Scatter(x=[], y=[], name=name, mode="lines", line=look)
        for name, look in zip(lines, looks, strict=True)
    ]
    layout = go.Layout(template=theme(), height=400, title_text=titles["title"])
    layout.update(showlegend=len(lines) > 1, xaxis_title_text=titles["x_title"])
    layout.yaxis.update(title_text=titles["y_title"])
    if percent:
        layout.yaxis.update(tickformat=".0%", range=[0, 1.03])
    return moving(go.Figure(traces, layout))


def moving(figure):
    """The figure as a widget that can change, or None where plotly cannot make one."""
    import plotly.graph_objects as go

    try:
        live = go.FigureWidget(figure)
    except ImportError:
        return None
    live._config = live._config | CONFIG
    return live
