"""Thoughts as something to look at: folded steps with their verdicts, side by side, as tokens.

Leaves out figures (`plots`) and controls (`widgets`). Takes rollouts and verdicts as they come.
"""

from collections.abc import Mapping, Sequence

from o1lab.show.theme import tint
from o1lab.show.view import BLUE, EDGE, GREEN, INK, MONO, RED, View, box, escape, tag

MARKS = {True: ("✓", GREEN, "right"), False: ("✗", RED, "wrong"), None: ("", "inherit", "")}
IDLE = ("○", INK, "idle")  # a step that is true and not needed: neither a tick nor a cross
CODE = f"font-family:{MONO};white-space:pre-wrap;overflow-wrap:anywhere"


def thought(
    rollout,
    verdicts: Sequence | None = None,
    ok: bool | None = None,
    hidden: bool = True,
) -> View:
    """One rollout: its thoughts behind a toggle, a line a step, then the answer.

    verdicts: one a step (ValueError if not); ok: whether the answer is right; hidden: folded.
    With both, a thought without a false step that ends in a wrong answer is called unfinished.
    """
    steps = [line.strip() for line in (rollout.thoughts or "").split("\n") if line.strip()]
    if verdicts is not None and len(verdicts) != len(steps):
        raise ValueError(f"{len(verdicts)} verdicts for {len(steps)} steps: give one a step")
    lines = [_step(s, v) for s, v in zip(steps, verdicts or [None] * len(steps), strict=True)]
    head = _head(rollout, len(steps), verdicts)
    if ok is False and verdicts and not any(v.false for v in verdicts):
        lines.append(_unfinished(verdicts))
        head = f"{head.removesuffix(', no mistake')}, unfinished"
    html = _fold(head, [html for html, _ in lines], hidden) + _answer(rollout, ok)
    told = f"Answer: {_said(rollout)}" + ("" if ok is None else f" {MARKS[ok][0]} {MARKS[ok][2]}")
    return View(box(html), "\n".join([head, *(text for _, text in lines), told]))


def _head(rollout, steps: int, verdicts: Sequence | None) -> str:
    """How long it thought, up to the end of its last step, and how many steps are wrong."""
    if rollout.thoughts is None:
        return "Answered at once, without a thought"
    tokens = rollout.step_ends[-1] if rollout.step_ends else len(rollout.ids)
    head = f"Thought for {tokens} token" + ("" if tokens == 1 else "s")
    if not verdicts:
        return head
    count = f"{steps} step" + ("" if steps == 1 else "s")
    wrong = sum(verdict.false for verdict in verdicts)
    idle = sum(not verdict.ok for verdict in verdicts) - wrong
    found = [f"{n} {what}" for n, what in ((wrong, "wrong"), (idle, "idle")) if n]
    return f"{head}: {count}, {', '.join(found) or 'no mistake'}"


def _step(step: str, verdict) -> tuple[str, str]:
    """A step as HTML and as text: its mark, itself, and what is wrong with it."""
    sign, colour, meaning = mark_of(verdict) if verdict else MARKS[None]
    why = reason(verdict) if verdict else ""
    mark = tag("span", sign, _bold(colour), f'role="img" aria-label="{meaning}"') if sign else ""
    note = tag("div", escape(why), "opacity:.85;font-size:92%") if why else ""
    words = tag("div", tag("span", escape(step), CODE) + note, "min-width:0")
    row = "display:flex;gap:.7em;padding:1px 8px;border-radius:4px;"
    row += "background:rgba(213,94,0,.12)" if meaning == "wrong" else ""
    return tag("div", mark + words, row), f"  {sign or '-'} {step}" + (f"   ({why})" if why else "")


def mark_of(verdict) -> tuple[str, str, str]:
    """A step's sign, colour and meaning: right, wrong, or true and not needed."""
    return MARKS[verdict.ok] if verdict.ok or verdict.false else IDLE


def reason(verdict) -> str:
    """What is the matter with a step, in words; nothing where it is right."""
    if verdict.ok:
        return ""
    words = (verdict.kind, verdict.why) if verdict.false or not verdict.why else (verdict.why,)
    return ": ".join(w for w in words if w)


def _unfinished(verdicts: Sequence) -> tuple[str, str]:
    """The line under a thought that says nothing false and still ends in a wrong answer."""
    every = "every step is right" if all(v.ok for v in verdicts) else "no step is wrong"
    words = f"unfinished: {every}, but the thought stops early"
    row = "padding:1px 8px;border-radius:4px;background:rgba(213,94,0,.12)"
    mark = tag("span", "…", _bold(RED), 'role="img" aria-label="unfinished"')
    return tag("div", f"{mark} {words}", row), f"  … {words}"


