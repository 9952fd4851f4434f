"""The pieces figures are drawn from: lines, bands, bars, drawn-in numbers, labels at line ends.

Leaves out which figure is made of which pieces (`plots`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from o1lab.show import series as read
from o1lab.show.series import Drawn, Series
from o1lab.show.theme import COLOURS, DASHES, HATCHES, SYMBOLS, theme, tint
from o1lab.show.view import INK

HEIGHT, TOP, BOTTOM, LINE = 420, 56, 62, 18
MOVED = 4  # pixels by which a label may miss its line unseen
REACH = 0.42  # how far a line across a group of bars goes to either side of its middle
LEGEND = 600  # width of a legend in pixels, in a narrow notebook
DIRECT = 4  # up to so many series are named at their end; more get a legend
# How a drawn-in number looks: dash of a line, symbol of a point.
_LOOK = {"published": ("dot", "star", "★"), "guess": ("dash", "x", "✕"),
         "floor": ("solid", "line-ew", "")}  # fmt: skip


@dataclass
class Canvas:
    """A figure being drawn, its ranges in axis units, and the labels waiting for a place."""

    fig: object
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log_x: bool = False
    percent: bool = True
    x_title: str = ""
    legend: bool = False
    labels: list[tuple[str, float, str]] = field(default_factory=list)  # words, y, colour
    levels: list[float] = field(default_factory=list)  # of lines from side to side


def canvas(places: Sequence, lines: list[Series], drawn: list[Drawn], log_x=False, percent=True):
    """An empty figure whose ranges hold everything that will be drawn."""
    import plotly.graph_objects as go

    ys = [v for line in lines for v in line.bounds()] + [v for d in drawn for v in d.y]
    ys = [v for v in ys if not read.missing(v)]
    if not ys:
        raise ValueError("nothing to draw: every value is missing")
    xs = [*places, *(v for d in drawn for v in d.x or [])]
    fig = go.Figure(layout={"template": theme(), "height": HEIGHT})
    on = Canvas(fig, read.x_range(xs, log_x), read.y_range(ys, percent), log_x, percent)
    on.levels = sorted(d.y[0] for d in drawn if d.x is None)
    return on


def draw_line(on: Canvas, x: list, line: Series, i: int, band: bool) -> None:
    """A line with its 95% band, or bars where points are few; its name waits for its place."""
    colour, kind = COLOURS[i % 4], (i + i // 4) % 4
    if line.low and band:
        _draw_band(on, x, line, colour)
    on.fig.add_scatter(
        x=x, y=line.y, name=line.name, mode="lines+markers", connectgaps=True,
        line={"color": colour, "width": 2.5, "dash": DASHES[kind]},
        marker={"size": 8, "symbol": SYMBOLS[kind], "color": colour},
        error_y=None if band else _error(line, colour), **_hover(on, line),
    )  # fmt: skip
    seen = [v for v in line.y if not read.missing(v)]
    if seen and not on.legend:
        on.labels.append((line.name, seen[-1], colour))


def _draw_band(on: Canvas, x: list, line: Series, colour: str) -> None:
    keep = [j for j, v in enumerate(line.low) if not read.missing(v)]
    back = keep[::-1]
    on.fig.add_scatter(
        x=[x[j] for j in keep + back],
        y=[line.low[j] for j in keep] + [line.high[j] for j in back],
        fill="toself", fillcolor=tint(colour, 0.16), mode="lines", line={"width": 0},
        hoverinfo="skip", showlegend=False, name=f"{line.name}, 95%",
    )  # fmt: skip


def _hover(on: Canvas, line: Series) -> dict:
    """What a point says: its name, place, value and interval."""
    words = f"<b>{line.name}</b><br>{on.x_title} %{{x}}: "
    words += "%{y:.1%}" if on.percent else "%{y:.4~g}"
    ends = None
    if line.low:
        pairs = zip(line.low, line.high, strict=True)
        ends = [[read.number(a, on.percent), read.number(b, on.percent)] for a, b in pairs]
        words += "<br>95%: %{customdata[0]} to %{customdata[1]}"
    return {"customdata": ends, "hovertemplate": words + "<extra></extra>"}


def _error(line: Series, colour: str) -> dict | None:
    if not line.low:
        return None
    up = [_gap(h, v) for h, v in zip(line.high, line.y, strict=True)]
    down = [_gap(v, w) for v, w in zip(line.y, line.low, strict=True)]
    return {"type": "data", "array": up, "arrayminus": down, "symmetric": False,
            "thickness": 1.6, "width": 4, "color": colour}  # fmt: skip


def _gap(high, low) -> float:
    return 0.0 if read.missing(high) or read.missing(low) else max(high - low, 0.0)


def draw_bars(on: Canvas, x: list[float], width: float, line: Series, i: int) -> None:
    """One series of bars with intervals, each with its value above the interval."""
    colour, kind = COLOURS[i % 4], (i + i // 4) % 4
    on.fig.add_bar(
        x=x, y=line.y, name=line.name, width=width * 0.9,
        marker={"color": tint(colour, 0.85), "line": {"color": colour, "width": 1},
                "pattern": {"shape": HATCHES[kind], "fillmode": "overlay", "size": 7,
                            "fgcolor": "rgba(255,255,255,0.5)"}},
        error_y=_error(line, INK), **_hover(on, line),
    )  # fmt: skip
    if len(on.fig.data) * len(x) > 24:
        return
    tops = line.high or line.y
    for place, value, top in zip(x, line.y, tops, strict=True):
        if not read.missing(value):
            on.fig.add_annotation(
                x=place, y=_clear(on, max(value, top)), text=read.number(value, on.percent),
                showarrow=False, yanchor="bottom", yshift=2,
            )  # fmt: skip


def _clear(on: Canvas, y: float) -> float:
    """The place for a value at `y`, raised above the levels that would cross its letters."""
    letters = (LINE + 4) / (HEIGHT - TOP - BOTTOM) * (on.y_range[1] - on.y_range[0])
    for level in on.levels:
        y = level if y <= level < y + letters else y
    return y


def draw_in(on: Canvas, one: Drawn, joined: bool = True) -> None:
    """A published number, the reader's guess or the floor: a level, a place, a point or a line.

    joined: False for bars, where each value of a line is drawn across its group alone.
    """
    dash, symbol, sign = _LOOK[one.kind]
    if one.x is None:
        on.fig.add_hline(y=one.y[0], line={"color": INK, "width": 1.6, "dash": dash})
        on.labels.append((f"{one.label}, {read.number(one.y[0], on.percent)}", one.y[0], INK))
    elif not one.y:
        _draw_place(on, one, dash)
    elif not joined:
        _draw_across(on, one, dash)
    else:
        on.fig.add_scatter(
            x=one.x, y=one.y, name=one.label, showlegend=False,
            mode="lines+markers" if len(one.x) > 1 else "markers",
            line={"color": INK, "width": 1.8, "dash": dash},
            marker={"size": 12 if len(one.x) == 1 else 8, "color": INK, "symbol": symbol},
            **_hover(on, Series(one.label, one.y)),
        )  # fmt: skip
        value = f", {read.number(one.y[0], on.percent)}" if len(one.x) == 1 else ""
        on.labels.append((f"{sign} {one.label}{value}".strip(), _last(one.y), INK))


def _last(values: list) -> float:
    return [v for v in values if not read.missing(v)][-1]


def _draw_place(on: Canvas, one: Drawn, dash: str) -> None:
    """A vertical line, its name and its x above the plot."""
    side = "top" if on.legend else "bottom"  # a legend has the place above
    on.fig.add_vline(x=one.x[0], line={"color": INK, "width": 1.6, "dash": dash})
    on.fig.add_annotation(
        x=read.axis(one.x[0], on.log_x), y=1, yref="paper", yanchor=side,
        text=f"{one.label}, {read.number(one.x[0], False)}", showarrow=False,
        font={"color": INK, "size": 14, "weight": 700},
    )  # fmt: skip


def _draw_across(on: Canvas, one: Drawn, dash: str) -> None:
    """Each value as a line across its group of bars; where there are several, each says its own."""
    seen = [(x, y) for x, y in zip(one.x, one.y, strict=True) if not read.missing(y)]
    on.fig.add_scatter(
        x=[v for x, _ in seen for v in (x - REACH, x + REACH, None)],
        y=[v for _, y in seen for v in (y, y, None)], name=one.label, showlegend=False,
        mode="lines", line={"color": INK, "width": 2.5, "dash": dash},
        **_hover(on, Series(one.label, one.y)),
    )  # fmt: skip
    values = [read.number(y, on.percent) for _, y in seen]
    for (x, y), value in zip(seen, values, strict=True) if len(seen) > 1 else ():
        on.fig.add_annotation(x=x + REACH, y=y, text=value, showarrow=False, xanchor="left",
                              font={"color": INK, "weight": 700})  # fmt: skip
    words = one.label if len(seen) > 1 else f"{one.label}, {values[0]}"
    on.labels.append((words, _last(one.y), INK))


def draw_run(on: Canvas, x: list, line: Series, i: int, alone: bool) -> None:
    """Every record faint, their running mean over them."""
    colour = COLOURS[i % 4]
    smooth = Series(line.name, read.running_mean(line.y))
    on.fig.add_scatter(x=x, y=line.y, mode="lines", hoverinfo="skip", showlegend=False,
                       line={"color": tint(colour, 0.28), "width": 1},
                       name="every record")  # fmt: skip
    on.fig.add_scatter(x=x, y=smooth.y, mode="lines", name=line.name,
                       line={"color": colour, "width": 2.5, "dash": DASHES[i % 4]},
                       **_hover(on, smooth))  # fmt: skip
    if not alone and not on.legend:
        on.labels.append((line.name, smooth.y[-1], colour))


def finish(on: Canvas, title: str, y_title: str, ticks: dict) -> None:
    """Axes, title and the waiting labels, each at the height of its line's end."""
    on.fig.update_xaxes(title_text=on.x_title, range=on.x_range, **ticks)
    if on.log_x:
        on.fig.update_xaxes(type="log")
    form = {"tickformat": ".0%"} if on.percent else {}
    on.fig.update_yaxes(title_text=y_title, range=on.y_range, **form)
    right, legend = _place_labels(on), _legend_height(on)
    on.fig.update_layout(title_text=title, showlegend=on.legend, height=HEIGHT + legend,
                         margin={"t": TOP + legend, "b": BOTTOM, "r": right})  # fmt: skip


