"""What a search over steps leaves behind: endings, the one chosen, the tree, and what it cost.

Leaves out how a tree grows (`mcts`) and how it is drawn (`o1lab.show.tree`).
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.search.vote import weighted_vote
from o1lab.tasks.base import Problem

CHOICES = ("score", "visits", "vote")


@dataclass(eq=False)
class Node:
    """A prefix of steps in a search tree.

    rollout: the prefix; its `flops` are those of the steps on it. number: its place among the
        tree's nodes. parent: the number of the node it was first sampled from.
    ended: nothing can follow, for it is complete, was cut, or was pruned.
    priors: of the children, in their order; they sum to 1. weights: their logarithms before that.
    draws: steps sampled from here; rounds: in how many expansions.
    visits: N. total: W, the sum of the values backed up, so Q = W / N. best: the highest of them.
    value: what its one evaluation said; None before. closed: nothing below it can change.
    """

    rollout: Rollout
    number: int = 0
    parent: int | None = None
    ended: bool = False
    children: list["Node"] = field(default_factory=list)
    priors: list[float] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)
    draws: int = 0
    rounds: int = 0
    visits: int = 0
    total: float = 0.0
    best: float = 0.0
    value: float | None = None
    closed: bool = False

    @property
    def q(self) -> float:
        """Q, the worth of a visit here: W / N, and 0 before the first."""
        return self.total / self.visits if self.visits else 0.0


@dataclass
class Tree:
    """The search of one problem while it goes on.

    made: how many nodes have been. states: nodes by what makes two of them one. history: for each
    simulation the numbers of the nodes on its path and the value that it backed up. endings:
    complete rollouts found by rollouts, beside those that are nodes. verified: the rollout that
    the check accepted. stopped: why the search is over; "" before.
    """

    problem: Problem
    root: Node
    made: int = 1
    states: dict[Hashable, Node] = field(default_factory=dict)
    history: list[tuple[tuple[int, ...], float]] = field(default_factory=list)
    endings: list["Ending"] = field(default_factory=list)
    verified: Rollout | None = None
    ledger: Ledger = field(default_factory=Ledger)
    depth: int = 0
    stopped: str = ""


@dataclass(frozen=True)
class Ending:
    """A complete rollout with its score (None where it was never judged) and its visits."""

    rollout: Rollout
    score: float | None
    visits: int = 0


@dataclass(frozen=True)
class Found:
    """What a search of one problem came to.

    rollout: the chosen one, always complete and with an answer; None where none was found.
    endings: all complete rollouts, each once. ledger: what policy and verifier spent.
    depth: engine calls that had to wait for each other. stopped: "verified", "budget",
    "simulations", "closed" (nothing left to explore) or "ended" (beam: every beam has).
    tree, history: of MCTS, see `Node` and `Tree`.
    """

    problem: Problem
    rollout: Rollout | None
    endings: list[Ending]
    ledger: Ledger
    depth: int
    stopped: str
    tree: Node | None = None
    history: list[tuple[tuple[int, ...], float]] = field(default_factory=list)


def choose(endings: Sequence[Ending], how: str) -> Rollout | None:
    """The rollout to answer with, among judged endings that have an answer; None without one.

    how: "score" takes the best scored; "visits" the most visited, then the best scored; "vote"
    the best scored of the answer whose scores sum highest. Ties go to the first found.
    """
    check_choice(how)
    able = [e for e in endings if e.rollout.answer is not None and e.score is not None]
    if not able:
        return None
    if how == "vote":
        answer = weighted_vote([e.rollout.answer for e in able], [e.score for e in able])
        able = [e for e in able if e.rollout.answer == answer]
    visits = how == "visits"
    return max(able, key=lambda e: (e.visits if visits else 0, e.score)).rollout


def check_choice(how: str) -> None:
    """ValueError unless `how` is a way to choose."""
    if how not in CHOICES:
        raise ValueError(f"no choice {how!r}: choose one of {', '.join(CHOICES)}")


def walk(root: Node) -> list[Node]:
    """All nodes from here down, each once, parents first."""
    seen, out, todo = set(), [], [root]
    while todo:
        node = todo.pop(0)
        if id(node) not in seen:
            seen.add(id(node))
            out.append(node)
            todo += node.children
    return out


def forget(tree: Tree) -> None:
    """Let go of the keys and values of all prefixes, which are large."""
    for node in walk(tree.root):
        node.rollout.past = None


def endings_of(tree: Tree) -> list[Ending]:
    """The complete rollouts of a tree, each once: those that are nodes, then those of rollouts."""
    ended = [node for node in walk(tree.root) if node.rollout.finished]
    found = [Ending(node.rollout, node.value, node.visits) for node in ended] + tree.endings
    once: dict[str, Ending] = {}
    for ending in found:
        known = once.get(ending.rollout.text)
        if known is None or (known.score is None and ending.score is not None):
            once[ending.rollout.text] = ending
    return list(once.values())


def most_visited(node: Node) -> Node:
    """The child with the most visits, ties to the first: the step to take when one must be taken.

    ValueError for a node without children.
    """
    if not node.children:
        raise ValueError("this node has no children: search from it first")
    return max(node.children, key=lambda child: child.visits)


def tree_records(found: Found) -> dict:
    """A search tree as plain lists and numbers, as `o1lab.show.tree` takes it.

    {"prompt": the problem's, "nodes": [{"id", "parent", "text", "answer", "prior", "visits", "q",
    "value", "ended", "chosen"}], parents first, "paths": the node ids of each simulation,
    "values": what each backed up}. ValueError without a tree.
    """
    if found.tree is None:
        raise ValueError("this search kept no tree: beams have none")
    nodes = {node.number: node for node in walk(found.tree)}
    priors = {child.number: prior for node in reversed(nodes.values())
              for child, prior in zip(node.children, node.priors, strict=True)}  # fmt: skip
    rows = [_record(node, nodes.get(node.parent), priors.get(node.number, 1.0), found.rollout)
            for node in nodes.values()]  # fmt: skip
    paths = [[i for i in path if i in nodes] for path, _ in found.history]
    values = [value for _, value in found.history]
    return {"prompt": found.problem.prompt, "nodes": rows, "paths": paths, "values": values}


def _record(node: Node, above: Node | None, prior: float, chosen: Rollout | None) -> dict:
    ids, before = node.rollout.ids, above.rollout.text if above else ""
    return {
        "id": node.number,
        "parent": above.number if above else None,
        "text": node.rollout.text[len(before) :].strip(),
        "answer": node.rollout.answer if node.rollout.finished else None,
        "prior": prior,
        "visits": node.visits,
        "q": node.q,
        "value": node.value,
        "ended": node.ended,
        "chosen": chosen is not None and chosen.ids[: len(ids)] == ids,
    }
