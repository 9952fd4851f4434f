"""Step labels in the community's form, JSON lines of {prompt, completions, labels}.

The form of TRL's stepwise supervision data sets and of Math-Shepherd's and PRM800K's versions
in it. Leaves out anything that a line of JSON with strings and booleans cannot hold.
"""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from o1lab.model.rollouts import Rollout
from o1lab.model.steps import step_ends
from o1lab.rewards.labels import Labels, Row, check_labels
from o1lab.tasks.base import THINK, lines_of

KEYS = {"prompt", "completions", "labels"}


@dataclass(frozen=True)
class Record:
    """One trace: the prompt, its steps' texts, and whether each is right.

    ValueError for unequal lengths or other types.
    """

    prompt: str
    completions: list[str]
    labels: list[bool]

    def __post_init__(self):
        if not isinstance(self.prompt, str):
            raise ValueError(f"the prompt is {self.prompt!r}: it must be a text")
        for name, values, kind in (
            ("completions", self.completions, str),
            ("labels", self.labels, bool),
        ):
            if not isinstance(values, list) or any(type(value) is not kind for value in values):
                raise ValueError(f"{name} must be a list of {kind.__name__}, not {values!r:.80}")
        if len(self.completions) != len(self.labels):
            sizes = f"{len(self.completions)} steps and {len(self.labels)} labels"
            raise ValueError(f"{sizes}: give one label a step")


def to_records(
    rollouts: Sequence[Rollout], labels: Labels, threshold: float | None = None
) -> list[Record]:
    """Labelled rollouts as records; answers are left out, and steps from the first masked one on.

    threshold: a soft label of at least this is right; without it a label must be 0 or 1.
    ValueError for a rollout without its problem, a soft label, or a label after a masked one.
    """
    check_labels(labels, rollouts)
    rows = zip(rollouts, labels.rows, strict=True)
    return [_record(i, rollout, row, threshold) for i, (rollout, row) in enumerate(rows)]


def _record(at: int, rollout: Rollout, row: Row, threshold: float | None) -> Record:
    if rollout.problem is None:
        raise ValueError(f"rollout {at} has no problem, so its prompt's text is not known")
    known = row.index(None) if None in row else len(row)
    if any(label is not None for label in row[known:]):
        raise ValueError(f"rollout {at} has a label after a masked one: this form cannot say so")
    steps = lines_of(rollout.thoughts or "")[:known]
    return Record(rollout.problem.prompt, steps, [_bool(at, y, threshold) for y in row[:known]])


def _bool(at: int, label: float, threshold: float | None) -> bool:
    if threshold is None and label not in (0, 1):
        raise ValueError(f"rollout {at} has the soft label {label}: set threshold")
    return label >= (0.5 if threshold is None else threshold)


def write_records(path: str | Path, records: Iterable[Record]) -> int:
    """Write JSON lines, whole or not at all; returns how many."""
    path = Path(path)
    lines = [json.dumps(asdict(record)) + "\n" for record in records]
    fresh = path.with_name(path.name + ".tmp")
    fresh.write_text("".join(lines), encoding="utf-8")
    os.replace(fresh, path)
    return len(lines)


def read_records(path: str | Path) -> list[Record]:
    """The records of a JSON lines file; ValueError names the first line that is not one.

    Keys beyond the three are ignored.
    """
    lines = Path(path).read_text(encoding="utf-8").split("\n")
    return [_parsed(path, i, line) for i, line in enumerate(lines, 1) if line.strip()]


def _parsed(path: str | Path, number: int, line: str) -> Record:
    try:
        found = json.loads(line)
        if not isinstance(found, dict) or not found.keys() >= KEYS:
            raise ValueError("it must be an object with prompt, completions and labels")
        return Record(**{key: found[key] for key in KEYS})
    except ValueError as problem:
        raise ValueError(f"{path}, line {number}: {problem}") from problem


def from_records(records: Sequence[Record], tokenizer) -> tuple[list[Rollout], Labels]:
    """Rollouts with open thoughts, one line a step, and their labels: enough to train a PRM.

    They have no problem, answer or log-probabilities. ValueError for a step that is empty or
    holds a line break, because a step is one line here.
    """
    rollouts = [_rollout(i, record, tokenizer) for i, record in enumerate(records)]
    labels = Labels("imported", [list(map(float, record.labels)) for record in records])
    check_labels(labels, rollouts)
    return rollouts, labels


def _rollout(at: int, record: Record, tokenizer) -> Rollout:
    for i, step in enumerate(record.completions):
        if lines_of(step) != [step.strip()]:
            raise ValueError(f"record {at}, step {i} is {step!r:.60}: make it one line of text")
    text = f"{THINK}\n" + "".join(f"{step}\n" for step in record.completions)
    ids = tokenizer.encode(text, add_special_tokens=False)
    prompt = tokenizer.encode(record.prompt)
    return Rollout(None, prompt, ids, [0.0] * len(ids), text, step_ends(tokenizer, ids))
