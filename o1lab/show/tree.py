"""A search tree as a picture: visits as size, value as colour, the chosen path, step by step.

Takes plain records, as `o1lab.search.tree.tree_records` makes them. Leaves out how trees grow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count, pairwise

from o1lab.show.theme import theme
from o1lab.show.traces import MARKS
from o1lab.show.view import BLUE, EDGE, INK, RED, escape
from o1lab.show.widgets import slider

ROW, TOP, BOTTOM, WIDE = 38, 84, 48, 14  # pixels a leaf; margins; letters of a one-line label
BIG, SMALL = 40, 9  # pixels across a node with all visits, and with none
LABELS = 26  # with more leaves only the nodes that matter are named
SHAPES = {"step": "circle", "answer": "square", "cut": "diamond"}


@dataclass(frozen=True)
class Spot:
    """A node at one moment: its place, its visits, and the mean of the values they brought."""

    row: Mapping
    x: float
    y: float
    visits: int
    q: float | None
    shown: bool
    size: float = SMALL  # pixels across

    @property
    def kind(self) -> str:
        """Whether it goes on, has an answer, or nothing can follow it."""
        return (
            "answer" if self.row["answer"] is not None else "cut" if self.row["ended"] else "step"
        )


def tree(
    records: Mapping, at: int | None = None, truth: Mapping | None = None, title: str | None = None
):
    """A search tree after `at` simulations, default all; a plotly Figure.

    records: {"prompt", "nodes", "paths", "values"}, see `o1lab.search.tree.tree_records`.
    truth: {node id: True where it can still succeed, False where it is dead}, marked ✓ and ✗; it
    may leave nodes out. Size is visits, colour is the mean value of the visits, the thick line
    leads to the chosen answer, the dotted one is the latest simulation.
    ValueError for no nodes, or an `at` that is not one of the simulations.
    """
    import plotly.graph_objects as go

    whole = len(records["paths"])
    at = whole if at is None else at
    spots = moment(records, at)
    fig = go.Figure(layout={"template": theme()})
    _edges(fig, spots, at == whole)
    if 0 < at < whole:
        _line(fig, spots, records["paths"][at - 1], "this simulation", BLUE, "dot")
    _nodes(fig, spots, truth or {})
    _marks(fig, spots, truth or {})
    _names(fig, spots)
    _finish(fig, spots, title if title is not None else _title(records), at, whole)
    fig.update_layout(meta=_words(spots, at, truth or {}))
    return fig


def explore(records: Mapping, truth: Mapping | None = None, title: str | None = None) -> None:
    """The tree with a slider (or the arrow keys) through its simulations, from the last one.

    Takes what `tree` takes. Headless or outside a notebook: the whole tree as one figure.
    """
    whole = len(records["paths"])
    slider(lambda at: tree(records, at, truth, title), range(whole + 1), "simulations", whole)


def moment(records: Mapping, at: int) -> dict[int, Spot]:
    """Every node's place, and its visits and value after `at` simulations; node id to Spot.

    A node is shown once one of its siblings was visited: by then it had been sampled. In the end
    the chosen way is shown whole, for a verified answer ends the search before it is visited.
    """
    rows = records["nodes"]
    if not rows:
        raise ValueError("a tree without nodes: search first")
    if not 0 <= at <= len(records["paths"]):
        raise ValueError(f"at is {at}: there are {len(records['paths'])} simulations")
    brought: dict[int, list[float]] = {row["id"]: [] for row in rows}
    for path, value in zip(records["paths"][:at], records["values"][:at], strict=True):
        for node in path:
            brought[node].append(value)
    grown = {row["parent"] for row in rows if brought[row["id"]]} | {None}
    x, y = places(rows)
    most = max(map(len, brought.values())) or 1
    return {
        row["id"]: Spot(
            row=row,
            x=x[row["id"]],
            y=y[row["id"]],
            visits=len(values := brought[row["id"]]),
            q=sum(values) / len(values) if values else None,
            shown=row["parent"] in grown or (row["chosen"] and at == len(records["paths"])),
            size=SMALL + (BIG - SMALL) * (len(values) / most) ** 0.5,
        )
        for row in rows
    }


def places(rows: Sequence[Mapping]) -> tuple[dict[int, int], dict[int, float]]:
    """Depth and height of each node: a leaf a row, likeliest first, parents amid their children."""
    below: dict = {}
    for row in sorted(rows, key=lambda row: -row["prior"]):
        below.setdefault(row["parent"], []).append(row["id"])
    depth: dict[int, int] = {}
    height: dict[int, float] = {}
    leaves = count()

    def put(node: int, at: int) -> None:
        depth[node] = at
        children = below.get(node, [])
        for child in children:
            put(child, at + 1)
        ends = [height[child] for child in children]
        height[node] = (ends[0] + ends[-1]) / 2 if ends else -float(next(leaves))

    put(below[None][0], 0)
    return depth, height


def _edges(fig, spots: Mapping[int, Spot], done: bool) -> None:
    """A line to each node, thin; then the way to the chosen answer, thick."""
    xs, ys = [], []
    for spot in spots.values():
        if spot.shown and spot.row["parent"] is not None:
            above = spots[spot.row["parent"]]
            x, y = _bend(above, spot)
            xs, ys = [*xs, *x, None], [*ys, *y, None]
    fig.add_scatter(x=xs, y=ys, mode="lines", line={"color": EDGE, "width": 1.4},
                    hoverinfo="skip", showlegend=False)  # fmt: skip
    chosen = [node for node, spot in spots.items() if spot.row["chosen"]]
    if done and len(chosen) > 1:
        _line(fig, spots, chosen, "chosen", RED, "solid", 4.5)


def _bend(above: Spot, below: Spot) -> tuple[list[float], list[float]]:
    """A curve that leaves and arrives level, as points."""
    steps = [i / 12 for i in range(13)]
    ease = [3 * s**2 - 2 * s**3 for s in steps]
    x = [above.x + (below.x - above.x) * s for s in steps]
    return x, [above.y + (below.y - above.y) * e for e in ease]


def _line(fig, spots, path: Sequence[int], name: str, colour: str, dash: str, width=2.6) -> None:
    xs, ys = [], []
    for above, below in pairwise(path):
        x, y = _bend(spots[above], spots[below])
        xs, ys = xs + x, ys + y
    fig.add_scatter(x=xs, y=ys, mode="lines", name=name, hoverinfo="skip",
                    line={"color": colour, "width": width, "dash": dash})  # fmt: skip


def _nodes(fig, spots: Mapping[int, Spot], truth: Mapping) -> None:
    """Visited nodes by size and colour; unvisited ones are small and hollow."""
    bar = {"title": {"text": "mean value Q", "side": "right"}, "thickness": 12,
           "outlinewidth": 0, "tickformat": ".1f", "len": 0.9}  # fmt: skip
    for kind, symbol in SHAPES.items():
        seen = [s for s in spots.values() if s.shown and s.kind == kind]
        visited = [s for s in seen if s.visits]
        marker = {
            "symbol": symbol, "size": [s.size for s in visited],
            "color": [s.q for s in visited], "colorscale": "Cividis", "cmin": 0, "cmax": 1,
            "opacity": 1, "line": {"color": INK, "width": 1.5}, "colorbar": bar,
            "showscale": kind == "step",
        }  # fmt: skip
        _dots(fig, visited, marker, truth)
        hollow = {"symbol": f"{symbol}-open", "size": SMALL, "color": INK}
        _dots(fig, [s for s in seen if not s.visits], hollow, truth)


def _dots(fig, spots: Sequence[Spot], marker: dict, truth: Mapping) -> None:
    if spots:
        fig.add_scatter(
            x=[s.x for s in spots], y=[s.y for s in spots], mode="markers", marker=marker,
            showlegend=False, hovertext=[_hover(s, truth) for s in spots], hoverinfo="text",
        )  # fmt: skip


def _hover(spot: Spot, truth: Mapping) -> str:
    """A node's text, prior, N, Q and what it is."""
    row = spot.row
    value = "not judged" if row["value"] is None else f"{row['value']:.2f}"
    q = "none yet" if spot.q is None else f"{spot.q:.2f}"
    lines = [f"<b>{escape(label(spot))}</b>", f"N {spot.visits}, Q {q}"]
    lines.append(f"prior {row['prior']:.2f}, own value {value}")
    known = truth.get(row["id"])
    ends = {"answer": "an answer", "cut": "nothing can follow", "step": None}[spot.kind]
    live = None if known is None else "can still succeed" if known else "dead"
    return "<br>".join([*lines, *[word for word in (ends, live) if word]])


