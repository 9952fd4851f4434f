"""A board of small training figures that move together. Leaves out single figures (`widgets`)."""

import time
from collections.abc import Mapping, Sequence

from o1lab.show import series as read
from o1lab.show import widgets
from o1lab.show.theme import COLOURS, DASHES, theme

COLUMNS = 3
HEIGHT = 185  # pixels of a row


class LiveBoard:
    """Small figures side by side, a line or two in each: `add` a record while a run goes on.

        with LiveBoard(PANELS, x="step", x_title="iteration", title="A run") as board:
            ppo(..., on_record=board.add)

    panels: {title: {name of a line: key in the record}}; a value that a record lacks is passed
    over, so that rare ones may stand beside frequent ones. At the end a plain figure takes the
    board's place, as with `LiveCurve`; headless that is all. ValueError for no panels.
    """

    def __init__(
        self, panels: Mapping[str, Mapping[str, str]], x: str, x_title: str, title: str = ""
    ):
        if not panels or not all(panels.values()):
            raise ValueError("no panels: give {title: {name of a line: key in the record}}")
        self.panels, self.x, self.x_title, self.title = panels, x, x_title, title
        self.keys = [key for lines in panels.values() for key in lines.values()]
        self.points: list[list[tuple[float, float]]] = [[] for _ in self.keys]
        self._live, self._place, self._drawn = None, None, 0.0

    def __enter__(self) -> "LiveBoard":
        if widgets._widgets() is not None:
            self._live = widgets.moving(self._empty())
        if self._live is not None:
            self._place = widgets._display(self._live)
        return self

    def add(self, record: Mapping) -> None:
        """A point more in every line whose value the record holds; KeyError without x."""
        for row, key in zip(self.points, self.keys, strict=True):
            if not read.missing(record.get(key)):
                row.append((record[self.x], record[key]))
        if self._live is not None and time.monotonic() - self._drawn > widgets.PAUSE:
            with self._live.batch_update():
                _fill(self._live, self.points)
            self._drawn = time.monotonic()

    def figure(self):
        """The points so far as a plain figure. ValueError while there are none."""
        if not any(self.points):
            raise ValueError("no points yet: call add(record) first")
        fig = self._empty()
        _fill(fig, self.points)
        names = [f"{title}: {name}" if len(lines) > 1 else title
                 for title, lines in self.panels.items() for name in lines]  # fmt: skip
        fig.update_layout(meta=_explained(names, self.points, self.x_title))
        return fig

    def _empty(self):
        """The panels with their lines and no point in them."""
        import plotly.graph_objects as go
        from plotly.subplots import make_subplots

        rows = -(-len(self.panels) // COLUMNS)
        heads = [_head(title, list(lines)) for title, lines in self.panels.items()]
        fig = make_subplots(rows, COLUMNS, subplot_titles=heads, vertical_spacing=0.36 / rows,
                            horizontal_spacing=0.08)  # fmt: skip
        for place, (title, lines) in enumerate(self.panels.items()):
            at = {"row": place // COLUMNS + 1, "col": place % COLUMNS + 1}
            for i, name in enumerate(lines):
                look = {"color": COLOURS[i % 4], "dash": DASHES[i % 4]}
                label = name if len(lines) > 1 else title
                fig.add_trace(go.Scatter(x=[], y=[], name=label, mode="lines+markers",
                                         line=look, marker={"size": 4}), **at)  # fmt: skip
            last = place + COLUMNS >= len(self.panels)
            fig.update_xaxes(title_text=self.x_title if last else None, **at)
        fig.update_xaxes(tickfont_size=12, title_font_size=13, nticks=5)
        fig.update_yaxes(tickfont_size=12, nticks=5, rangemode="tozero")
        fig.update_annotations(font_size=14)
        return fig.update_layout(template=theme(), height=HEIGHT * rows + 90, showlegend=False,
                                 title_text=self.title, margin={"t": 80, "l": 48})  # fmt: skip

    def __exit__(self, *failure) -> None:
        if self._live is not None:
            widgets._take_away(self._live, self._place)
            self._live = None
        if any(self.points):
            widgets._show(self.figure())


def _head(title: str, names: Sequence[str]) -> str:
    """A panel's title, its lines named in their colours where there are several."""
    if len(names) == 1:
        return title
    inks = [f'<span style="color:{COLOURS[i % 4]}">{name}</span>' for i, name in enumerate(names)]
    return f"{title}: {', '.join(inks)}"


def _fill(fig, points: Sequence[Sequence[tuple[float, float]]]) -> None:
    for trace, row in zip(fig.data, points, strict=True):
        trace.x = [x for x, _ in row]
        trace.y = [y for _, y in row]


def _explained(names: Sequence[str], points, x_title: str) -> dict:
    """The sentence and the table that `show` puts under the figure."""
    ends = [
        (name, read.number(row[0][1], False), read.number(row[-1][1], False), len(row))
        for name, row in zip(names, points, strict=True)
        if row
    ]
    words = "; ".join(f"{name} from {first} to {last}" for name, first, last, _ in ends)
    table = [["", "first", "last", "points"], *[list(map(str, row)) for row in ends]]
    return {"alt": f"A board of small line charts over the {x_title}. {words}.", "table": table}
