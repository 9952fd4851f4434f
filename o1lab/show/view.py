"""One thing to look at, as HTML and as plain text; leaves out figures (`plots`)."""

import sys
from dataclasses import dataclass
from html import escape

# Colours that reach 3:1 on white and on black (Okabe and Ito); never the only channel.
BLUE, GREEN, RED, PINK = "#0072B2", "#009E73", "#D55E00", "#CC79A7"
INK, EDGE = "#767676", "rgba(128,128,128,0.35)"
MONO = "var(--jp-code-font-family,ui-monospace,Menlo,Consolas,monospace)"
__all__ = ["BLUE", "EDGE", "GREEN", "INK", "MONO", "PINK", "RED", "View", "box", "escape",
           "in_notebook", "present", "tag"]  # fmt: skip


@dataclass(frozen=True)
class View:
    """A picture of something: `html` for a notebook, `text` for a terminal and screen readers.

    Colours are inherited or readable in light and dark; nothing hangs on colour alone.
    """

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def in_notebook() -> bool:
    """Whether a Jupyter kernel (not a terminal, not a script) runs this code."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and getattr(shell, "kernel", None) is not None


def present(view) -> None:
    """Show a view: as HTML in a notebook, else print its text."""
    if in_notebook():
        from IPython.display import display

        display(view)
    else:
        print(repr(view))


def tag(name: str, inner: str, style: str = "", more: str = "") -> str:
    """An HTML element around `inner`, which is taken as HTML: `escape` what a model wrote."""
    look = f' style="{style}"' if style else ""
    return f"<{name}{look}{' ' + more if more else ''}>{inner}</{name}>"


def box(inner: str, style: str = "") -> str:
    """A framed block in the page's own colours."""
    frame = f"border:1px solid {EDGE};border-radius:6px;padding:10px 14px;margin:4px 0;"
    return tag("div", inner, frame + "line-height:1.5;max-width:62em;" + style)
