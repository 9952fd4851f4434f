"""How every figure looks and how it is shown; leaves out what figures draw (`plots`)."""

from o1lab.show.view import (
    BLUE,
    EDGE,
    GREEN,
    INK,
    PINK,
    RED,
    View,
    escape,
    in_notebook,
    present,
    tag,
)

COLOURS = (BLUE, RED, GREEN, PINK)
DASHES = ("solid", "dash", "dot", "dashdot")
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
HATCHES = ("", "/", ".", "x")
# No logo, and no mode-bar button that uploads the chart to a server.
CONFIG = {"displaylogo": False, "showSendToCloud": False, "responsive": True}
SANS = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"


def theme():
    """A transparent plotly template that reads well on white and on black."""
    import plotly.graph_objects as go

    axis = {
        "gridcolor": "rgba(128,128,128,0.22)", "zeroline": False, "linecolor": INK,
        "ticks": "outside", "tickcolor": EDGE, "ticklen": 5, "automargin": True,
        "title": {"font": {"size": 15}, "standoff": 10}, "tickfont": {"size": 14},
    }  # fmt: skip
    layout = go.Layout(
        font={"family": SANS, "size": 14, "color": INK},
        title={"font": {"size": 18}, "x": 0, "xref": "paper", "xanchor": "left", "y": 0.97,
               "yanchor": "top"},
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)",
        colorway=COLOURS, colorscale={"sequential": "Cividis"},
        xaxis={**axis, "showgrid": False, "showline": True}, yaxis=axis,
        margin={"l": 64, "r": 24, "t": 64, "b": 60}, height=420,
        hoverlabel={"bgcolor": "#2b2b2b", "font": {"color": "#f5f5f5", "size": 13}},
        hovermode="closest", modebar={"bgcolor": "rgba(0,0,0,0)", "color": INK},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0},
    )  # fmt: skip
    return go.layout.Template(layout=layout)


def tint(colour: str, alpha: float) -> str:
    """A #rrggbb colour made transparent."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red},{green},{blue},{alpha})"


def show(fig, alt: str | None = None) -> None:
    """Display a figure, one sentence that says what it shows, and its numbers in a fold.

    alt: the sentence; without it the one that the figure's maker computed.
    """
    if in_notebook():
        fig.show(config=CONFIG)
    present(caption(fig, alt))


def caption(fig, alt: str | None = None) -> View:
    """The sentence and the table of a figure, as `show` puts them under it."""
    meta = fig.layout.meta or {}
    words = alt or meta.get("alt") or fig.layout.title.text or "A figure."
    html = tag("div", escape(words), "opacity:.85;max-width:62em;margin:0 0 2px 4px")
    if meta.get("table"):
        fold = tag("summary", "the numbers", "cursor:pointer;opacity:.85") + _table(meta["table"])
        html += tag("details", fold, "margin:0 0 6px 4px")
    return View(html, words)


def _table(rows: list[list[str]]) -> str:
    cell = "padding:1px 12px 1px 0;text-align:left"
    lines = []
    for i, row in enumerate(rows):
        kind, more = ("th", 'scope="col"') if i == 0 else ("td", "")
        lines.append(tag("tr", "".join(tag(kind, escape(c), cell, more) for c in row)))
    return tag("table", "".join(lines), "border-collapse:collapse")
