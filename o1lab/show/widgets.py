"""A control around a plot, nothing else: the plain figure first, and only that when headless.

What a control draws is a function of its value that can be tested without it.
"""

from collections.abc import Callable, Sequence

from o1lab.lab import headless
from o1lab.show.theme import CONFIG, show
from o1lab.show.view import in_notebook, present


def slider(draw: Callable, values: Sequence, label: str = "value", start=None) -> None:
    """A slider over `values`; draw(value) gives a Figure or a View, shown anew at every stop.

    start: the first value shown, default the first of `values`. Headless, without ipywidgets or
    outside a notebook it shows draw(start) and stops. ValueError if start is not a value.
    """
    values = list(values)
    start = values[0] if start is None else start
    if start not in values:
        raise ValueError(f"start {start!r} is not one of {values}")
    widgets = _widgets()
    if widgets is None:
        return _show(draw(start))
    known = {value: draw(value) for value in values}
    control = widgets.SelectionSlider(
        options=values, value=start, description=label, continuous_update=False,
        style={"description_width": "initial"}, layout={"width": "420px"},
    )  # fmt: skip
    shown = widgets.interactive_output(lambda value: _show(known[value]), {"value": control})
    present_widget(widgets.VBox([control, shown]))


def dial(draw: Callable, values: Sequence[int], unit: str = "thoughts", start=None) -> None:
    """A slider for thinking time: as `slider`, named by its unit."""
    slider(draw, values, f"thinking time, {unit}", start)


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
    if hasattr(drawn, "to_plotly_json"):
        show(drawn)
    else:
        present(drawn)


def present_widget(widget) -> None:
    from IPython.display import display

    display(widget)


class LiveCurve:
    """A training figure that moves: `add` a point to a named line while a run goes on.

        with LiveCurve("loss", x_title="tokens", y_title="loss (nats)") as live:
            train(..., on_record=lambda r: live.add(r["tokens"], r["loss"]))

    Headless it draws one plain figure at the end. The lines are fixed at the start.
    """

    def __init__(self, *lines: str, x_title: str, y_title: str, title: str = "", percent=False):
        self.lines = lines or ("value",)
        self.points: dict[str, list[tuple[float, float]]] = {name: [] for name in self.lines}
        self.titles = {"x_title": x_title, "y_title": y_title, "title": title}
        self.percent, self.live = percent, None

    def __enter__(self) -> "LiveCurve":
        if _widgets() is not None:
            self.live = self._moving()
        return self

    def _moving(self):
        """A FigureWidget, or None where plotly cannot make one."""
        import plotly.graph_objects as go

        from o1lab.show.theme import COLOURS, DASHES, theme

        try:
            live = go.FigureWidget(layout={"template": theme(), "height": 380})
        except ImportError:
            return None
        for i, name in enumerate(self.lines):
            line = {"color": COLOURS[i % 4], "dash": DASHES[i % 4], "width": 2.5}
            live.add_scatter(x=[], y=[], name=name, mode="lines+markers", line=line)
        live.update_layout(title_text=self.titles["title"], showlegend=len(self.lines) > 1)
        live.update_xaxes(title_text=self.titles["x_title"])
        live.update_yaxes(title_text=self.titles["y_title"])
        if self.percent:
            live.update_yaxes(tickformat=".0%", range=[0, 1.03])
        live._config = live._config | CONFIG
        present_widget(live)
        return live

    def add(self, x: float, y: float, line: str | None = None) -> None:
        """One point more; `line` names which, default the first."""
        name = line or self.lines[0]
        self.points[name].append((x, y))
        if self.live is not None:
            i = self.lines.index(name)
            xs, ys = zip(*self.points[name], strict=True)
            with self.live.batch_update():
                self.live.data[i].x, self.live.data[i].y = xs, ys

    def figure(self):
        """The points so far as a plain figure."""
        from o1lab.show.plots import curve

        xs = sorted({x for row in self.points.values() for x, _ in row})
        series = {}
        for name, row in self.points.items():
            known = dict(row)
            if row:
                series[name] = [known.get(x) for x in xs]
        return curve(xs, series, percent=self.percent, **self.titles)

    def __exit__(self, *failure) -> None:
        if self.live is None and any(self.points.values()):
            _show(self.figure())
