"""How a search tree gets its nodes: roots, and children with priors from the policy's own odds.

Leaves out where a tree grows (`mcts`).
"""

from collections.abc import Callable, Hashable, Sequence
from math import exp, fsum, log

from o1lab.model.rollouts import Rollout
from o1lab.search.tree import Node, Tree, walk
from o1lab.search.writing import Writer, merged
from o1lab.tasks.base import Problem

State = Callable[[Rollout], Hashable | None]


def plant(
    writer: Writer,
    problems: Sequence[Problem],
    roots: Sequence[Node | None] | None,
    state: State | None,
    more: int,
) -> list[Tree]:
    """A tree for each problem: new, or what is below the root given for it.

    more: tokens that must have room after a completion. ValueError if they have not, or if the
    roots are not one a problem or of another problem.
    """
    roots = [None] * len(problems) if roots is None else roots
    if len(roots) != len(problems):
        raise ValueError(
            f"{len(roots)} roots for {len(problems)} problems: give one (or None) each"
        )
    starts = [writer.start(problem, more) for problem in problems]
    for start, root in zip(starts, roots, strict=True):
        if root is not None and root.rollout.prompt_ids != start.prompt_ids:
            raise ValueError("a root is of another problem: give each problem its own")
    return [_tree(*each, state) for each in zip(problems, starts, roots, strict=True)]


def _tree(problem: Problem, start: Rollout, root: Node | None, state: State | None) -> Tree:
    """A root without a step has nothing to be judged by, and counts as judged."""
    root = Node(start, value=0.0) if root is None else root
    nodes = walk(root)
    tree = Tree(problem, root, made=1 + max(node.number for node in nodes))
    for node in nodes:
        _remember(tree, node, state)
    return tree


def add_children(
    tree: Tree,
    node: Node,
    group: Sequence[Rollout],
    ended: Callable[[Rollout], bool],
    state: State | None = None,
) -> list[Node]:
    """Make the sampled steps children, equal ones merged; returns the new nodes.

    A draw's prior is the softmax of its step's summed log-probability over all draws here, and a
    child's is the sum over the draws that are equal to it. state: nodes of one depth for which it
    gives the same, not None, are one node.
    """
    fresh, begun = [], len(node.rollout.ids)
    for rollout, same in merged(group):
        child = _known(tree, node, rollout, None if ended(rollout) else state)
        if child is None:
            child = Node(rollout, tree.made, node.number, ended(rollout))
            tree.made += 1
            _remember(tree, child, state)
            fresh.append(child)
        weights = [sum(draw.logprobs[begun:]) for draw in same]
        if child in node.children:
            at = node.children.index(child)
            node.weights[at] = log_sum_exp([node.weights[at], *weights])
        else:
            node.children.append(child)
            node.weights.append(log_sum_exp(weights))
    node.draws, node.rounds = node.draws + len(group), node.rounds + 1
    node.priors = softmax(node.weights)
    return fresh


def log_sum_exp(logs: Sequence[float]) -> float:
    """log of the sum of exponentials."""
    top = max(logs)
    return top + log(fsum(exp(value - top) for value in logs))


def softmax(logs: Sequence[float]) -> list[float]:
    """Exponentials over their sum."""
    whole = log_sum_exp(logs)
    return [exp(value - whole) for value in logs]


def _known(tree: Tree, node: Node, rollout: Rollout, state: State | None) -> Node | None:
    """The node that this rollout is already: a child here, or one of its state elsewhere."""
    for child in node.children:
        if (child.rollout.text, child.rollout.finished) == (rollout.text, rollout.finished):
            return child
    return tree.states.get(_key(rollout, state))


def _key(rollout: Rollout, state: State | None) -> Hashable | None:
    """Depth is in it, so that no path can lead back to where it was.

    For prefixes that go on: one that was cut has the steps, and so the state, of its parent.
    """
    known = state(rollout) if state and not rollout.finished else None
    return None if known is None else (len(rollout.step_ends), known)


def _remember(tree: Tree, node: Node, state: State | None) -> None:
    key = None if node.ended else _key(node.rollout, state)
    if key is not None:
        tree.states.setdefault(key, node)
