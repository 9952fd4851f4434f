"""Exercises of notebook 05: which child to visit, and what a visit leaves behind on its way up."""

from math import log, sqrt

from o1lab.exercises import Exercise, Mistake
from o1lab.model.rollouts import Rollout
from o1lab.search.mcts import Settings
from o1lab.search.tree import Node

PLAIN = Settings(c_init=1.25, c_base=19652.0, fpu=0.2)


def _node(children=(), priors=(), visits=0, q=0.0) -> Node:
    node = Node(Rollout(None, [], [], [], ""), visits=visits, total=visits * q, best=q)
    node.children, node.priors = list(children), list(priors)
    return node


def _family(*rows) -> Node:
    """A node whose children have these (visits, q, prior)."""
    children = [_node(visits=n, q=q) for n, q, _ in rows]
    visits = sum(n for n, _, _ in rows)
    worth = sum(n * q for n, q, _ in rows) / max(visits, 1)
    return _node(children, [p for _, _, p in rows], visits + 1, worth)


def _best_child(fn) -> str | None:
    got = fn(_family((0, 0.0, 0.3), (0, 0.0, 0.7)), PLAIN)
    if isinstance(got, Node):
        return "give the child's place in node.children (an index), not the child itself"
    if got != 1:
        return "while no child has a visit, sqrt(0) wipes the bonus out: the prior must decide"
    if fn(_family((8, 0.9, 0.5), (8, 0.2, 0.5)), PLAIN) == 1:
        return "the sign is flipped: there is one player, a high Q is good for us"
    if fn(_family((1, 0.5, 0.5), (9, 0.5, 0.5)), PLAIN) != 0:
        return "the counts are swapped: sqrt of all visits above, 1 + the child's own below"
    if fn(_family((5, 0.5, 0.1), (5, 0.5, 0.9)), PLAIN) != 1:
        return "with equal Q and visits the prior decides: the bonus is c P sqrt(sum N) / (1 + N)"
    if fn(_family((1, 0.9, 0.95), (0, 0.0, 0.05)), PLAIN) == 1:
        return "an unvisited child is not +infinity: it starts at its parent's Q less fpu"
    if fn(_family((40, 0.8, 0.94), (0, 0.0, 0.06)), PLAIN) != 1:
        return "an unvisited child's Q is not 0: it starts at its parent's Q less fpu"
    return None


def _puct(node, settings, unvisited=None, sign=1, own=lambda n, all_: sqrt(all_) / (1 + n),
          prior=lambda p: p) -> int:  # fmt: skip
    visits = sum(child.visits for child in node.children)
    if visits == 0:
        return node.priors.index(max(node.priors))
    c = settings.c_init + log((1 + node.visits + settings.c_base) / settings.c_base)
    first = max(node.q - settings.fpu, 0.0) if unvisited is None else unvisited
    pairs = zip(node.children, node.priors, strict=True)
    scores = [
        sign * (child.q if child.visits else first) + c * prior(p) * own(child.visits, visits)
        for child, p in pairs
    ]
    return scores.index(max(scores))


def _unvisited_is_zero(node, settings):
    return _puct(node, settings, unvisited=0.0)


def _unvisited_first(node, settings):
    return _puct(node, settings, unvisited=float("inf"))


def _two_players(node, settings):
    return _puct(node, settings, sign=-1)


def _counts_swapped(node, settings):
    return _puct(node, settings, own=lambda n, all_: sqrt(1 + n) / (1 + all_))


def _no_prior(node, settings):
    return _puct(node, settings, prior=lambda p: 0.5)


def _forgets_the_start(node, settings):
    visits = sum(child.visits for child in node.children)
    return 0 if visits == 0 else _puct(node, settings)


def _gives_the_node(node, settings):
    return node.children[_puct(node, settings)]


def _backup(fn) -> str | None:
    path = [_node(), _node(), _node()]
    fn(path, 0.5)
    seen = [node.visits for node in path]
    if seen[0] == 0 and seen[-1]:
        return "the visits stop short of the root: every node on the path gets one"
    if seen != [1, 1, 1]:
        return f"one visit for every node on the path: yours have {seen}"
    fn(path, 1.0)
    totals = [round(node.total, 9) for node in path]
    if totals[0] < 0 or totals[1] < 0:
        return "no sign flip: there is one player, so the same value counts on every level"
    if totals == [1.0, 1.0, 1.0] and path[0].visits == 2:
        return "the last value replaced the sum: W adds up, and Q = W / N is their mean"
    if totals != [1.5, 1.5, 1.5]:
        return f"after values 0.5 and 1 W is 1.5 on every node, yours {totals}"
    other = [_node()]
    for value in (0.8, 0.2):
        fn(other, value, "max")
    if abs(other[0].q - 0.8) > 1e-9:
        return 'with "max" Q is the best value so far, 0.8 after 0.8 and 0.2: W = N times it'
    return None


def _not_the_root(path, value, how="mean"):
    _count(path[1:], value, how)


def _count(path, value, how):
    for node in path:
        node.visits += 1
        node.best = max(node.best, value)
        node.total = node.visits * node.best if how == "max" else node.total + value


def _flips(path, value, how="mean"):
    for i, node in enumerate(reversed(path)):
        _count([node], value if i % 2 == 0 else -value, how)


def _replaces(path, value, how="mean"):
    for node in path:
        node.visits += 1
        node.total = value


def _always_mean(path, value, how="mean"):
    _count(path, value, "mean")


def _only_the_leaf(path, value, how="mean"):
    _count(path[-1:], value, how)


EXERCISES = (
    Exercise(
        id="05.best_child",
        reference="o1lab.search.mcts.best_child",
        tests=_best_child,
        hints=(
            "Two lists side by side: node.children (each with .visits and .q) and node.priors.",
            "score = Q + c P sqrt(sum N) / (1 + N), and c is c_init + log((1 + N(s) + c_base) / "
            "c_base).",
            "A child without visits has no Q of its own: take max(node.q - settings.fpu, 0).",
        ),
        mistakes=(
            Mistake(_unvisited_is_zero, "is not 0"),
            Mistake(_unvisited_first, "not +infinity"),
            Mistake(_two_players, "sign is flipped"),
            Mistake(_counts_swapped, "counts are swapped"),
            Mistake(_no_prior, "the prior decides"),
            Mistake(_forgets_the_start, "the prior must decide"),
            Mistake(_gives_the_node, "an index"),
        ),
        minutes=15,
        difficulty=3,
    ),
    Exercise(
        id="05.backup",
        reference="o1lab.search.mcts.backup",
        tests=_backup,
        hints=(
            "For every node on the path: one more visit, and the value added to node.total.",
            "node.best keeps the highest value; with how == 'max' node.total is visits times best.",
        ),
        mistakes=(
            Mistake(_not_the_root, "short of the root"),
            Mistake(_flips, "no sign flip"),
            Mistake(_replaces, "replaced the sum"),
            Mistake(_always_mean, "best value so far"),
            Mistake(_only_the_leaf, "short of the root"),
        ),
        minutes=5,
    ),
)
