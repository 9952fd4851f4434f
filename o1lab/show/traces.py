"""Thoughts as something to look at: folded steps with their verdicts, side by side, as tokens.

Leaves out figures (`plots`) and controls (`widgets`).
"""

from collections.abc import Mapping, Sequence

from o1lab.show.view import EDGE, GREEN, INK, MONO, RED, View, box, escape, tag
from o1lab.tasks.base import Verdict, lines_of

MARKS = {True: ("✓", GREEN), False: ("✗", RED), None: ("·", INK)}


def thought(
    rollout,
    verdicts: Sequence[Verdict] | None = None,
    ok: bool | None = None,
    hidden: bool = True,
) -> View:
    """One rollout: its thoughts behind a toggle, a line a step, then the answer.

    verdicts: one a step (ValueError if not); ok: whether the answer is right. hidden: folded.
    """
    steps = lines_of(rollout.thoughts or "")
    if verdicts is not None and len(verdicts) != len(steps):
        raise ValueError(f"{len(verdicts)} verdicts for {len(steps)} steps: give one a step")
    lines = [_step(s, v) for s, v in zip(steps, verdicts or [None] * len(steps), strict=True)]
    head = f"Thought for {len(rollout.ids)} tokens" if steps else "No thoughts: answered at once"
    if steps and verdicts is not None:
        wrong = sum(not v.ok for v in verdicts)
        head += f", {wrong} of {len(steps)} steps wrong" if wrong else f", {len(steps)} steps right"
    said = "none: the thought ran out of room" if rollout.answer is None else rollout.answer
    html = _fold(head, [line for line, _ in lines], hidden) + _answer(said, ok)
    text = "\n".join([head, *(line for _, line in lines), f"{MARKS[ok][0]} answer: {said}"])
    return View(box(html), text)


def _step(step: str, verdict: Verdict | None) -> tuple[str, str]:
    """A step as HTML and as text: its mark, itself, and what is wrong with it."""
    sign, colour = MARKS[verdict.ok if verdict else None]
    why = f"{verdict.kind}: {verdict.why}" if verdict and not verdict.ok else ""
    mark = tag("span", sign, f"color:{colour};font-weight:bold;display:inline-block;width:1.4em")
    words = tag("span", escape(step), f"font-family:{MONO};white-space:pre-wrap")
    note = tag("span", escape(f"  {why}"), f"color:{RED};padding-left:1em") if why else ""
    return tag("div", mark + words + note), f"  {sign} {step}" + (f"   ({why})" if why else "")


def _fold(head: str, lines: list[str], hidden: bool) -> str:
    if not lines:
        return tag("div", escape(head), "opacity:.75")
    summary = tag("summary", escape(head), "cursor:pointer;opacity:.85")
    frame = f"border-left:3px solid {EDGE};margin:4px 0;padding-left:10px"
    body = tag("div", "".join(lines), frame)
    return tag("details", summary + body, "", "" if hidden else "open")


def _answer(said: str, ok: bool | None) -> str:
    sign, colour = MARKS[ok]
    judged = {True: "right", False: "wrong", None: ""}[ok]
    words = tag("b", escape(said), "font-size:115%")
    mark = tag("span", f" {sign} {judged}", f"color:{colour};font-weight:bold") if judged else ""
    return tag("div", f"Answer: {words}{mark}", "margin-top:4px")


def compare(
    rollouts: Mapping[str, object],
    verdicts: Mapping[str, Sequence[Verdict]] | None = None,
    oks: Mapping[str, bool] | None = None,
) -> View:
    """Several rollouts of one problem side by side, each under its name, thoughts open."""
    verdicts, oks = verdicts or {}, oks or {}
    views = {n: thought(r, verdicts.get(n), oks.get(n), False) for n, r in rollouts.items()}
    cells = [
        tag("div", tag("b", escape(name)) + view.html, "flex:1 1 300px;min-width:0")
        for name, view in views.items()
    ]
    html = tag("div", "".join(cells), "display:flex;flex-wrap:wrap;gap:14px")
    return View(html, "\n\n".join(f"{name}\n{view.text}" for name, view in views.items()))


def explain_prompt(text: str, tokenizer) -> View:
    """The text as the tokens the model reads, each in its own frame."""
    ids = tokenizer.encode(text)
    words = [tokenizer.decode([i]).replace("\n", "↵") or "␣" for i in ids]
    frame = f"border:1px solid {EDGE};border-radius:4px;padding:0 4px;margin:1px;"
    frame += f"font-family:{MONO};display:inline-block"
    pairs = zip(words, ids, strict=True)
    spans = [tag("span", escape(word), frame, f'title="id {i}"') for word, i in pairs]
    head = tag("div", f"{len(ids)} tokens", "opacity:.75;margin-bottom:4px")
    return View(box(head + "".join(spans)), f"{len(ids)} tokens: " + " | ".join(words))
