"""Labelled rollouts into training examples, with a count of every label that was lost.

Leaves out where labels come from (`labels`) and the training (`models`).
"""

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from o1lab.model.batches import Example
from o1lab.model.rollouts import Rollout
from o1lab.model.steps import step_ends
from o1lab.rewards.base import judged_at
from o1lab.rewards.labels import Labels, check_labels

Placed = list[tuple[int, float]]  # (index of a token in prompt and completion, its label)


@dataclass(frozen=True)
class LabelledText:
    """Examples with the column "label", and weight 0 wherever there is none; equal ones merged.

    rollouts: how many have a label. labels: how many were used, however many tokens carry each.
    lost: those that were not, by reason: "masked", "cut off" (past the context), "shared token"
    (one token ends two steps).
    """

    examples: list[Example]
    rollouts: int
    labels: int
    lost: Counter


def step_examples(
    rollouts: Sequence[Rollout],
    labels: Labels,
    balanced: bool = False,
    context: int | None = None,
    on: str = "last",
) -> LabelledText:
    """PRM examples: the label of a step sits on the last token of its separator (`judged_at`).

    That of a finished rollout's last step sits on the completion's last token, after the answer.
    on: "every" puts it on all tokens of the step: what is read is still the last one, but the
    model is shown along the way where a step goes wrong.
    balanced: right and wrong weigh the same over the whole set (`class_weights`), which tells
    them better apart but leaves the scores uncalibrated: they are those of a world in which half
    of the steps are right. context: the most tokens of an example, prompt included.
    ValueError for labels that do not fit the rollouts.
    """
    check_labels(labels, rollouts)
    lost: Counter = Counter()
    placed = [_at_steps(r, row, lost) for r, row in zip(rollouts, labels.rows, strict=True)]
    return _text(rollouts, placed, lost, balanced, context, on)


def outcome_examples(
    rollouts: Sequence[Rollout],
    right: Sequence[bool | float],
    on: str = "every",
    balanced: bool = False,
    context: int | None = None,
) -> LabelledText:
    """ORM examples: whether the answer is right, on every token of the completion or the last.

    "every" is the recipe of Cobbe et al. 2021 and of Lightman et al. 2023 (their appendix E):
    it makes the model a value function of the prefix. balanced, context: as in `step_examples`.
    """
    if len(right) != len(rollouts):
        raise ValueError(f"{len(right)} outcomes for {len(rollouts)} rollouts: give one each")
    ends = [len(r.prompt_ids) + len(r.ids) - 1 for r in rollouts]
    placed = [[(end, float(y))] for end, y in zip(ends, right, strict=True)]
    return _text(rollouts, placed, Counter(), balanced, context, on)


def _at_steps(rollout: Rollout, row: Sequence[float | None], lost: Counter) -> Placed:
    places = judged_at(rollout)
    shared = Counter(places)
    placed: Placed = []
    for at, label in zip(places, row, strict=True):
        if label is None or shared[at] > 1:
            lost["masked" if label is None else "shared token"] += 1
        else:
            placed.append((len(rollout.prompt_ids) + at, label))
    return placed


def _spread(rollout: Rollout, placed: Placed) -> Placed:
    """Each label on all tokens of the completion since the label before it."""
    starts = [len(rollout.prompt_ids), *(at + 1 for at, _ in placed)]
    return [(i, y) for start, (at, y) in zip(starts, placed, strict=False)
            for i in range(start, at + 1)]  # fmt: skip


def _text(rollouts, placed: list[Placed], lost: Counter, balanced, context, on) -> LabelledText:
    """Examples of these labels, each cut after its last one; rollouts without any are left out."""
    if on not in ("every", "last"):
        raise ValueError(f'on {on!r}: choose "every" or "last"')
    if context:
        lost["cut off"] = sum(at >= context for row in placed for at, _ in row)
        placed = [[(at, y) for at, y in row if at < context] for row in placed]
    count = sum(map(len, placed))
    if not count:
        raise ValueError("no labels are left: pass labelled rollouts that fit into the context")
    if on == "every":
        placed = [_spread(rollout, row) for rollout, row in zip(rollouts, placed, strict=True)]
    values = [y for row in placed for _, y in row]
    weights = class_weights(values) if balanced else (1.0, 1.0)
    pairs = zip(rollouts, placed, strict=True)
    examples = [_example(rollout, row, weights) for rollout, row in pairs if row]
    return LabelledText(merged(examples), len(examples), count, +lost)


def merged(examples: Sequence[Example]) -> list[Example]:
    """Equal rollouts with equal labels as one example that weighs as much as all of them.

    The loss over the whole set stays what it was, and a policy that often writes the same
    thought is read once. In the order in which each came first.
    """
    found: dict[tuple, list[Example]] = {}
    for example in examples:
        key = (tuple(example.ids), tuple(example.extra["label"]))
        found.setdefault(key, []).append(example)
    return [
        Example(group[0].ids, [len(group) * w for w in group[0].weights()], group[0].extra)
        for group in found.values()
    ]


def class_weights(values: Sequence[float]) -> tuple[float, float]:
    """(weight of wrong, weight of right) that give both half of the whole; mean weight 1.

    A soft label counts in part for each class. ValueError where one class is missing.
    """
    right = sum(values)
    wrong = len(values) - right
    if not right or not wrong:
        raise ValueError("all labels are of one class: nothing to balance, use balanced=False")
    return len(values) / (2 * wrong), len(values) / (2 * right)


def _example(rollout: Rollout, row: Placed, weights: tuple[float, float]) -> Example:
    ids = (rollout.prompt_ids + rollout.ids)[: row[-1][0] + 1]
    weight, label = [0.0] * len(ids), [0.0] * len(ids)
    for at, y in row:
        weight[at] = (1 - y) * weights[0] + y * weights[1]
        label[at] = y
    return Example(ids, weight, {"label": label})


def epochs(examples: Sequence[Example], rows: int, seed: int) -> Callable[[int], list[Example]]:
    """`examples(step)` for the training loop: `rows` a step, every epoch in a new order.

    A pure function of the step, so a run that was stopped goes on with the same examples.
    """

    @lru_cache(maxsize=4)
    def order(epoch: int) -> list[int]:
        return random.Random(f"{seed} {epoch}").sample(range(len(examples)), len(examples))

    def at(place: int) -> Example:
        epoch, i = divmod(place, len(examples))
        return examples[order(epoch)[i]]

    return lambda step: [at(place) for place in range(step * rows, (step + 1) * rows)]


def retokenize(rollouts: Sequence[Rollout], tokenizer) -> list[Rollout]:
    """The same texts in another tokenizer's ids, for a reader that has its own.

    Log-probabilities are lost (they are 0). ValueError for a rollout without its problem, or
    whose steps are not found again.
    """
    return [_retokenized(i, rollout, tokenizer) for i, rollout in enumerate(rollouts)]


def _retokenized(at: int, rollout: Rollout, tokenizer) -> Rollout:
    if rollout.problem is None:
        raise ValueError(f"rollout {at} has no problem, so its prompt's text is not known")
    prompt = tokenizer.encode(rollout.problem.prompt)
    shown = tokenizer.encode(rollout.text, add_special_tokens=False)
    ends = step_ends(tokenizer, shown)
    if len(ends) != len(rollout.step_ends):
        steps = len(rollout.step_ends)
        raise ValueError(f"rollout {at} has {steps} steps, and {len(ends)} in the new tokens")
    ids = shown + [tokenizer.eos_token_id] * rollout.finished
    return replace(rollout, prompt_ids=prompt, ids=ids, logprobs=[0.0] * len(ids), step_ends=ends)
