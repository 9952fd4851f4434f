"""Step-level beam search, with independent subtrees (DVTS) and look-ahead.

Many problems share each engine and scorer call. Leaves out what policy and scorer are asked for
(`writing`, `judging`). Sources: Snell et al. 2024 (beam, look-ahead); Beeching et al. 2024 (DVTS).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from o1lab.measure.compute import Ledger
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import Scorer
from o1lab.search.budget import Budget
from o1lab.search.judging import Judge, size
from o1lab.search.leaves import verified
from o1lab.search.tree import Ending, Found, check_choice, choose
from o1lab.search.writing import Writer, merged, spent
from o1lab.tasks.base import Problem

UNLIMITED = Budget()


@dataclass(frozen=True)
class Settings:
    """How a beam is kept.

    width: beams kept after each step, in each subtree. samples: steps drawn from each, before
        equal ones are merged. trees: independent subtrees; with width 1 this is DVTS.
    lookahead: a step is scored where the policy, taking its likeliest tokens, stands so many
        steps later; the beam itself does not move on.
    how: the aggregation of step scores to a beam's score. choose: "score" or "vote".
    """

    width: int = 4
    samples: int = 4
    trees: int = 1
    lookahead: int = 0
    how: str = "last"
    choose: str = "score"

    def __post_init__(self):
        if min(self.width, self.samples, self.trees) < 1 or self.lookahead < 0:
            raise ValueError("width, samples and trees must be at least 1, lookahead at least 0")
        check_choice(self.choose)
        if self.choose == "visits":
            raise ValueError('a beam has no visits: choose "score" or "vote"')


DEFAULT = Settings()


@dataclass(eq=False)
class Beam:
    """A prefix in the beam, its score, and whether nothing can follow it."""

    rollout: Rollout
    score: float = 0.0
    ended: bool = False


@dataclass
class _Hunt:
    """The search of one problem: a list of beams for each subtree, and what was found and spent."""

    problem: Problem
    beams: list[list[Beam]]
    endings: dict[str, Ending] = field(default_factory=dict)
    verified: Rollout | None = None
    ledger: Ledger = field(default_factory=Ledger)
    depth: int = 0
    stopped: str = ""


@dataclass(frozen=True)
class _Run:
    """What all problems of one call share."""

    writer: Writer
    judge: Judge
    settings: Settings
    budget: Budget
    check: Callable[[Rollout], bool] | None


@dataclass
class _Job:
    """One beam to be written on, in subtree number `tree`, and the children it got."""

    hunt: _Hunt
    tree: int
    beam: Beam
    children: list[Beam] = field(default_factory=list)


def keep(beams: Sequence[Beam], width: int) -> list[Beam]:
    """The `width` beams of highest score, ties to the first; each is there once."""
    return sorted(beams, key=lambda beam: -beam.score)[:width]


def beam_search(
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
    progress: bool = False,
) -> list[Found]:
    """Search each problem with a beam of steps, all problems together.

    A beam that has ended keeps its place while its score does, once, and is neither written on
    nor scored again. The search is over when every beam kept has ended.

    budget: of each problem, never overshot: the beams that cannot be paid for at their worst are
    given up, worst first. check: a verifier of complete rollouts; the first it accepts ends its
    problem's search. outcome: the worth in 0..1 of a complete rollout; without it the scorer's.
    rules: the same of one that goes on, or None where only the scorer knows. worth: from a rollout
    and its score to its value; without it the score.

    The same seed gives the same beams. ValueError for bad settings, before any work.
    """
    from tqdm.auto import tqdm

    judge = Judge(scorer, settings.how, writer.remember, outcome, rules, worth)
    run = _Run(writer, judge, settings, budget, check)
    starts = [writer.start(problem) for problem in problems]
    hunts = [
        _Hunt(problem, [[Beam(start)] for _ in range(settings.trees)])
        for problem, start in zip(problems, starts, strict=True)
    ]
    with tqdm(total=len(hunts), disable=not progress, unit="problem") as bar:
        while active := [hunt for hunt in hunts if not hunt.stopped]:
            _round(run, active)
            bar.update(sum(bool(hunt.stopped) for hunt in active))
    return [_found(hunt, settings.choose) for hunt in hunts]


def _round(run: _Run, hunts: Sequence[_Hunt]) -> None:
    """One step more for every beam that has not ended and can be paid for."""
    jobs = [job for hunt in hunts for job in _jobs(run, hunt)]
    _write(run, jobs)
    jobs = [job for job in jobs if not job.hunt.stopped]
    _score(run, jobs)
    for hunt in hunts:
        if not hunt.stopped:
            _select(hunt, [job for job in jobs if job.hunt is hunt], run.settings.width)


def _jobs(run: _Run, hunt: _Hunt) -> list[_Job]:
    """The beams to be written on: the best scored first, while their worst cost fits."""
    open_beams = [(t, b) for t, beams in enumerate(hunt.beams) for b in beams if not b.ended]
    jobs, reserved = [], hunt.ledger
    for tree, beam in sorted(open_beams, key=lambda pair: -pair[1].score):
        reserved += _price(run, beam.rollout)
        if not run.budget.holds(reserved):
            break
        jobs.append(_Job(hunt, tree, beam))
    if not jobs:
        hunt.stopped = "budget"
    return sorted(jobs, key=lambda job: job.tree)


def _price(run: _Run, rollout: Rollout) -> Ledger:
    """The most that a step after this beam costs, with its look-ahead and its scores."""
    writer, samples, more = run.writer, run.settings.samples, run.settings.lookahead
    price = writer.price(rollout, samples)
    for ahead in range(1, more + 1):
        one = writer.price(rollout, 1, more=ahead * writer.step_tokens)
        price = sum([one] * samples, price)
    prompt, written, steps = size(rollout, (more + 1) * writer.step_tokens)
    return price + run.judge.price([(prompt, written, steps + more)] * samples)


def _write(run: _Run, jobs: Sequence[_Job]) -> None:
    """Sample from every beam in one engine call; another subtree has draws of its own."""
    prefixes, trees = [job.beam.rollout for job in jobs], [job.tree for job in jobs]
    groups = run.writer.steps(prefixes, run.settings.samples, trees) if jobs else []
    for job, group in zip(jobs, groups, strict=True):
        job.hunt.ledger += spent(job.beam.rollout, group)
        job.children = [Beam(r, 0.0, run.writer.ended(r)) for r, _ in merged(group)]
        for child in job.children:
            _verify(run, job.hunt, child.rollout)
    _deeper(jobs)


def _deeper(jobs: Sequence[_Job]) -> None:
    for hunt in {id(job.hunt): job.hunt for job in jobs}.values():
        hunt.depth += 1


def _verify(run: _Run, hunt: _Hunt, rollout: Rollout) -> None:
    """Keep a complete rollout among the endings, and stop at the first that is verified."""
    if rollout.finished:
        hunt.endings.setdefault(rollout.text, Ending(rollout, None))
    if not hunt.stopped and verified(run.check, rollout):
        hunt.verified, hunt.stopped = rollout, "verified"


def _score(run: _Run, jobs: Sequence[_Job]) -> None:
    """Score every child where its look-ahead ends; one that was cut is worth 0."""
    pairs = [(job, child) for job in jobs for child in job.children]
    seen = _look_ahead(run, pairs)
    asked = [
        (job, child, rollout)
        for (job, child), rollout in zip(pairs, seen, strict=True)
        if rollout.finished or not run.writer.cut(rollout)
    ]
    hunts = list({id(job.hunt): job.hunt for job, _, _ in asked}.values())
    groups = [[rollout for job, _, rollout in asked if job.hunt is hunt] for hunt in hunts]
    values, ledgers = run.judge(groups)
    for hunt, row, ledger in zip(hunts, values, ledgers, strict=True):
        hunt.ledger += ledger
        mine = [(child, rollout) for job, child, rollout in asked if job.hunt is hunt]
        for (child, rollout), value in zip(mine, row, strict=True):
            child.score = value
            if rollout.finished:
                hunt.endings[rollout.text] = Ending(rollout, value)


def _look_ahead(run: _Run, pairs: Sequence[tuple[_Job, Beam]]) -> list[Rollout]:
    """Where each child is judged: itself, or what the policy makes of it some steps later."""
    seen = [child.rollout for _, child in pairs]
    for _ in range(run.settings.lookahead):
        going = [i for i, rollout in enumerate(seen) if not run.writer.ended(rollout)]
        groups = run.writer.steps([seen[i] for i in going], 1, greedy=True) if going else []
        for i, group in zip(going, groups, strict=True):
            hunt = pairs[i][0].hunt
            hunt.ledger += spent(seen[i], group)
            seen[i] = group[0]
            _verify(run, hunt, seen[i])
        _deeper([pairs[i][0] for i in going])
    return seen


def _select(hunt: _Hunt, jobs: Sequence[_Job], width: int) -> None:
    """Each subtree keeps the best of its own ended beams and new children."""
    for tree, beams in enumerate(hunt.beams):
        children = [child for job in jobs if job.tree == tree for child in job.children]
        able = [child for child in children if child.rollout.finished or not child.ended]
        hunt.beams[tree] = keep([beam for beam in beams if beam.ended] + able, width)
    if all(beam.ended for beams in hunt.beams for beam in beams):
        hunt.stopped = "ended"


def _found(hunt: _Hunt, how: str) -> Found:
    endings = list(hunt.endings.values())
    return Found(
        problem=hunt.problem,
        rollout=hunt.verified or choose(endings, how),
        endings=endings,
        ledger=hunt.ledger,
        depth=hunt.depth,
        stopped=hunt.stopped,
    )
