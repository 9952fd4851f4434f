"""What a leaf is worth: a score of its prefix, completions to the end, or a mix of both.

Every leaf is judged once. Leaves out which leaf is asked for (`mcts`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import fsum

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.search.judging import Judge, size
from o1lab.search.tree import Ending, Node, Tree
from o1lab.search.writing import Writer, spent

Leaf = tuple[Tree, Node]
Check = Callable[[Rollout], bool]


@dataclass(frozen=True)
class Leaves:
    """How leaves are judged: value = (1 - mix) score + mix rollout; see `mcts`."""

    writer: Writer
    scorer: Judge
    mix: float = 0.0
    rollouts: int = 1
    prune: float | None = None
    check: Check | None = None

    def judge(self, leaves: Sequence[Leaf]) -> None:
        """Give those leaves a value that have none: one scorer call, one policy call with `mix`.

        A prefix that was cut is worth 0, and nobody is asked. Costs go to the trees' ledgers.
        """
        new = list({id(node): (tree, node) for tree, node in leaves if node.value is None}.values())
        for _, node in new:
            if node.ended and not node.rollout.finished:
                node.value = 0.0
        new = [(tree, node) for tree, node in new if node.value is None]
        needed = [leaf for leaf in new if self._scored(leaf[1].rollout)]
        scores = self._scores([(tree, node.rollout) for tree, node in needed])
        score = {id(node): value for (_, node), value in zip(needed, scores, strict=True)}
        ends = self._outcomes(new, score) if self.mix else {}
        for _, node in new:
            value = (1 - self.mix) * score.get(id(node), 0.0)
            node.value = value + self.mix * ends[id(node)] if self.mix else value
            node.ended |= self.prune is not None and node.value <= self.prune

    def _scored(self, rollout: Rollout) -> bool:
        return self.mix < 1 or self._shown(rollout)

    def _shown(self, rollout: Rollout) -> bool:
        """Whether nothing is left to be found out by writing it to its end."""
        return rollout.finished or self.scorer.shown(rollout) is not None

    def _scores(self, asked: Sequence[tuple[Tree, Rollout]]) -> list[float]:
        """A score for each rollout; those of one tree go to the scorer side by side."""
        trees = list({id(tree): tree for tree, _ in asked}.values())
        groups = [[rollout for owner, rollout in asked if owner is tree] for tree in trees]
        values, ledgers = self.scorer(groups)
        for tree, ledger in zip(trees, ledgers, strict=True):
            tree.ledger += ledger
        rows = {id(tree): iter(row) for tree, row in zip(trees, values, strict=True)}
        return [next(rows[id(tree)]) for tree, _ in asked]

    def _outcomes(self, leaves: Sequence[Leaf], score: dict[int, float]) -> dict[int, float]:
        """Each leaf's mean outcome over its completions; one that shows its worth has its own."""
        worth = {
            id(n): score[id(n)] for _, n in leaves if id(n) in score and self._shown(n.rollout)
        }
        going = [(tree, node) for tree, node in leaves if id(node) not in worth]
        groups = self.writer.ends([n.rollout for _, n in going], self.rollouts) if going else []
        for (tree, node), group in zip(going, groups, strict=True):
            tree.ledger += spent(node.rollout, group)
        for tree in {id(tree): tree for tree, _ in going}.values():
            tree.depth += 1
        pairs = list(zip(going, groups, strict=True))
        done = [(leaf, r) for leaf, group in pairs for r in group if r.finished]
        values = self._scores([(tree, rollout) for (tree, _), rollout in done])
        sums = {id(node): [] for _, node in going}
        for ((tree, node), rollout), value in zip(done, values, strict=True):
            sums[id(node)].append(value)
            tree.endings.append(Ending(rollout, value))
            if not tree.stopped and verified(self.check, rollout):
                tree.verified, tree.stopped = rollout, "verified"
        return worth | {key: fsum(row) / self.rollouts for key, row in sums.items()}

    def price(self, rollout: Rollout, more: int = 0) -> Ledger:
        """The most that judging this prefix costs once `more` tokens, one step, are behind it."""
        asked = size(rollout, more)
        price = self.scorer.price([asked]) if self.mix < 1 or not self.scorer.outcome else Ledger()
        if not self.mix or rollout.finished:
            return price
        prompt, written, steps = asked
        new = self.writer.max_new_tokens
        price += self.writer.price(rollout, self.rollouts, new, more)
        if not self.scorer.outcome:
            price += self.scorer.price([(prompt, written + new, steps + new)] * self.rollouts)
        return price


def verified(check: Check | None, rollout: Rollout) -> bool:
    """Whether the verifier, if there is one, accepts this rollout as complete and right."""
    return check is not None and rollout.answer is not None and rollout.finished and check(rollout)
