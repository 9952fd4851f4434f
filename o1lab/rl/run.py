"""A run in progress: its counters, files and clock. Leaves out what an iteration does (`loop`)."""

import json
import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from o1lab.measure.compute import Ledger
from o1lab.model import training_state as state
from o1lab.model.checkpoints import Policy
from o1lab.rl.policy_value import ActorCritic
from o1lab.rl.rewards import Reward
from o1lab.rl.settings import FREE, RLConfig
from o1lab.rl.trouble import RLDiverged
from o1lab.tasks.base import Problem

PARTS = ("rollout", "score", "look", "update")


@dataclass
class Run:
    """The counters of a run in progress; all of it goes into a checkpoint."""

    beta: float
    step: int = 0
    samples: int = 0
    flops: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    ledger: dict = field(default_factory=lambda: asdict(Ledger()))


@dataclass
class Job:
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


def identity_of(model, reference, problems, reward: Reward, config: RLConfig) -> dict:
    """What must be equal for a resumed run to be the same run."""
    settings = {key: value for key, value in asdict(config).items() if key not in FREE}
    settings["starting weights"] = state.fingerprint(model)
    settings["reference"] = state.fingerprint(reference)
    settings["reward"] = [[part.name, part.weight] for part in reward.parts]
    settings["no answer"] = reward.no_answer
    settings["first problems"] = [problem.prompt for problem in problems(0)][:3]
    return json.loads(json.dumps(settings))


def resume(folder: Path, model, optimizer, identity: dict, run: Run) -> tuple[Run, list[dict]]:
    found = state.read_counters(folder)
    if found is None:
        return run, state.read_metrics(folder, 0)
    state.check_same(found["identity"], identity, folder)
    state.load_state(folder, model, optimizer)
    return Run(**found["run"]), state.read_metrics(folder, found["run"]["step"])


@contextmanager
def timed(run: Run, part: str):
    """Adds the seconds spent inside to one part of the run."""
    began = time.perf_counter()
    try:
        yield
    finally:
        run.seconds[part] += time.perf_counter() - began


@contextmanager
def last_good(job: Job):
    """Puts the folder's checkpoint back into the model when an iteration has gone wrong."""
    try:
        yield
    except RLDiverged:
        if job.folder and (job.folder / state.STATE).exists():
            state.load_state(job.folder, job.model, job.optimizer)
        raise


def keep(job: Job, record: dict) -> None:
    job.records.append(record)
    if job.folder:
        state.append_metrics(job.folder, record)
    if job.on_record:
        job.on_record(record)


def save(job: Job, run: Run) -> None:
    if job.folder:
        counters = {"identity": job.identity, "run": asdict(run)}
        state.save_state(job.folder, job.model, job.optimizer, counters)
