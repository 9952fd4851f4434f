"""The loop that PPO and GRPO share: sample, pay, look, update; with exact resume.

Leaves out what an advantage is (`experience`) and how good presets look (`ppo`, `grpo`).
"""

import copy
import json
import time
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch

from o1lab.measure.compute import Ledger, ledger_of
from o1lab.model import training_state as state
from o1lab.model.checkpoints import Policy
from o1lab.model.generate import generate
from o1lab.model.optimizers import make_optimizer
from o1lab.model.settings import learning_rate
from o1lab.model.updates import bf16_here, plain_attention
from o1lab.rl.experience import Experience, estimate, look
from o1lab.rl.metrics import describe
from o1lab.rl.objectives import next_beta
from o1lab.rl.policy_value import ActorCritic, reading_flops
from o1lab.rl.rewards import Reward, pay
from o1lab.rl.settings import FREE, RLConfig, as_training
from o1lab.rl.trouble import RLDiverged, check_look, check_update
from o1lab.rl.update import Updates, updates
from o1lab.tasks.base import Problem

__all__ = ["RLDiverged", "RLRecord", "learn"]
PARTS = ("rollout", "score", "look", "update")


@dataclass
class RLRecord:
    """How a run went and what it cost. flops: by part, evaluations not counted."""

    iterations: int
    samples: int
    flops: dict[str, float]
    seconds: dict[str, float]
    ledger: Ledger
    records: list[dict]


@dataclass
class _Run:
    """The counters of a run in progress; all of it goes into a checkpoint."""

    beta: float
    step: int = 0
    samples: int = 0
    flops: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    ledger: dict = field(default_factory=lambda: asdict(Ledger()))


@dataclass
class _Job:
    """What stays the same from one iteration to the next."""

    policy: Policy
    model: ActorCritic
    reference: object
    optimizer: object
    problems: Callable[[int], list[Problem]]
    reward: Reward
    config: RLConfig
    folder: Path | None
    evaluate: Callable | None
    on_record: Callable | None
    identity: dict
    records: list[dict]


def learn(
    policy: Policy,
    problems: Callable[[int], list[Problem]],
    reward: Reward,
    config: RLConfig,
    folder: str | Path | None = None,
    evaluate: Callable | None = None,
    progress: bool = True,
    on_record: Callable[[dict], None] | None = None,
    reference=None,
    critic=None,
) -> RLRecord:
    """Train `policy.model` in place by reinforcement and return the record.

    problems(iteration): the problems to sample, a pure function (see `experience.drawn`).
    folder: holds state.safetensors and metrics.jsonl. A run that was killed goes on from there
        and ends with the same bits (same machine, same thread count).
    evaluate(model): a dict of numbers, before the first iteration, every `eval_every` and last.
    reference: the model it is leashed to; by default a copy of the policy as it is now.
    critic: the body a separate value function starts from, by default the policy's.

    Raises OSError before any work if the folder can't hold a checkpoint, ValueError if it holds
    another run, RLDiverged if numbers are not finite or the policy has run away.
    """
    model = ActorCritic(policy.model, config.critic, critic)
    reference = copy.deepcopy(policy.model) if reference is None else reference
    optimizer = make_optimizer(model, as_training(config))
    folder = Path(folder) if folder else None
    identity, run, records = {}, _Run(config.beta), []
    if folder:
        state.prepare(folder, model)
        identity = _identity(model, reference, problems, reward, config)
        run, records = _resume(folder, model, optimizer, identity, run)
    job = _Job(policy, model, reference.eval(), optimizer, problems, reward, config, folder,
               evaluate, on_record, identity, records)  # fmt: skip
    was_training = policy.model.training
    try:
        model.eval()  # no dropout anywhere, also while training
        _loop(job, run, progress)
    finally:
        policy.model.train(was_training)
    ledger = Ledger(**run.ledger)
    return RLRecord(run.step, run.samples, run.flops, run.seconds, ledger, job.records)


def _identity(model, reference, problems, reward: Reward, config: RLConfig) -> dict:
    """What must be equal for a resumed run to be the same run."""
    settings = {key: value for key, value in asdict(config).items() if key not in FREE}
    settings["starting weights"] = state.fingerprint(model)
    settings["reference"] = state.fingerprint(reference)
    settings["reward"] = [[part.name, part.weight] for part in reward.parts]
    settings["no answer"] = reward.no_answer
    settings["first problems"] = [problem.prompt for problem in problems(0)][:3]
    return json.loads(json.dumps(settings))


def _resume(folder: Path, model, optimizer, identity: dict, run: _Run) -> tuple[_Run, list[dict]]:
    found = state.read_counters(folder)
    if found is None:
        return run, state.read_metrics(folder, 0)
    state.check_same(found["identity"], identity, folder)
    state.load_state(folder, model, optimizer)
    return _Run(**found["run"]), state.read_metrics(folder, found["run"]["step"])


def _loop(job: _Job, run: _Run, progress: bool) -> None:
    from tqdm.auto import tqdm

    if job.evaluate and not job.records and run.step == 0:
        _keep(job, {"step": 0, "flops": 0.0, **job.evaluate(job.policy.model)})
    total = job.config.iterations
    with tqdm(total=total, initial=run.step, disable=not progress, unit="iteration") as bar:
        while run.step < total:
            record = _iterate(job, run)
            _keep(job, record)
            bar.update()
            rate = run.samples / sum(run.seconds.values())
            bar.set_postfix_str(f"{rate:,.0f} samples/s, reward {record['proxy']:.3f}")
    _save(job, run)