def _bold(colour: str) -> str:
    return f"color:{colour};font-weight:bold"


def _fold(head: str, lines: list[str], hidden: bool) -> str:
    if not lines:
        return tag("div", escape(head), "opacity:.8")
    summary = tag("summary", escape(head), "cursor:pointer;opacity:.85")
    inner = f"border-left:3px solid {EDGE};margin:6px 0 6px 4px;padding-left:6px"
    return tag("details", summary + tag("div", "".join(lines), inner), "", "" if hidden else "open")


def _said(rollout) -> str:
    if rollout.answer is not None:
        return rollout.answer
    return "none (it stopped without one)" if rollout.finished else "none (cut at its length limit)"


def _answer(rollout, ok: bool | None) -> str:
    sign, colour, meaning = MARKS[ok]
    look = "opacity:.85" if rollout.answer is None else f"font-weight:bold;font-size:115%;{CODE}"
    words = tag("span", escape(_said(rollout)), look)
    mark = "" if ok is None else tag("span", f" {sign} {meaning}", _bold(colour))
    return tag("div", tag("span", "Answer: ", "opacity:.85") + words + mark, "margin-top:4px")


def compare(
    rollouts: Mapping[str, object],
    verdicts: Mapping[str, Sequence] | None = None,
    oks: Mapping[str, bool] | None = None,
) -> View:
    """Several rollouts of one problem side by side, each under its name, thoughts open.

    verdicts, oks: as for `thought`, by name; ValueError for a name that is no rollout's.
    """
    verdicts, oks = verdicts or {}, oks or {}
    unknown = [name for name in (*verdicts, *oks) if name not in rollouts]
    if unknown:
        raise ValueError(f"no rollout is called {unknown[0]!r}: there are {', '.join(rollouts)}")
    views = {n: thought(r, verdicts.get(n), oks.get(n), False) for n, r in rollouts.items()}
    cells = [
        tag("div", tag("b", escape(name)) + view.html, "flex:1 1 20em;min-width:0;max-width:42em")
        for name, view in views.items()
    ]
    html = tag("div", "".join(cells), "display:flex;flex-wrap:wrap;gap:6px 16px")
    return View(html, "\n\n".join(f"{name}\n{view.text}" for name, view in views.items()))


def explain_prompt(text: str, tokenizer) -> View:
    """The text as the tokens the model reads, each in a frame with its id under it."""
    return explain_tokens(tokenizer.encode(text), tokenizer)


def explain_tokens(ids: Sequence[int], tokenizer, weights: Sequence[float] | None = None) -> View:
    """Tokens in frames; those with a weight above 0 (learned, not only read) are filled.

    In the text form learned tokens stand in [brackets]. ValueError unless one weight a token.
    """
    if weights is not None and len(weights) != len(ids):
        raise ValueError(f"{len(weights)} weights for {len(ids)} tokens: give one each")
    words = [tokenizer.decode([i]).replace("\n", "↵") or "␣" for i in ids]
    learned = [bool(w) for w in (weights if weights is not None else [0] * len(words))]
    head = f"{len(words)} token" + ("" if len(words) == 1 else "s")
    if weights is not None:
        head += f", {sum(learned)} of them learned (filled), the others only read"
    frames = "".join(_token(*each) for each in zip(words, ids, learned, strict=True))
    html = tag("div", head, "opacity:.85;margin-bottom:4px") + tag("div", frames, "line-height:1.3")
    shown = [f"[{w}]" if on else w for w, on in zip(words, learned, strict=True)]
    return View(box(html), f"{head}: " + " | ".join(shown))


def _token(word: str, number: int, learned: bool) -> str:
    """One frame; a line break in the text breaks the line here too."""
    fill = f"background:{tint(BLUE, 0.28)};font-weight:bold;" if learned else ""
    frame = f"border:1px solid {EDGE};border-radius:4px;padding:1px 6px;margin:2px;{fill}{CODE};"
    frame += "display:inline-block;text-align:center;min-width:1em"
    note = tag("span", str(number), "display:block;font-size:75%;font-weight:normal;opacity:.8")
    return tag("span", escape(word) + note, frame) + ("<br>" if word.endswith("↵") else "")