def _legend_height(on: Canvas) -> int:
    """Pixels above the plot for a legend, whose columns are as wide as its longest name."""
    if not on.legend:
        return 0
    names = [trace.name for trace in on.fig.data if trace.showlegend is not False]
    columns = max(1, LEGEND // (60 + 7 * max(map(len, names))))
    return 6 + 20 * -(-len(names) // columns)


def _place_labels(on: Canvas) -> int:
    """Write the labels right of the plot without overlap; the margin they need, in pixels.

    A label that had to move is tied to the end of its line by a thin line of its own.
    """
    words = [read.wrap(label) for label, _, _ in on.labels]
    low, high = on.y_range
    tall = HEIGHT - TOP - BOTTOM
    home = [(y - low) / (high - low) * tall for _, y, _ in on.labels]
    at = read.spread(home, [LINE * len(w) + 2 for w in words], -10, tall + 10)
    moved = [abs(a - b) > MOVED for a, b in zip(home, at, strict=True)]
    aside = 26 if any(moved) else 8
    for lines, (_, y, colour), up, far in zip(
        words, on.labels, _gaps(at, home), moved, strict=True
    ):
        on.fig.add_annotation(
            x=1, xref="paper", xanchor="left", y=y, yanchor="middle", align="left",
            text="<br>".join(lines), font={"color": colour, "size": 14, "weight": 700},
            showarrow=True, arrowhead=0, arrowwidth=1, standoff=2, ax=aside, ay=-up,
            arrowcolor=colour if far else "rgba(0,0,0,0)",
        )  # fmt: skip
    return 16 + aside + round(9.2 * max((len(line) for w in words for line in w), default=0))


def _gaps(one: list[float], other: list[float]) -> list[float]:
    return [a - b for a, b in zip(one, other, strict=True)]


def explain(on: Canvas, kind: str, x: list, lines, drawn, y_title: str, rows: bool = True) -> None:
    """Put the figure's sentence and its table of numbers into `layout.meta`."""
    alt = read.sentence(kind, x, lines, drawn, on.x_title, y_title, on.percent)
    numbers = read.table(x, lines, drawn, on.x_title, on.percent) if rows else []
    on.fig.update_layout(meta={"alt": alt, "table": numbers})
