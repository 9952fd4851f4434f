"""The loop that PPO and GRPO share: sample, pay, look, update; with exact resume.

Leaves out what an advantage is (`experience`) and which settings are good (`ppo`, `grpo`).
"""

import copy
from collections.abc import Callable
from contextlib import ExitStack, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch

from o1lab.measure.compute import Ledger, ledger_of
from o1lab.model import training_state as state
from o1lab.model.checkpoints import Policy
from o1lab.model.generate import generate
from o1lab.model.updates import bf16_here, in_full, plain_attention
from o1lab.rl.experience import Experience, estimate, look
from o1lab.rl.metrics import describe
from o1lab.rl.objectives import next_beta
from o1lab.rl.policy_value import ActorCritic
from o1lab.rl.rewards import Reward, pay
from o1lab.rl.run import Job, Run, identity_of, keep, last_good, resume, save, timed
from o1lab.rl.settings import RLConfig, annealed
from o1lab.rl.trouble import RLDiverged, check_look, check_update
from o1lab.rl.update import Updates, updates
from o1lab.tasks.base import Problem

__all__ = ["RLDiverged", "RLRecord", "learn"]


@dataclass
class RLRecord:
    """How a run went and what it cost. flops: by part, evaluations not counted."""

    iterations: int
    samples: int
    flops: dict[str, float]
    seconds: dict[str, float]
    ledger: Ledger
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
    """Train `policy.model` in place, in float32, by reinforcement and return the record.

    problems(iteration): the problems to sample, a pure function (see `experience.drawn`).
    folder: holds state.safetensors and metrics.jsonl. A run that was killed goes on from there
        and ends with the same bits (same machine, same thread count).
    evaluate(model): a dict of numbers, before the first iteration, every `eval_every` and last.
    reference: the model it is leashed to; by default a copy of the policy as it is now.
    critic: the body a separate value function starts from, by default the policy's.

    Raises OSError before any work if the folder can't hold a checkpoint, ValueError if it holds
    another run, RLDiverged if numbers are not finite or the policy has run away.
    """
    model = in_full(ActorCritic(policy.model, config.critic, critic))
    reference = copy.deepcopy(policy.model) if reference is None else reference
    optimizer = model.optimizer(config)
    folder = Path(folder) if folder else None
    identity, run, records = {}, Run(config.beta), []
    if folder:
        state.prepare(folder, model)
        identity = identity_of(model, reference, problems, reward, config)
        run, records = resume(folder, model, optimizer, identity, run)
    job = Job(policy, model, reference.eval(), optimizer, problems, reward, config, folder,
               evaluate, on_record, identity, records)  # fmt: skip
    was_training = policy.model.training
    try:
        model.eval()  # no dropout anywhere, also while training
        _loop(job, run, progress)
    finally:
        policy.model.train(was_training)
    ledger = Ledger(**run.ledger)
    return RLRecord(run.step, run.samples, run.flops, run.seconds, ledger, job.records)


def _loop(job: Job, run: Run, progress: bool) -> None:
    from tqdm.auto import tqdm

    if job.evaluate and not job.records and run.step == 0:
        keep(job, {"step": 0, "flops": 0.0, **job.evaluate(job.policy.model)})
    total = job.config.iterations
    with tqdm(total=total, initial=run.step, disable=not progress, unit="iteration") as bar:
        while run.step < total:
            record = _iterate(job, run)
            keep(job, record)
            bar.update()
            rate = run.samples / sum(run.seconds.values())
            bar.set_postfix_str(f"{rate:,.0f} samples/s, reward {record['proxy']:.3f}")
    save(job, run)


def _iterate(job: Job, run: Run) -> dict:
    """One iteration: what was seen is checked, then saved, and only then learned from."""
    config = job.config
    rate = annealed(config, run.step)
    for group in job.optimizer.param_groups:
        group["lr"] = rate * group["times"]
    beta, seen = run.beta, _experience(job, run)
    columns = estimate(seen, config, beta)
    facts = describe(seen, job.reward, columns, config.rollouts)
    with last_good(job):
        check_look(run.step, facts, config, beta, rate, job.folder)
        if run.step % config.save_every == 0:
            save(job, run)
        with timed(run, "update"), _attention(job):
            made = updates(job.model, job.optimizer, seen, columns, config, beta, run.step)
        check_update(run.step, made, rate, job.folder)
    _count(job, run, seen, made, facts)
    evaluated = _evaluated(job, run)
    return _record(run, facts, made, beta, rate) | evaluated


def _experience(job: Job, run: Run) -> Experience:
    config, problems = job.config, job.problems(run.step)
    with timed(run, "rollout"):
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
    with timed(run, "score"):
        paid = pay(job.reward, rollouts, cut_goes_on=config.at_limit == "bootstrap")
    with timed(run, "look"), _attention(job):
        precision = partial(_precision, job)
        return look(job.model, job.reference, rollouts, paid, config, run.step, precision)


def _precision(job: Job):
    """bfloat16 where the settings say so, for every pass alike."""
    device = next(job.model.parameters()).device.type
    low = bf16_here(job.config.bf16, device)
    return torch.autocast(device, torch.bfloat16) if low else nullcontext()


def _attention(job: Job) -> ExitStack:
    """The training loop's attention, in every body that is read."""
    stack = ExitStack()
    for body in (job.model.policy, job.model.body, job.reference):
        if body is not None:
            stack.enter_context(plain_attention(body))
    return stack


def _count(job: Job, run: Run, seen: Experience, made: Updates, facts: dict) -> None:
    """Counters, ledger, and the adaptive leash."""
    config, rollouts = job.config, seen.rollouts
    sampled, scored = ledger_of(rollouts), seen.paid.ledger
    flops = {
        "rollout": sampled.policy_flops,
        "score": scored.flops,
        "look": seen.flops,
        "update": made.flops,
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


def _record(run: Run, facts: dict, made: Updates, beta: float, rate: float) -> dict:
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


def _evaluated(job: Job, run: Run) -> dict:
    """What `evaluate` says where it is due, else nothing."""
    every, last = job.config.eval_every, run.step == job.config.iterations
    due = job.evaluate and (last or (every and run.step % every == 0))
    return job.evaluate(job.policy.model) if due else {}