def label(spot: Spot) -> str:
    """What a node says: its step, or its answer."""
    if spot.row["answer"] is not None:
        return spot.row["answer"]
    lines = [line for line in spot.row["text"].split("\n") if line and not line.startswith("<")]
    return " ".join(lines) or "start"


def _marks(fig, spots: Mapping[int, Spot], truth: Mapping) -> None:
    """The exact truth beside each node that it is known of."""
    for node, spot in spots.items():
        sign, colour, _ = MARKS[truth.get(node)]
        if spot.shown and sign:
            fig.add_annotation(
                x=spot.x, y=spot.y, text=sign, showarrow=False,
                yshift=spot.size / 2 + 7, font={"size": 14, "color": colour},
            )  # fmt: skip


def _names(fig, spots: Mapping[int, Spot]) -> None:
    """Each step beside its node; in a wide tree only where many visits or the answer lead."""
    leaves = round(-min(spot.y for spot in spots.values())) + 1
    most = max(spot.visits for spot in spots.values())
    for spot in spots.values():
        matters = spot.row["chosen"] or spot.visits > 0.15 * most
        if spot.shown and spot.row["parent"] is not None and (leaves <= LABELS or matters):
            fig.add_annotation(
                x=spot.x, y=spot.y, text=_short(label(spot)), showarrow=False, xanchor="left",
                xshift=spot.size / 2 + 3, font={"size": 11}, align="left",
            )  # fmt: skip


