"""Training in rounds: expert iteration on one's own right answers, and a judge renewed each round.

A round that is done is never repeated; one that was killed goes on where its parts stopped.
Leaves out rationalisation (STaR's second try with the answer as a hint).
"""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace

from o1lab.measure.compute import ledger_of
from o1lab.model import training_state as state
from o1lab.model.batches import Example
from o1lab.model.checkpoints import Policy, save
from o1lab.model.generate import generate
from o1lab.model.rollouts import Rollout
from o1lab.model.settings import TrainConfig
from o1lab.model.train import train
from o1lab.rewards.base import is_right
from o1lab.rewards.examples import epochs
from o1lab.rewards.labels import Labels
from o1lab.rewards.models import PRM, Recipe, train_prm
from o1lab.rl.loop import learn
from o1lab.rl.policy_value import ActorCritic
from o1lab.rl.rewards import Reward
from o1lab.rl.settings import RLConfig
from o1lab.tasks.base import Problem, Task

DONE = "done.json"
Problems = Callable[[int], list[Problem]]


@dataclass(frozen=True)
class Sampling:
    """How many rollouts of each problem of a round, and how."""

    rollouts: int = 8
    max_new_tokens: int = 160
    temperature: float = 1.0
    seed: int = 0


@dataclass(frozen=True)
class ExpertConfig:
    """Settings of expert iteration. keep: the most different right rollouts kept a problem.

    restart: fine-tune the *starting* weights on each round's rollouts, as STaR and ReST-EM do
        against drift; else go on from the round before. rows: rollouts an update of `training`.
    """

    training: TrainConfig
    rounds: int = 3
    sampling: Sampling = field(default_factory=Sampling)
    keep: int = 4
    rows: int = 64
    restart: bool = True

    def __post_init__(self):
        if min(self.rounds, self.keep, self.rows) < 1:
            raise ValueError("rounds, keep and rows must be at least 1")


@dataclass(frozen=True)
class RefineConfig:
    """Settings of iterative refinement: what is labelled, how the judge and the policy learn."""

    rl: RLConfig
    rounds: int = 3
    sampling: Sampling = field(default_factory=Sampling)
    recipe: Recipe = PRM

    def __post_init__(self):
        if self.rounds < 1:
            raise ValueError(f"rounds is {self.rounds}: it must be at least 1")


def expert_iteration(
    policy: Policy,
    problems: Problems,
    task: Task,
    config: ExpertConfig,
    folder: str | Path | None = None,
    evaluate: Callable | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
) -> list[dict]:
    """Sample, keep what is right, fine-tune on it, again; the policy is trained in place.

    problems(round): a pure function. The other arguments are those of `train`; one record a
    round comes back. STaR (Zelikman et al. 2022) without hints; ReST-EM (Singh et al. 2024).
    ValueError when no rollout of a round is right.
    """
    start = copy.deepcopy(policy.model.state_dict())

    def one(number: int, place: Path | None) -> dict:
        rollouts = _sample(policy, problems(number), config.sampling, number)
        right = [is_right(task, rollout) for rollout in rollouts]
        kept = chosen(rollouts, right, config.keep)
        if not kept:
            raise ValueError(
                f"round {number}: none of {len(rollouts)} rollouts is right and finished: take "
                "easier problems, more rollouts or more new tokens."
            )
        if config.restart:
            policy.model.load_state_dict(start)
        examples = [Example(r.prompt_ids + r.ids, len(r.prompt_ids)) for r in kept]
        supply = epochs(examples, config.rows, config.sampling.seed)
        done = train(policy.model, supply, config.training, place, progress=progress)
        return {
            "right": fmean(right),
            "solved": len({r.problem.prompt for r in kept}) / len(problems(number)),
            "kept": len(kept),
            "flops": ledger_of(rollouts).flops + done.flops,
        }

    known = _identity(policy, problems, config)
    return _rounds(
        policy.model, policy.model, config.rounds, one, known, folder, evaluate, on_record
    )


