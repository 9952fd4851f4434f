"""An answer where a search found none: its most visited prefix, written to its end and paid for.

Leaves out the search (`mcts`), which asks for this only when told to.
"""

from collections.abc import Callable, Sequence

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.search.budget import Budget
from o1lab.search.leaves import verified
from o1lab.search.tree import Ending, Node, Tree, choose, endings_of
from o1lab.search.writing import Writer, spent


def reserve(writer: Writer, tree: Tree) -> Ledger:
    """The most that writing any prefix of this problem to its end can cost.

    That is a whole completion: what is read of a prefix need not be written. Nothing once the
    tree has an answer.
    """
    if _answered(tree):
        return Ledger()
    return writer.price(writer.start(tree.problem), 1, writer.max_new_tokens)


def _answered(tree: Tree) -> bool:
    return tree.verified is not None or choose(endings_of(tree), "score") is not None


def finish(
    writer: Writer,
    trees: Sequence[Tree],
    budget: Budget,
    check: Callable[[Rollout], bool] | None = None,
) -> None:
    """Write one prefix to its end in every tree without an answer, where the budget allows it.

    The score of such an ending is its prefix's Q: it is not judged.
    """
    places = []
    for tree in trees:
        if budget.holds(tree.ledger + reserve(writer, tree)) and not _answered(tree):
            places.append((tree, most_visited_prefix(tree.root)))
    rollouts = writer.rest([node.rollout for _, node in places])
    for (tree, node), rollout in zip(places, rollouts, strict=True):
        tree.ledger += spent(node.rollout, [rollout])
        tree.depth += 1
        if rollout.finished:
            tree.endings.append(Ending(rollout, node.q))
        if verified(check, rollout):
            tree.verified, tree.stopped = rollout, "verified"


def most_visited_prefix(root: Node) -> Node:
    """From the root by the most visited child, as long as it was visited and can go on."""
    node = root
    while able := [child for child in node.children if child.visits and not child.ended]:
        node = max(able, key=lambda child: child.visits)
    return node
