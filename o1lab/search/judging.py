"""What every search asks of a scorer: values in 0..1 of prefixes, and what they cost.

Scores of many problems' prefixes come from one call; the cost is the difference of the scorer's
ledger, shared out among the problems. A scorer without a ledger costs nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import fields

from o1lab.measure.compute import Ledger, forward_flops, shape_of
from o1lab.model.rollouts import Rollout
from o1lab.rewards.aggregate import AGGREGATIONS, aggregate
from o1lab.rewards.base import Scorer, score
from o1lab.search.reading import Reader, can_remember

Size = tuple[int, int, int]  # tokens of the prompt, tokens of the completion, steps


class Judge:
    """A scorer, with how its step scores become one value (`o1lab.rewards.aggregate`).

    A learned scorer (one with a `.ledger`) must be one whose price can be known before it is
    called: with a `.model` or a `.completer`, as the lab's are, or with a method
    `price(sizes) -> Ledger` that bounds what scoring these rollouts costs, where a size is
    (tokens of the prompt, of the completion, steps). ValueError otherwise.

    remember: a reward model reads every step once (`reading`), where its body allows it.
    outcome: the worth in 0..1 of a complete rollout; the scorer is then not asked about it.
    rules: the same of one that goes on, where that can be seen (a play without a move left), None
        elsewhere. worth: what a rollout of such a score is worth, in 0..1.
    """

    def __init__(
        self,
        scorer: Scorer,
        how: str = "last",
        remember: bool = False,
        outcome: Callable[[Rollout], float] | None = None,
        rules: Callable[[Rollout], float | None] | None = None,
        worth: Callable[[Rollout, float], float] | None = None,
    ):
        if how not in AGGREGATIONS:
            raise ValueError(f"no aggregation {how!r}: choose one of {', '.join(AGGREGATIONS)}")
        self.scorer, self.how = scorer, how
        self.outcome, self.rules, self.worth = outcome, rules, worth
        self.shape = shape_of(scorer.model.config) if hasattr(scorer, "model") else None
        self.reader = Reader(scorer) if remember and can_remember(scorer) else None
        self.price([(1, 1, 1)])

    def __call__(self, groups: Sequence[Sequence[Rollout]]) -> tuple[list[list[float]], list]:
        """(a value for each rollout of each problem, each problem's ledger), in one scorer call.

        A rollout without a step is worth 0. ValueError for a score or an outcome outside 0..1.
        """
        shown = [[self.shown(rollout) for rollout in group] for group in groups]
        pairs = [list(zip(*pair, strict=True)) for pair in zip(groups, shown, strict=True)]
        values, ledgers = self._ask([[r for r, known in pair if known is None] for pair in pairs])
        rows = [iter(row) for row in values]
        return [
            [next(row) if known is None else known for known in group]
            for group, row in zip(shown, rows, strict=True)
        ], ledgers

    def shown(self, rollout: Rollout) -> float | None:
        """What `outcome` or `rules` say, if they do. ValueError outside 0..1."""
        ask = self.outcome if rollout.finished else self.rules
        worth = ask(rollout) if ask else None
        if worth is not None and not 0 <= worth <= 1:
            raise ValueError(f"an outcome of {worth}: a search needs values in 0..1")
        return None if worth is None else float(worth)

    def _ask(self, groups: Sequence[Sequence[Rollout]]) -> tuple[list[list[float]], list]:
        flat = [rollout for group in groups for rollout in group]
        if not flat:
            return [[] for _ in groups], [Ledger() for _ in groups]
        before = self._ledger()
        rows = iter(score(self.reader or self.scorer, flat))
        total = minus(self._ledger(), before)
        values = [[self._value(rollout, next(rows)) for rollout in group] for group in groups]
        if self.reader:
            costs = iter(self.reader.costs)
            return values, [sum((next(costs) for _ in group), Ledger()) for group in groups]
        prices = [self.price([size(rollout) for rollout in group]) for group in groups]
        return values, shares(total, prices)

    def _value(self, rollout: Rollout, row: Sequence[float]) -> float:
        value = aggregate(row, self.how) if len(row) else 0.0
        value = self.worth(rollout, value) if self.worth and len(row) else value
        if not 0 <= value <= 1:
            raise ValueError(f"a value of {value}: a search needs scores in 0..1")
        return value

    def _ledger(self) -> Ledger:
        return getattr(self.scorer, "ledger", Ledger())

    def price(self, sizes: Sequence[Size]) -> Ledger:
        """The most that scoring one problem's rollouts of these sizes costs."""
        scorer = self.scorer
        if not hasattr(scorer, "ledger") or not sizes:
            return Ledger()
        if hasattr(scorer, "price"):
            return scorer.price(sizes)
        if hasattr(scorer, "model"):
            shared = getattr(scorer, "shared", False) and not self.reader
            return _reading(self.shape, sizes, shared)
        if hasattr(scorer, "completer"):
            return sum((_completing(scorer.completer, s) for s in sizes), Ledger())
        raise ValueError("this scorer has a ledger but no price: give it `price(sizes) -> Ledger`")


def size(rollout: Rollout, more: int = 0) -> Size:
    """A rollout's size, or what it can be with one step of `more` tokens behind it."""
    steps = len(rollout.step_ends) + (more > 0)
    return len(rollout.prompt_ids), len(rollout.ids) + more, steps


def _reading(config, sizes: Sequence[Size], shared: bool) -> Ledger:
    """A reward model reads each rollout whole; several of one prompt may read that once."""
    prompt, once = sizes[0][0], shared and len(sizes) > 1
    rows = [(0, prompt)] if once else []  # (tokens read before, tokens to read)
    rows += [(prompt, n) if once else (0, p + n) for p, n, _ in sizes]
    flops = [forward_flops(config, n, past + (n + 1) / 2, logits_tokens=0) for past, n in rows]
    return Ledger(scored_tokens=sum(n for _, n in rows), verifier_flops=sum(flops))


def _completing(completer, size: Size) -> Ledger:
    """A Monte-Carlo value writes n completions after every step."""
    read, n, new = size[0] + size[1], completer.n, completer.max_new_tokens
    config = completer.policy.model.config
    flops = forward_flops(config, read, (read + 1) / 2, logits_tokens=1)
    flops += n * forward_flops(config, new - 1, read + new / 2)
    return Ledger(size[2] * read, size[2] * n * new, policy_flops=size[2] * flops)


def minus(after: Ledger, before: Ledger) -> Ledger:
    """What was spent between two readings of a ledger."""
    return Ledger(*(getattr(after, f.name) - getattr(before, f.name) for f in fields(Ledger)))


def shares(total: Ledger, prices: Sequence[Ledger]) -> list[Ledger]:
    """The total shared out in proportion to the prices, field by field; tokens stay whole.

    The shares sum to the total, and where the total is at most the prices' sum no share is
    above its price.
    """
    columns = [_split(getattr(total, f.name), [getattr(p, f.name) for p in prices])
               for f in fields(Ledger)]  # fmt: skip
    return [Ledger(*row) for row in zip(*columns, strict=True)]


def _split(total, weights: Sequence) -> list:
    """`total` in proportion to the weights; where they are all 0 the first gets it."""
    whole, out, seen, given = sum(weights), [], 0, 0
    for weight in weights:
        seen += weight
        if not whole:
            upto = total
        else:
            upto = total * seen // whole if isinstance(total, int) else total * seen / whole
        out.append(upto - given)
        given = upto
    return out