def _short(words: str) -> str:
    """On one line or on two of like length, each cut where it is longer than the room for it."""
    parts = words.split()
    halves = [[" ".join(parts[:i]), " ".join(parts[i:])] for i in range(1, len(parts))]
    if len(words) <= WIDE or not halves:
        halves = [[words]]
    lines = min(halves, key=lambda lines: max(map(len, lines)))
    return "<br>".join(escape(line if len(line) < 24 else line[:22] + "…") for line in lines)


def _title(records: Mapping) -> str:
    line = records["prompt"].strip().split("\n")[0]
    return escape(line if len(line) < 80 else line[:77] + "…")


def _finish(fig, spots: Mapping[int, Spot], title: str, at: int, whole: int) -> None:
    low, deep = min(s.y for s in spots.values()), max(s.x for s in spots.values())
    said = f"after {at} of {whole} simulations" if at < whole else f"after {whole} simulations"
    height = TOP + BOTTOM + ROW * (1.8 - low)
    fig.update_layout(
        title={"text": f"{title}<br><sup>{said}</sup>", "y": 1 - 26 / height}, height=height,
        margin={"l": 24, "r": 24, "t": TOP, "b": BOTTOM},
        legend={"x": 1, "xanchor": "right", "y": 1.0, "yanchor": "bottom"},
    )  # fmt: skip
    names = ["start", *[f"step {i}" for i in range(1, deep + 1)]]
    fig.update_xaxes(
        range=[-0.2, deep + 0.95], showline=False, ticks="", tickvals=list(range(deep + 1)),
        ticktext=names,
    )  # fmt: skip
    fig.update_yaxes(range=[low - 0.9, 0.9], visible=False)


def _words(spots: Mapping[int, Spot], at: int, truth: Mapping) -> dict:
    """The figure's sentence, and its nodes as a table, most visited first."""
    seen = [s for s in spots.values() if s.shown]
    tried = [s for s in seen if s.visits]
    alt = f"Search tree after {at} simulations: {len(seen)} nodes, {len(tried)} visited"
    ends = [s for s in spots.values() if s.row["chosen"] and s.row["answer"] is not None]
    alt += f"; chosen answer {ends[0].row['answer']}." if ends else "; no answer chosen."
    rows = [["step", "depth", "prior", "N", "Q", "truth"]]
    for s in sorted(seen, key=lambda s: (-s.visits, s.x))[:40]:
        known = MARKS[truth.get(s.row["id"])][2] or "unknown"
        q = "none" if s.q is None else f"{s.q:.2f}"
        rows.append([label(s), str(s.x), f"{s.row['prior']:.2f}", str(s.visits), q, known])
    return {"alt": alt, "table": rows}
