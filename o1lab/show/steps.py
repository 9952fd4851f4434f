"""A thought as a verifier sees it: every step with its score, beside the exact verdict.

Leaves out where scores come from. Takes rollouts, scores and verdicts as they come.
"""

from collections.abc import Sequence

from o1lab.show.theme import tint
from o1lab.show.traces import CODE, MARKS, mark_of, reason
from o1lab.show.view import BLUE, EDGE, View, box, escape, tag
from o1lab.show.widgets import slider

LONG = 110  # pixels of a score of 1


def scored(rollout, scores: Sequence[float], verdicts: Sequence, ok: bool | None = None) -> View:
    """One rollout, a line a step: the verifier's score as a bar, the exact verdict, the step.

    scores, verdicts: one a step (ValueError if not); ok: whether the answer is right.
    """
    steps = [line.strip() for line in (rollout.thoughts or "").split("\n") if line.strip()]
    if not len(scores) == len(verdicts) == len(steps):
        sizes = f"{len(scores)} scores and {len(verdicts)} verdicts"
        raise ValueError(f"{sizes} for {len(steps)} steps: give one of each a step")
    rows = [_row(*one) for one in zip(steps, scores, verdicts, strict=True)]
    sign, colour, meaning = MARKS[ok]
    said = rollout.answer if rollout.answer is not None else "none"
    mark = tag("span", f" {sign} {meaning}", f"color:{colour};font-weight:bold") if sign else ""
    answer = tag("div", "Answer: " + tag("span", escape(said), CODE) + mark, "margin-top:6px")
    text = [*(text for _, text in rows), f"answer {said} {meaning}".rstrip()]
    return View(box("".join(html for html, _ in rows) + answer), "\n".join(text))


def _row(step: str, score: float, verdict) -> tuple[str, str]:
    """A step as HTML and as text."""
    sign, colour, meaning = mark_of(verdict)
    why = reason(verdict)
    full = f"background:{tint(BLUE, 0.75)};width:{LONG * min(max(score, 0), 1):.0f}px;height:.8em"
    empty = f"border:1px solid {EDGE};width:{LONG}px;flex:none;align-self:center"
    cells = [
        tag("span", f"{score:.2f}", f"{CODE};flex:none"),
        tag("div", tag("div", "", full), empty),
        tag("span", sign, f"color:{colour};font-weight:bold", f'role="img" aria-label="{meaning}"'),
        tag("div", tag("span", escape(step), CODE) + (_note(why) if why else ""), "min-width:0"),
    ]
    html = tag("div", "".join(cells), "display:flex;gap:.7em;padding:1px 4px")
    return html, f"{score:.2f} {sign} {step}" + (f"   ({why})" if why else "")


def _note(why: str) -> str:
    return tag("div", escape(why), "opacity:.85;font-size:92%")


def browse(
    rollouts: Sequence, scores: Sequence[Sequence[float]], worth: Sequence[float], task
) -> None:
    """A slider through one problem's rollouts, from what the verifier likes best to its worst.

    scores: a row a rollout, of one a step; worth: a number a rollout, their aggregation. Exact
    verdicts are the task's. Rollouts without a step are left out; ValueError where none has one.
    """
    kept = [i for i, row in enumerate(scores) if len(row)]
    if not kept:
        raise ValueError("no rollout has a step to show: sample again")
    order = sorted(kept, key=lambda i: -worth[i])

    def at(rank: int) -> View:
        i = order[rank - 1]
        rollout = rollouts[i]
        verdicts = task.verdicts(rollout.problem, task.steps(rollout.thoughts or ""))
        ok = rollout.answer is not None and task.grade(rollout.problem, rollout.answer)
        seen = scored(rollout, scores[i], verdicts, ok)
        head = f"rank {rank} of {len(order)}, worth {worth[i]:.2f}"
        return View(tag("div", head, "opacity:.85") + seen.html, f"{head}\n{seen.text}")

    slider(at, range(1, len(order) + 1), "rank, best first")
