"""A row of bars, one of them marked: how a measure stands at each setting of a control."""

from collections.abc import Mapping

from o1lab.show.theme import tint
from o1lab.show.view import BLUE, EDGE, View, escape, tag

LONG, BLOCKS = 180, 20  # pixels, and letters in the text form, of a share of 1


def meter(shares: Mapping[object, float], here, unit: str = "") -> View:
    """A bar for each setting, from 0 to 100%, the one at `here` filled, bold and pointed at.

    shares: {setting: share}, 0 to 1. unit: what a setting counts, in the plural. ValueError if
    `here` is none of the settings.
    """
    if here not in shares:
        raise ValueError(f"no setting {here!r}: there are {', '.join(map(str, shares))}")
    names = {k: f"{k} {unit.removesuffix('s') if k == 1 else unit}".strip() for k in shares}
    rows = [_row(names[k], share, k == here) for k, share in shares.items()]
    grid = "display:grid;grid-template-columns:auto auto 1fr;gap:2px .8em;align-items:center;"
    html = tag("div", "".join(html for html, _ in rows), grid + "margin:4px 0 8px")
    return View(html, "\n".join(text for _, text in rows))


def _row(name: str, share: float, on: bool) -> tuple[str, str]:
    """One bar as HTML and as text."""
    inside = min(max(share, 0), 1)
    bold = "font-weight:bold" if on else "opacity:.8"
    fill = f"background:{tint(BLUE, 0.9 if on else 0.3)};width:{LONG * inside:.0f}px;height:.8em"
    value = f"{share:.0%}" + (" ◀" if on else "")
    cells = [
        tag("span", escape(name), f"text-align:right;{bold}"),
        tag("div", tag("div", "", fill), f"border:1px solid {EDGE};width:{LONG}px"),
        tag("span", value, bold),
    ]
    full = round(BLOCKS * inside)
    return "".join(cells), f"{name:>12} {'█' * full}{'░' * (BLOCKS - full)} {value}"
