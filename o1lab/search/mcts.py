"""Monte-Carlo tree search over steps of thought: PUCT with the policy's own prior.

A simulation descends to a node that can grow, samples steps there, judges one new child and backs
its value up. Many problems and many leaves share each engine and scorer call. Leaves out what the
policy and the scorer are asked for (`writing`, `judging`) and the answer's choice (`tree`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log, sqrt

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import Scorer
from o1lab.search.budget import Budget
from o1lab.search.expansion import State, add_children, plant
from o1lab.search.finishing import finish, reserve
from o1lab.search.judging import Judge
from o1lab.search.leaves import Leaves, verified
from o1lab.search.tree import Found, Node, Tree, check_choice, choose, endings_of, forget
from o1lab.search.writing import Writer, spent
from o1lab.tasks.base import Problem

Path = list[Node]


@dataclass(frozen=True)
class Settings:
    """How a tree grows.

    simulations: the most a problem gets. samples: steps drawn at an expansion, before equal ones
        are merged. batch: leaves a problem has in flight at once; 1 is the sequential search.
    c_init, c_base: of PUCT. fpu: how far below its parent's Q an unvisited child begins.
    backup: "mean" or "max" of the values below. how: the aggregation of step scores to a value.
    mix: a leaf's value is (1 - mix) score + mix rollout; rollouts: completions a leaf gets.
    widen: a node with N visits is expanded N^widen times, rounded down, `samples` draws each
        (progressive widening, Coulom 2007); at 0 once.
    prune: a prefix of this value or less is never sampled from; None prunes nothing.
    choose: how the answer is chosen, see `tree.choose`. finish: where there is none, the most
        visited prefix is written to its end, and the budget keeps what that costs in reserve.
    """

    simulations: int = 64
    samples: int = 4
    batch: int = 1
    c_init: float = 1.25
    c_base: float = 19652.0
    fpu: float = 0.2
    backup: str = "mean"
    how: str = "last"
    mix: float = 0.0
    rollouts: int = 1
    widen: float = 0.0
    prune: float | None = None
    choose: str = "score"
    finish: bool = False

    def __post_init__(self):
        if min(self.simulations, self.samples, self.batch, self.rollouts) < 1:
            raise ValueError("simulations, samples, batch and rollouts must be at least 1")
        if not (self.c_init >= 0 and self.c_base > 0 and self.fpu >= 0 and 0 <= self.widen < 1):
            raise ValueError("c_init, fpu at least 0, c_base above 0, widen in 0..1, below 1")
        if self.backup not in ("mean", "max"):
            raise ValueError(f'backup {self.backup!r}: choose "mean" or "max"')
        if not 0 <= self.mix <= 1:
            raise ValueError(f"mix is {self.mix}: 0 is the score alone and 1 the rollout")
        check_choice(self.choose)


DEFAULT, UNLIMITED = Settings(), Budget()


def best_child(node: Node, settings: Settings) -> int:
    """The place of the child to visit: the highest Q + c(s) P sqrt(sum N) / (1 + N), by PUCT.

    c(s) = c_init + log((1 + N(s) + c_base) / c_base). A child without visits counts Q(s) - fpu,
    at least 0. While none has visits the prior decides. Ties go to the first. Silver et al. 2018.
    """
    visits = sum(child.visits for child in node.children)
    if visits == 0:
        return node.priors.index(max(node.priors))
    c = settings.c_init + log((1 + node.visits + settings.c_base) / settings.c_base)
    unvisited = max(node.q - settings.fpu, 0.0)
    scores = [
        (child.q if child.visits else unvisited) + c * prior * sqrt(visits) / (1 + child.visits)
        for child, prior in zip(node.children, node.priors, strict=True)
    ]
    return scores.index(max(scores))


def backup(path: Path, value: float, how: str = "mean") -> None:
    """Give every node on the path a visit with this value; there is one player and no sign.

    how: Q becomes the "mean" of all values that came by, or their "max".
    """
    for node in path:
        node.visits += 1
        node.best = max(node.best, value)
        node.total = node.visits * node.best if how == "max" else node.total + value


def descend(root: Node, settings: Settings, growing: Sequence[Node] = ()) -> Path:
    """From the root, by the best child, to a node that is to grow, or has no children to go to.

    growing: nodes that another simulation samples from already; those with children are passed.
    """
    path = [root]
    while path[-1].children and (path[-1] in growing or not wants_more(path[-1], settings)):
        path.append(path[-1].children[best_child(path[-1], settings)])
    return path


def wants_more(node: Node, settings: Settings) -> bool:
    """Whether a node that was judged, and has not ended, was expanded too seldom for its visits."""
    rounds = int(max(node.visits, 1) ** settings.widen)
    return not node.ended and node.value is not None and node.rounds < rounds


def lose(path: Path, times: int = 1) -> None:
    """A virtual loss: visits of value 0, so that the next descent goes elsewhere; -1 undoes it."""
    for node in path:
        node.visits += times


@dataclass(frozen=True)
class _Run:
    """What all trees of one call share."""

    writer: Writer
    leaves: Leaves
    settings: Settings
    budget: Budget
    check: Callable[[Rollout], bool] | None
    state: State | None


def mcts(
    writer: Writer,
    problems: Sequence[Problem],
    scorer: Scorer,
    settings: Settings = DEFAULT,
    *,
    budget: Budget = UNLIMITED,
    check: Callable[[Rollout], bool] | None = None,
    outcome: Callable[[Rollout], float] | None = None,
    rules: Callable[[Rollout], float | None] | None = None,
    worth: Callable[[Rollout, float], float] | None = None,
    state: State | None = None,
    roots: Sequence[Node | None] | None = None,
    progress: bool = False,
) -> list[Found]:
    """Search a tree of steps for each problem, all of them together.

    writer: the policy and how it samples. scorer: judges prefixes and endings, each once.
    budget: of each problem, never overshot: what cannot be paid for at its worst is not begun.
    check: a verifier of complete rollouts; the first it accepts ends its problem's search.
    outcome: the worth in 0..1 of a complete rollout; without it the scorer's. rules: the same of
        one that goes on, or None where only the scorer knows. worth: from a rollout and its score
        to its value; without it the score.
    state: nodes of one depth for which it gives the same are one node; None keeps them apart.
    roots: a node a problem, of an earlier search of it, to go on from; None begins anew.

    The same seed gives the same trees. ValueError for bad settings, before any work.
    """
    from tqdm.auto import tqdm

    judge = Judge(scorer, settings.how, writer.remember, outcome, rules, worth)
    leaves = Leaves(writer, judge, settings.mix, settings.rollouts, settings.prune, check)
    run = _Run(writer, leaves, settings, budget, check, state)
    more = writer.max_new_tokens if settings.mix else 0
    trees = plant(writer, problems, roots, state, more)
    with tqdm(total=len(trees), disable=not progress, unit="problem") as bar:
        while active := [tree for tree in trees if not tree.stopped]:
            _simulate(run, active)
            bar.update(sum(bool(tree.stopped) for tree in active))
    if settings.finish:
        finish(writer, trees, budget, check)
    return [_found(tree, settings.choose) for tree in trees]


@dataclass
class _Flight:
    """A simulation under way: its path so far, and whether its last node is to be sampled from."""

    tree: Tree
    path: Path
    grows: bool


def _simulate(run: _Run, trees: Sequence[Tree]) -> None:
    """Up to `batch` simulations in every tree, with one policy call and one scorer call."""
    flights = [flight for tree in trees for flight in _gather(run, tree)]
    _expand(run, [flight for flight in flights if flight.grows])
    going = [flight for flight in flights if not flight.tree.stopped]
    for flight in going:
        if flight.grows:
            _step(flight.path, run.settings)
    run.leaves.judge([(flight.tree, flight.path[-1]) for flight in going])
    for flight in flights:
        lose(flight.path, -1)
    for flight in flights:
        if not flight.tree.stopped:
            _land(flight, run.settings)
    for tree in trees:
        _stop(tree, run.settings)


def _gather(run: _Run, tree: Tree) -> list[_Flight]:
    """Descents whose cost at its worst fits the budget; none is the end of the search."""
    flights, reserved, growing = [], tree.ledger, []
    reserved += reserve(run.writer, tree) if run.settings.finish else Ledger()
    wanted = min(run.settings.batch, run.settings.simulations - len(tree.history))
    while len(flights) < wanted:
        path = descend(tree.root, run.settings, growing)
        node, grows = path[-1], wants_more(path[-1], run.settings)
        reserved += _price(run, node, grows, node in growing)
        if not run.budget.holds(reserved):
            break
        growing += [node] if grows else []
        lose(path)
        flights.append(_Flight(tree, path, grows))
    if not flights:
        tree.stopped = "budget"
    return flights


def _price(run: _Run, node: Node, grows: bool, paid: bool) -> Ledger:
    """The most that a simulation which ends its descent here costs."""
    price = run.leaves.price(node.rollout, run.writer.step_tokens) if grows else Ledger()
    if grows and not paid:
        price += run.writer.price(node.rollout, run.settings.samples)
    if not grows and node.value is None:
        price += run.leaves.price(node.rollout)
    return price


def _expand(run: _Run, flights: Sequence[_Flight]) -> None:
    """Sample steps at the distinct nodes that are to grow, in one engine call."""
    nodes = {id(flight.path[-1]): (flight.tree, flight.path[-1]) for flight in flights}
    places = list(nodes.values())
    prefixes, rounds = [n.rollout for _, n in places], [n.rounds for _, n in places]
    groups = run.writer.steps(prefixes, run.settings.samples, rounds) if places else []
    for (tree, node), group in zip(places, groups, strict=True):
        tree.ledger += spent(node.rollout, group)
        for child in add_children(tree, node, group, run.writer.ended, run.state):
            if not tree.stopped and verified(run.check, child.rollout):
                tree.verified, tree.stopped = child.rollout, "verified"
    for tree in {id(tree): tree for tree, _ in places}.values():
        tree.depth += 1


def _step(path: Path, settings: Settings) -> None:
    """One more choice at the end of a path, which does not see its own virtual loss."""
    lose(path, -1)
    path.append(path[-1].children[best_child(path[-1], settings)])
    lose(path)


def _land(flight: _Flight, settings: Settings) -> None:
    """Back up what the path's last node is worth, and remember the simulation."""
    path, leaf = flight.path, flight.path[-1]
    value = leaf.q if leaf.children else leaf.value
    backup(path, value, settings.backup)
    flight.tree.history.append((tuple(node.number for node in path), value))
    for node in reversed(path):
        below = node.draws and not settings.widen and all(c.closed for c in node.children)
        node.closed = node.ended or bool(below)


def _stop(tree: Tree, settings: Settings) -> None:
    """A closed tree can learn nothing more; only its visits would move."""
    if not tree.stopped and tree.root.closed and settings.choose != "visits":
        tree.stopped = "closed"
    if not tree.stopped and len(tree.history) >= settings.simulations:
        tree.stopped = "simulations"


def _found(tree: Tree, how: str) -> Found:
    forget(tree)
    endings = endings_of(tree)
    chosen = tree.verified or choose(endings, how)
    return Found(
        problem=tree.problem,
        rollout=chosen,
        endings=endings,
        ledger=tree.ledger,
        depth=tree.depth,
        stopped=tree.stopped,
        tree=tree.root,
        history=tree.history,
    )