def chosen(rollouts: Sequence[Rollout], right: Sequence[bool], keep: int) -> list[Rollout]:
    """The first `keep` different right and finished rollouts of each problem, in order."""
    found: dict[tuple, list[Rollout]] = {}
    for rollout, good in zip(rollouts, right, strict=True):
        mine = found.setdefault(tuple(rollout.prompt_ids), [])
        known = any(rollout.ids == other.ids for other in mine)
        if good and rollout.finished and not known and len(mine) < keep:
            mine.append(rollout)
    return [rollout for mine in found.values() for rollout in mine]


def refine(
    policy: Policy,
    labelled: Problems,
    problems: Problems,
    label: Callable[[Policy, list[Rollout]], Labels],
    reward: Callable[[object], Reward],
    config: RefineConfig,
    folder: str | Path | None = None,
    evaluate: Callable | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
) -> list[dict]:
    """The policy's fresh rollouts are labelled, a new PRM learns them, the policy learns from it.

    labelled(round), problems(iteration): pure functions; iterations are counted through.
    label(policy, rollouts): their step labels. reward(judge): the reward with the new PRM in it,
    such as `Reward(task, (steps(judge, "difference"),))`. Each round is leashed to its own start.
    One record a round comes back; with a folder, each round's judge is kept in it.
    """

    def one(number: int, place: Path | None) -> dict:
        rollouts = _sample(policy, labelled(number), config.sampling, number)
        labels = label(policy, rollouts)
        folders = [place / part if place else None for part in ("judge_run", "judge")]
        judge = train_prm(policy, rollouts, labels, config.recipe, folders[0], progress)
        if folders[1]:
            save(judge, folders[1])
        rl, begun = config.rl, number * config.rl.iterations
        rl = replace(rl, seed=rl.seed + number)
        made = learn(
            policy, lambda i: problems(begun + i), reward(judge), rl, place, progress=progress
        )
        last = {key: made.records[-1][key] for key in ("proxy", "true", "kl", "length")}
        sampled, training = ledger_of(rollouts), judge.recipe["training"]["flops"]
        spent = {
            "sampling_flops": sampled.flops,
            "label_flops": labels.ledger.flops,
            "judge_flops": training,
            "rl_flops": sum(made.flops.values()),
        }
        return last | {"labels": labels.count, "flops": sum(spent.values())} | spent

    holder = ActorCritic(policy.model, config.rl.critic)
    known = _identity(policy, labelled, config)
    return _rounds(policy.model, holder, config.rounds, one, known, folder, evaluate, on_record)


def _sample(policy: Policy, problems: list[Problem], how: Sampling, number: int) -> list[Rollout]:
    groups = generate(
        policy.model,
        policy.tokenizer,
        [problem.prompt for problem in problems],
        n=how.rollouts,
        max_new_tokens=how.max_new_tokens,
        temperature=how.temperature,
        seed=how.seed * 1_000_003 + number,
        problems=problems,
    )
    return [rollout for group in groups for rollout in group]


def _identity(policy: Policy, problems: Problems, config) -> dict:
    """What must be equal for resumed rounds to be the same rounds; more rounds may follow."""
    settings = {key: value for key, value in asdict(config).items() if key != "rounds"}
    settings["starting weights"] = state.fingerprint(policy.model)
    settings["first problems"] = [problem.prompt for problem in problems(0)][:3]
    return json.loads(json.dumps(settings))


def _rounds(model, holder, count, one, identity, folder, evaluate, on_record) -> list[dict]:
    """Each round once, or its result from the folder; flops are summed over rounds.

    holder: the module whose parameters the round's checkpoint names.
    """
    records, spent = [], 0.0
    for number in range(count):
        place = Path(folder) / f"round-{number}" if folder else None
        record = _found(place, holder, identity)
        if record is None:
            record = {"round": number, **one(number, place)}
            record["flops"] += spent
            record |= evaluate(model) if evaluate else {}
            if place:
                done = json.dumps({"identity": identity, "record": record})
                state.write_whole(place / DONE, done.encode())
        spent = record["flops"]
        records.append(record)
        if on_record:
            on_record(record)
    return records


def _found(place: Path | None, holder, identity: dict) -> dict | None:
    """The record of a round that is done, with its weights put into place; None for a new one."""
    if place is None or not (place / DONE).exists():
        return None
    found = json.loads((place / DONE).read_text())
    state.check_same(found["identity"], identity, place)
    state.load_state(place, holder, SimpleNamespace(state={}))
    return found["record"]
