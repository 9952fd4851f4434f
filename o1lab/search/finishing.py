"""An answer where a search found none: its most visited prefix, written to its end and paid for.

Leaves out the search (`mcts`), which asks for this only when told to.
"""

from collections.abc import Callable, Sequence

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.search.budget import Budget
from o1lab.search.leaves import verified
from o1lab.search.tree import Ending, Node, Tree, choose, endings_of, walk
from o1lab.search.writing import Writer, spent


def reserve(writer: Writer, tree: Tree) -> Ledger:
    """The most that writing some prefix of the tree, or a child of one, to its end can cost.

    Nothing once the tree has an answer.
    """
    if choose(endings_of(tree), "score") is not None:
        return Ledger()
    longest = max(len(node.rollout.ids) for node in walk(tree.root)) + writer.step_tokens
    start = writer.start(tree.problem)
    return writer.price(start, 1, writer.max_new_tokens, longest)


def finish(
    writer: Writer,
    trees: Sequence[Tree],
    budget: Budget,
    check: Callable[[Rollout], bool] | None = None,
) -> None:
    """Write one prefix to its end in every tree without an answer, where the budget allows it.

    All in one engine call. The score of such an ending is its prefix's Q: it is not judged.
    """
    open_trees = [t for t in trees if not t.verified and choose(endings_of(t), "score") is None]
    places = [(tree, most_visited_prefix(tree.root)) for tree in open_trees]
    places = [
        (tree, node)
        for tree, node in places
        if budget.holds(tree.ledger + writer.price(node.rollout, 1, writer.max_new_tokens))
    ]
    groups = writer.ends([node.rollout for _, node in places], 1) if places else []
    for (tree, node), group in zip(places, groups, strict=True):
        tree.ledger += spent(node.rollout, group)
        tree.depth += 1
        if group[0].finished:
            tree.endings.append(Ending(group[0], node.q))
        if verified(check, group[0]):
            tree.verified, tree.stopped = group[0], "verified"


def most_visited_prefix(root: Node) -> Node:
    """From the root by the most visited child, as long as it was visited and can go on."""
    node = root
    while able := [child for child in node.children if child.visits and not child.ended]:
        node = max(able, key=lambda child: child.visits)
    return node
