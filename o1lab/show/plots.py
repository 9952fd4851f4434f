"""Numbers in, a plotly figure out: curves, bars, learning curves, heat maps.

Nothing is displayed but by `show`. Leaves out controls (`widgets`) and the look (`theme`).
"""

from collections.abc import Mapping, Sequence

from o1lab.show import canvas as draw
from o1lab.show import series as read
from o1lab.show.series import At, Series
from o1lab.show.theme import show, theme

__all__ = ["At", "bars", "curve", "heat", "learning_curve", "show", "theme"]


def curve(
    x: Sequence,
    series: Mapping,
    *,
    x_title: str,
    y_title: str,
    title: str = "",
    published=None,
    guess=None,
    floor=None,
    looks: Mapping[str, int] | None = None,
    log_x: bool = False,
    percent: bool = True,
):
    """Lines with 95% bands (bars where points are few), each named at its end.

    x: numbers or names. series: {name: y} or {name: (y, low, high)}, each as long as x.
    published, guess, floor: None, a number (a level), (x, y) (a point), At(x) (a place on the x
    axis), a list as long as x, or {label: one of these}; None for a value draws nothing. looks:
    {name: number of its colour and dash}, so that a name looks the same in every figure: 0 blue,
    1 orange, 2 green, 3 pink, and with 4 added the same colour with another dash. percent: values
    are shares, 0 to 1, and the axis says percent.
    Returns a plotly Figure; ValueError says which series does not fit.
    """
    names, places = read.places_of(x)
    lines = read.read_series(series, len(places))
    drawn = read.read_all_drawn(places, published, guess, floor)
    on = draw.canvas(places, lines, drawn, log_x, percent)
    on.x_title, on.legend = x_title, len(lines) > draw.DIRECT
    looks = read.looks_of(lines, looks)
    for i, (line, look) in enumerate(zip(lines, looks, strict=True)):
        shift = 0.06 * (i - (len(lines) - 1) / 2) if names else 0  # so that intervals stand apart
        draw.draw_line(on, [p + shift for p in places], line, look, not names and len(places) > 1)
    for one in drawn:
        draw.draw_in(on, one)
    draw.finish(on, title, y_title, read.ticks(names, places))
    draw.explain(on, "Line chart", names or places, lines, drawn, y_title)
    return on.fig


def bars(
    groups: Sequence,
    series: Mapping,
    *,
    x_title: str,
    y_title: str,
    title: str = "",
    published=None,
    guess=None,
    floor=None,
    looks: Mapping[str, int] | None = None,
    percent: bool = True,
):
    """Grouped bars with 95% intervals and their values; arguments as for `curve`.

    A list for guess, published or floor is drawn across the groups, a line and a value each.
    """
    names, places = [str(g) for g in groups], list(range(len(groups)))
    lines = read.read_series(series, len(places))
    drawn = read.read_all_drawn(places, published, guess, floor)
    on = draw.canvas(places, lines, drawn, False, percent)
    on.x_title, on.legend, on.x_range = x_title, len(lines) > 1, (-0.55, len(places) - 0.45)
    on.y_range = (min(0.0, on.y_range[0]), on.y_range[1] * 1.08)
    width = 0.8 / len(lines)
    for i, (line, look) in enumerate(zip(lines, read.looks_of(lines, looks), strict=True)):
        shift = (i - (len(lines) - 1) / 2) * width
        draw.draw_bars(on, [p + shift for p in places], width, line, look)
    for one in drawn:
        draw.draw_in(on, one, joined=False)
    draw.finish(on, title, y_title, {"tickvals": places, "ticktext": names})
    on.fig.update_layout(barmode="overlay")
    draw.explain(on, "Bar chart", names, lines, drawn, y_title)
    return on.fig


def learning_curve(
    records,
    *,
    y: str | Sequence[str] = "loss",
    x: str = "tokens",
    x_title: str = "",
    y_title: str = "",
    title: str = "",
    guess=None,
    floor=None,
    percent: bool = False,
):
    """A value over training: every record faint, a running mean over it.

    records: rows (mappings; those without x or y are passed over), or {run: rows}. y: the name
    of a value, or several names, a line each (of one run only).
    """
    kept = read.runs(records, x, [y] if isinstance(y, str) else list(y))
    y_title = y_title or (y if isinstance(y, str) else ", ".join(y))
    places = sorted({place for rows in kept.values() for place, _ in rows})
    lines = [Series(name, [value for _, value in rows]) for name, rows in kept.items()]
    drawn = read.read_all_drawn(places, None, guess, floor)
    on = draw.canvas(places, lines, drawn, False, percent)
    on.x_title, on.legend = x_title or x, len(lines) > draw.DIRECT
    for i, line in enumerate(lines):
        along = [place for place, _ in kept[line.name]]
        draw.draw_run(on, along, line, i, len(lines) == 1)
    for one in drawn:
        draw.draw_in(on, one)
    draw.finish(on, title, y_title, {"tickformat": "~s"})
    ends = [read.number(places[0], False), read.number(places[-1], False)]
    draw.explain(on, "Learning curve", ends, lines, drawn, y_title, rows=False)
    return on.fig


def heat(
    z: Sequence[Sequence],
    x: Sequence,
    y: Sequence,
    *,
    x_title: str,
    y_title: str,
    z_title: str,
    title: str = "",
    percent: bool = True,
):
    """A grid of values: rows are y, columns are x; each cell says its number where few.

    The colours of shares go from 0 to the largest share there is.
    """
    import plotly.graph_objects as go

    rows = [read.plain(row, f"row {name}", len(x)) for row, name in zip(z, y, strict=True)]
    words = [["" if read.missing(v) else read.number(v, percent) for v in row] for row in rows]
    top = max((v for row in rows for v in row if not read.missing(v)), default=0) or 1
    shade = go.Heatmap(
        z=rows, x=[str(v) for v in x], y=[str(v) for v in y], text=words, xgap=2, ygap=2,
        texttemplate="%{text}" if len(rows) * len(x) <= 120 else None, textfont={"size": 14},
        colorscale="Cividis", zmin=0 if percent else None, zmax=top if percent else None,
        colorbar={"title": {"text": z_title, "side": "right"}, "outlinewidth": 0, "thickness": 14,
                  "tickformat": ".0%" if percent else "~s"},
        hovertemplate=f"{x_title} %{{x}}<br>{y_title} %{{y}}<br>{z_title} %{{text}}<extra></extra>",
    )  # fmt: skip
    fig = go.Figure(shade, layout={"template": theme(), "height": draw.HEIGHT})
    fig.update_layout(title_text=title, meta=read.explain_grid(rows, words, x, y, x_title, y_title,
                                                               z_title, percent))  # fmt: skip
    fig.update_xaxes(title_text=x_title, type="category", showline=False)
    fig.update_yaxes(title_text=y_title, type="category", showgrid=False)
    return fig