def _iterate(job: _Job, run: _Run) -> dict:
    """One iteration: what was seen is checked, then saved, and only then learned from."""
    config = job.config
    rate = learning_rate(run.step, as_training(config))
    for group in job.optimizer.param_groups:
        group["lr"] = rate
    beta, seen = run.beta, _experience(job, run)
    columns = estimate(seen, config, beta)
    facts = describe(seen, job.reward, columns, config.rollouts)
    with _last_good(job):
        check_look(run.step, facts, config, beta, rate, job.folder)
        if run.step % config.save_every == 0:
            _save(job, run)
        with _timed(run, "update"), _attention(job):
            made = updates(job.model, job.optimizer, seen, columns, config, beta, run.step)
        check_update(run.step, made, rate, job.folder)
    _count(job, run, seen, made, facts)
    evaluated = _evaluated(job, run)
    return _record(run, facts, made, beta, rate) | evaluated


def _experience(job: _Job, run: _Run) -> Experience:
    config, problems = job.config, job.problems(run.step)
    with _timed(run, "rollout"):
        groups = generate(
            job.policy.model,
            job.policy.tokenizer,
            [problem.prompt for problem in problems],
            n=config.rollouts,
            max_new_tokens=config.max_new_tokens,
            temperature=config.temperature,
            seed=config.seed * 1_000_003 + run.step,
            problems=problems,
        )
    rollouts = [rollout for group in groups for rollout in group]
    with _timed(run, "score"):
        paid = pay(job.reward, rollouts, cut_goes_on=config.at_limit == "bootstrap")
    with _timed(run, "look"), _attention(job):
        precision = partial(_precision, job)
        return look(job.model, job.reference, rollouts, paid, config, run.step, precision)


def _precision(job: _Job):
    """bfloat16 where the settings say so, for every pass alike."""
    device = next(job.model.parameters()).device.type
    low = bf16_here(job.config.bf16, device)
    return torch.autocast(device, torch.bfloat16) if low else nullcontext()


def _attention(job: _Job) -> ExitStack:
    """The training loop's attention, in every body that is read."""
    stack = ExitStack()
    for body in (job.model.policy, job.model.body, job.reference):
        if body is not None:
            stack.enter_context(plain_attention(body))
    return stack


class _timed:
    """Adds the seconds spent inside to one part of the run."""

    def __init__(self, run: _Run, part: str):
        self.run, self.part = run, part

    def __enter__(self):
        self.began = time.perf_counter()

    def __exit__(self, *problem):
        self.run.seconds[self.part] += time.perf_counter() - self.began


class _last_good:
    """Puts the folder's checkpoint back into the model when an iteration has gone wrong."""

    def __init__(self, job: _Job):
        self.job = job

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        job, ruined = self.job, kind is not None and issubclass(kind, RLDiverged)
        if ruined and job.folder and (job.folder / state.STATE).exists():
            state.load_state(job.folder, job.model, job.optimizer)


def _count(job: _Job, run: _Run, seen: Experience, made: Updates, facts: dict) -> None:
    """Counters, ledger, and the adaptive leash."""
    config, rollouts = job.config, seen.rollouts
    sampled, scored = ledger_of(rollouts), seen.paid.ledger
    flops = {
        "rollout": sampled.policy_flops,
        "score": scored.flops,
        "look": job.model.flops(rollouts) + reading_flops(job.reference.config, rollouts),
        "update": 3 * job.model.flops([rollouts[i] for i in made.read]),
    }
    for part, spent in flops.items():
        run.flops[part] += spent
    trained = Ledger(policy_flops=flops["look"] + flops["update"])
    run.ledger = asdict(Ledger(**run.ledger) + sampled + scored + trained)
    run.samples += len(rollouts)
    run.step += 1
    if config.kl_target:
        horizon = config.kl_horizon
        run.beta = next_beta(run.beta, facts["kl"], config.kl_target, len(rollouts), horizon)


def _record(run: _Run, facts: dict, made: Updates, beta: float, rate: float) -> dict:
    return {
        "step": run.step,
        **facts,
        **made.tally.means(),
        "loss": made.loss,
        "grad_norm": made.norm,
        "updates": made.count,
        "stopped_early": made.stopped,
        "beta": beta,
        "lr": rate,
        "samples": run.samples,
        "flops": sum(run.flops.values()),
        **{f"{part}_flops": spent for part, spent in run.flops.items()},
        "seconds": round(sum(run.seconds.values()), 3),
        **{f"{part}_seconds": round(spent, 3) for part, spent in run.seconds.items()},
    }


def _evaluated(job: _Job, run: _Run) -> dict:
    """What `evaluate` says where it is due, else nothing."""
    every, last = job.config.eval_every, run.step == job.config.iterations
    due = job.evaluate and (last or (every and run.step % every == 0))
    return job.evaluate(job.policy.model) if due else {}


def _keep(job: _Job, record: dict) -> None:
    job.records.append(record)
    if job.folder:
        state.append_metrics(job.folder, record)
    if job.on_record:
        job.on_record(record)


def _save(job: _Job, run: _Run) -> None:
    if job.folder:
        counters = {"identity": job.identity, "run": asdict(run)}
        state.save_state(job.folder, job.model, job.optimizer, counters)
