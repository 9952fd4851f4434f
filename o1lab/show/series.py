"""What a figure is given, read and measured: series, drawn-in numbers, ranges, label places.

Pure numbers and words; leaves out plotly (`plots`).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Number = float | int


@dataclass(frozen=True)
class Series:
    """One named line: y and its 95% interval, all as long as x; None where there is no value."""

    name: str
    y: list
    low: list | None = None
    high: list | None = None

    def bounds(self) -> list[float]:
        parts = [self.y, self.low or [], self.high or []]
        return [v for part in parts for v in part if not missing(v)]


@dataclass(frozen=True)
class At:
    """A place on the x axis to draw in, such as a guessed number of steps; None draws nothing."""

    x: Number | None


@dataclass(frozen=True)
class Drawn:
    """A number drawn in beside ours: a level (x is None), a place (no y), a point or a line.

    kind: "published", "guess" or "floor".
    """

    kind: str
    label: str
    x: list | None
    y: list


def missing(value) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def plain(values, what: str, length: int) -> list:
    """A list of Python numbers of that length, from a list, an array or a tensor."""
    found = values.tolist() if hasattr(values, "tolist") else list(values)
    if len(found) != length:
        raise ValueError(f"{what} has {len(found)} values for {length} on the x axis")
    return found


def read_series(series: Mapping, length: int) -> list[Series]:
    """{name: y} or {name: (y, low, high)} as Series; ValueError names what does not fit."""
    if not series:
        raise ValueError("no series to draw: give {name: y} or {name: (y, low, high)}")
    out = []
    for name, given in series.items():
        if isinstance(given, tuple) and len(given) == 3 and not _numeric(given[0]):
            y, low, high = given
            out.append(Series(name, plain(y, name, length), plain(low, f"{name}, low", length),
                              plain(high, f"{name}, high", length)))  # fmt: skip
        else:
            out.append(Series(name, plain(given, name, length)))
    return out


def _numeric(value) -> bool:
    return value is None or isinstance(value, int | float)


def read_drawn(kind: str, given, x: Sequence, label: str) -> list[Drawn]:
    """None, a number, (x, y), At(x), a sequence as long as x, or {label: any of these}."""
    if given is None:
        return []
    if isinstance(given, At):
        return [] if given.x is None else [Drawn(kind, label, [given.x], [])]
    if isinstance(given, Mapping):
        return [d for name, one in given.items() for d in read_drawn(kind, one, x, name)]
    if _scalar(given):
        return [Drawn(kind, label, None, [float(given)])]
    values = given.tolist() if hasattr(given, "tolist") else list(given)
    if isinstance(given, tuple) and len(values) == 2 and all(map(_numeric, values)):
        return [] if None in values else [Drawn(kind, label, [values[0]], [values[1]])]
    row = plain(values, label, len(x))
    return [] if all(map(missing, row)) else [Drawn(kind, label, list(x), row)]


def read_all_drawn(x: Sequence, published, guess, floor) -> list[Drawn]:
    """Everything that is drawn in beside ours, in the order in which it is named."""
    given = (("published", published, "published"), ("guess", guess, "your guess"),
             ("floor", floor, "floor"))  # fmt: skip
    return [d for kind, value, label in given for d in read_drawn(kind, value, x, label)]


def _scalar(value) -> bool:
    return _numeric(value) or (hasattr(value, "item") and getattr(value, "ndim", 1) == 0)


def looks_of(lines: Sequence[Series], looks: Mapping[str, int] | None) -> list[int]:
    """Which look each line has: its own in `looks`, else the first that nobody has yet."""
    known = looks or {}
    taken = {known[line.name] for line in lines if line.name in known}
    free = (i for i in range(len(lines) + len(taken)) if i not in taken)
    return [known[line.name] if line.name in known else next(free) for line in lines]


def number(value, percent: bool) -> str:
    """A value as a reader wants it: 7.3%, 62%, 1,200, 0.0042, 3.1M."""
    if missing(value):
        return "none"
    if percent:
        tenths = abs(value) < 0.1 and round(value * 100, 1) != round(value * 100)
        return f"{value:.1%}" if tenths else f"{value:.0%}"
    if float(value).is_integer() and abs(value) < 1e4:
        return f"{int(value):,}"
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def y_range(values: Sequence[float], percent: bool) -> tuple[float, float]:
    """From 0 for shares, with room above; padded for anything else."""
    low, high = min(values), max(values)
    if percent:
        bottom = low - 0.05 * (high - low) if low < 0 else 0.0
        return bottom, 1.03 if high > 0.7 else max(high * 1.15, 0.01)
    pad = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    return (0.0 if 0 <= low < high / 3 else low - pad), high + pad


def x_range(values: Sequence[float], log: bool) -> tuple[float, float]:
    """The padded range in axis units: powers of ten where the axis is logarithmic."""
    if log and min(values) <= 0:
        raise ValueError(f"log_x needs x above 0, found {min(values)}")
    low, high = (f(values) if not log else math.log10(f(values)) for f in (min, max))
    pad = 0.04 * (high - low) or 0.5
    return low - pad, high + pad


def axis(x: float, log: bool) -> float:
    """A place in axis units."""
    return math.log10(x) if log else x


def places_of(x: Sequence) -> tuple[list[str], list]:
    """(names, places): numbers stand where they are, names at 0, 1, 2 …; no names for numbers."""
    given = x.tolist() if hasattr(x, "tolist") else list(x)
    if all(_numeric(v) for v in given):
        return [], given
    return [str(v) for v in given], list(range(len(given)))


def ticks(names: list[str], places: list) -> dict:
    """Axis settings: a tick at every place while they are few."""
    if not names and len(places) > 10:
        return {}
    return {"tickvals": places, "ticktext": names or [number(v, False) for v in places]}


def pairs(rows, x: str, y: str) -> list[tuple]:
    """(x, y) of the records that have both."""
    return [(r[x], r[y]) for r in rows if not missing(r.get(x)) and not missing(r.get(y))]


def runs(records, x: str, names: list[str]) -> dict[str, list[tuple]]:
    """{line: its (x, y) pairs} of rows, or of {run: rows}; ValueError where there are none."""
    if isinstance(records, Mapping):
        if len(names) > 1:
            raise ValueError(f"several runs and several values {names}: draw one value a figure")
        found = {run: pairs(rows, x, names[0]) for run, rows in records.items()}
    else:
        found = {name: pairs(records, x, name) for name in names}
    found = {name: rows for name, rows in found.items() if rows}
    if not found:
        raise ValueError(f"no record has both {x!r} and {names[0]!r}: look at records[0]")
    return found


def running_mean(values: Sequence[float]) -> list[float]:
    """The mean of each value and its neighbours, a twenty-fifth of the run to either side."""
    reach = max(1, len(values) // 25)
    windows = [values[max(0, i - reach) : i + reach + 1] for i in range(len(values))]
    return [sum(w) / len(w) for w in windows]


def wrap(label: str, width: int = 18) -> list[str]:
    """The label on lines of at most `width` letters where its words allow."""
    lines = [""]
    for word in label.split():
        fits = len(lines[-1]) + len(word) < width or not lines[-1]
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if fits else [*lines, word]
    return lines


def spread(places: Sequence[float], sizes: Sequence[float], low: float, high: float) -> list[float]:
    """Centres moved as little as needed so that labels of those sizes do not overlap.

    places, sizes, low, high: in one unit (pixels); the order of places is kept. The middle
    between pushing all upward and pushing all downward, which overlap neither.
    """
    order = sorted(range(len(places)), key=lambda i: places[i])
    up = _pushed(places, order, sizes, low, high)
    down = _pushed([-v for v in places], order[::-1], sizes, -high, -low)
    return [(a - b) / 2 for a, b in zip(up, down, strict=True)]


def _pushed(places, order, sizes, low: float, high: float) -> list[float]:
    """Each centre, lowest first, pushed up by those below it, then all back under `high`."""
    out = list(places)
    floor = low
    for i in order:
        out[i] = max(out[i], floor + sizes[i] / 2)
        floor = out[i] + sizes[i] / 2
    ceiling = high
    for i in reversed(order):
        out[i] = min(out[i], ceiling - sizes[i] / 2)
        ceiling = out[i] - sizes[i] / 2
    return out


def sentence(kind, x, series, drawn, x_title, y_title, percent) -> str:
    """The figure in words: what against what, where each line starts and ends, what is drawn in."""
    first, last = (v if isinstance(v, str) else number(v, False) for v in (x[0], x[-1]))
    parts = [f"{kind}: {y_title} against {x_title}, from {first} to {last}."]
    for s in series:
        seen = [v for v in s.y if not missing(v)]
        if isinstance(x[0], str) and len(s.y) == len(x) <= 6:  # groups are no course
            parts.append(f"{s.name}: {', '.join(number(v, percent) for v in seen)}.")
        elif seen:
            ends = f"{number(seen[0], percent)} to {number(seen[-1], percent)}"
            parts.append(f"{s.name}: {ends if len(seen) > 1 else number(seen[0], percent)}.")
    for d in drawn:
        seen = [v for v in d.y if not missing(v)]
        ends = dict.fromkeys(number(v, percent) for v in (*seen[:1], *seen[-1:]))
        parts.append(f"{d.label}: {' to '.join(ends) or f'{x_title} {number(d.x[0], False)}'}.")
    return " ".join(parts)


def table(x, series, drawn, x_title, percent) -> list[list[str]]:
    """A header and one row an x: every value with its interval."""
    lines = [d for d in drawn if d.x is None or len(d.y) == len(x)]
    rows = [[x_title, *(s.name for s in series), *(d.label for d in lines)]]
    for i, place in enumerate(x):
        cells = [_cell(s, i, percent) for s in series]
        cells += [number(d.y[i if d.x else 0], percent) for d in lines]
        rows.append([place if isinstance(place, str) else number(place, False), *cells])
    return rows


def _cell(s: Series, i: int, percent: bool) -> str:
    value = number(s.y[i], percent)
    if not s.low or missing(s.low[i]) or missing(s.y[i]):
        return value
    return f"{value} ({number(s.low[i], percent)} to {number(s.high[i], percent)})"


def explain_grid(rows, words, x, y, x_title, y_title, z_title, percent: bool) -> dict:
    """The sentence and the table of a heat map, as `layout.meta` keeps them."""
    seen = [(v, i, j) for i, row in enumerate(rows) for j, v in enumerate(row) if not missing(v)]
    if not seen:
        raise ValueError("nothing to draw: every cell is missing")
    best, i, j = max(seen)
    ends = f"{number(min(seen)[0], percent)} to {number(best, percent)}"
    alt = f"Heat map: {z_title} for each {x_title} and {y_title}, from {ends}"
    alt += f" at {x_title} {x[j]}, {y_title} {y[i]}."
    head = [f"{y_title} / {x_title}", *map(str, x)]
    return {"alt": alt, "table": [head, *([str(n), *w] for n, w in zip(y, words, strict=True))]}
