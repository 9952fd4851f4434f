"""`make checkpoints`: every shipped file from nothing, resumable. Leaves out the exams (`exam`).

Each recipe is a start, a mixture of text and a number of updates; its record is written beside
the weights with what the *saved* file can do.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path

from o1lab.make import corpus
from o1lab.make.corpus import HARD
from o1lab.measure.hardware import describe
from o1lab.paths import data_dir
from o1lab.tasks import task
from o1lab.tasks.lessons import lesson

STORY_LEVELS = tuple((depth, 1) for depth in range(1, 9))
COUNT_LEVELS = ((3, 2), (4, 4), (5, 1), (6, 1))
HARD_LEVELS = ((4, 1),)
BASE = (  # two thirds of its tokens are drills: facts must be certain before reasoning counts
    (corpus.drill, 40),
    (corpus.story_of_facts, 4),
    (corpus.countdown_of_facts, 6),
    (corpus.noisy_story, 5),
    (corpus.noisy_countdown, 8),
)
ECHOES = ((corpus.echo, 40), (corpus.drill, 24), *BASE[1:])  # first to look up a word, then who
FINDS = ((corpus.echo, 10), (corpus.look_ups, 40), (corpus.drill, 16), *BASE[1:])
PRACTICE = ((corpus.drill, 1), (corpus.story_of_facts, 1), (corpus.countdown_of_facts, 1))


@dataclass(frozen=True)
class Recipe:
    """How one checkpoint is made. tokens: non-padding tokens an update; start: another's name.

    decay: share of the updates in which the learning rate falls. shipped: False for a stage on
    the way, which stays in the work folder.
    """

    name: str
    start: str | None
    mixture: tuple
    updates: int
    tokens: int = 16_384
    learning_rate: float = 3e-3
    size: str = "m"
    seed: int = 0
    decay: float = 0.2
    optimizer: str = "adamw"
    shipped: bool = True


def _tuned(name: str, start: str, mixture: tuple, updates: int, **changes) -> Recipe:
    """Tuning steps are small and many: who has what in a story is learned by updates."""
    return Recipe(name, start, mixture, updates, 4096, 4e-3, optimizer="muon", **changes)


def recipes() -> list[Recipe]:
    """Every shipped checkpoint, in the order in which they are made."""
    stories, countdown = task("stories"), task("countdown")
    out = [
        Recipe("base-1", None, BASE, 1000, decay=0.45, shipped=False),
        Recipe("base-2", "base-1", BASE, 450, learning_rate=2e-3, decay=0.5, shipped=False),
        Recipe("base-3", "base-2", BASE, 250, learning_rate=1.5e-3, decay=0.6, shipped=False),
        Recipe("base-4", "base-3", BASE, 120, learning_rate=8e-4, decay=0.8, shipped=False),
        _tuned("base-5", "base-4", ECHOES, 500, decay=0.1, shipped=False),
        _tuned("base-6", "base-5", FINDS, 800, decay=0.1, shipped=False),
        _tuned("base", "base-6", (*BASE, (corpus.echo, 6), (corpus.look_ups, 12)), 700, decay=0.8),
    ]
    for kind, way in (("cot", corpus.thought), ("direct", corpus.at_once)):
        told = ((way(stories, STORY_LEVELS), 27), *PRACTICE)
        count = ((way(countdown, COUNT_LEVELS), 12), (way(HARD, HARD_LEVELS), 15), *PRACTICE)
        out.append(_tuned(f"stories-{kind}", "base", told, 2000, decay=0.4))
        stages = [f"countdown-{kind}-{i}" for i in (1, 2, 3)]
        out.append(_tuned(stages[0], "base", count, 1600, decay=0.4, shipped=False))
        out.append(_tuned(stages[1], stages[0], count, 4000, decay=0.4, shipped=False))
        plans = _planned(kind, way, HARD, 40, 1)
        out.append(_tuned(stages[2], stages[1], plans, 4000, decay=0.5, shipped=False))
        plans = _planned(kind, way, lesson("countdown")[0], 30, 2)
        out.append(_tuned(f"countdown-{kind}", stages[2], plans, 3000, decay=0.6))
    return out


def _planned(kind: str, way, world, share: int, steps: int) -> tuple:
    """Mostly the first steps of hard puzzles; answers for a model that does not think."""
    plans = corpus.plan(world, HARD_LEVELS, steps) if kind == "cot" else way(world, HARD_LEVELS)
    some = (way(task("countdown"), COUNT_LEVELS), 3)
    return ((plans, share), (way(world, HARD_LEVELS), 6 * steps), some, *PRACTICE)


def make(recipe: Recipe, work: Path, updates: int | None = None) -> Path:
    """Train one checkpoint (resuming what `work` holds) and save it under `data/checkpoints`."""
    from o1lab.model.checkpoints import Policy, load, save
    from o1lab.model.network import tiny_policy
    from o1lab.model.tokens import build_tokenizer
    from o1lab.model.train import TrainConfig, train

    if recipe.start:
        start = load(_place(recipe.start, work))
    else:
        start = Policy(tiny_policy(recipe.size, recipe.seed), build_tokenizer())
    config = TrainConfig(
        steps=updates or recipe.updates,
        learning_rate=recipe.learning_rate,
        decay=recipe.decay,
        optimizer=recipe.optimizer,
        keep_at=(0.125, 0.25, 0.5),
        seed=recipe.seed,
    )
    examples = corpus.stream(recipe.mixture, recipe.tokens, recipe.seed)
    record = train(start.model, examples, config, work / recipe.name)
    notes = _notes(recipe, config, record, start.recipe)
    target = _place(recipe.name, work)
    target.parent.mkdir(parents=True, exist_ok=True)
    save(Policy(start.model, build_tokenizer(), recipe.name, notes), target)
    return target


def _place(name: str, work: Path) -> Path:
    """Where a finished checkpoint lies."""
    shipped = {recipe.name: recipe.shipped for recipe in recipes()}[name]
    return (data_dir() / "checkpoints" if shipped else work / "stages") / name


def _notes(recipe: Recipe, config, record, before: dict) -> dict:
    """The recipe and its cost as they are recorded beside the weights; minutes are of training.

    total: the cost with all stages before, `before` being the notes of the start.
    """
    shown = {k: v for k, v in asdict(recipe).items() if k != "mixture"}
    shown["mixture"] = [[maker.__name__, share] for maker, share in recipe.mixture]
    minutes = round(record.seconds / 60, 1)
    cost = {"tokens": record.tokens, "flops": record.flops, "minutes": minutes}
    earlier = before.get("total", {})
    return {
        "recipe": shown | {"updates": config.steps},
        "command": f"make checkpoints ONLY={recipe.name}",
        "date": date.today().isoformat(),
        "device": str(describe()),
        **cost,
        "total": {key: round(value + earlier.get(key, 0), 1) for key, value in cost.items()},
    }


def state_of(recipe: Recipe, work: Path) -> str:
    """ "missing", "unmeasured" (its weights are there, its exam is not) or "done"."""
    notes = _place(recipe.name, work) / "recipe.json"
    if not notes.exists():
        return "missing"
    examined = not recipe.shipped or "measured" in json.loads(notes.read_text())
    return "done" if examined else "unmeasured"


def plan(work: Path, only: list[str] | None = None) -> list[tuple[Recipe, str]]:
    """What is to be done, in order, each with its state: those named, or all that lack something.

    A missing checkpoint brings the missing ones that it starts from. Those named are made again
    even if they are there. ValueError for a name that no recipe has.
    """
    known = {recipe.name: recipe for recipe in recipes()}
    unknown = [name for name in only or [] if name not in known]
    if unknown:
        raise ValueError(f"no checkpoint {', '.join(unknown)}: there are {', '.join(known)}")
    states = {name: state_of(recipe, work) for name, recipe in known.items()}
    states |= {name: "missing" for name in only or [] if states[name] == "done"}
    asked = only or [name for name, r in known.items() if r.shipped and states[name] != "done"]
    needed = set(asked)
    for name in asked:
        while states[name] == "missing" and known[name].start:
            name = known[name].start
            needed |= {name} if states[name] == "missing" else set()
    return [(recipe, states[name]) for name, recipe in known.items() if name in needed]


def main(argv: list[str] | None = None) -> int:
    """Make the shipped checkpoints that are missing, or those named with --only.

    What a missing one starts from is made first where it is missing too. One whose exam was cut
    off is only examined.
    """
    parser = argparse.ArgumentParser(prog="o1lab checkpoints", description=main.__doc__)
    parser.add_argument("--only", nargs="+", help="names; default: all shipped ones not done")
    parser.add_argument("--work", default="build/checkpoints", type=Path)
    parser.add_argument("--updates", type=int, help="train shorter (for a quick look)")
    args = parser.parse_args(argv)
    try:
        todo = plan(args.work, args.only)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for recipe, state in todo:
        if state == "missing":
            make(recipe, args.work, args.updates)
        if recipe.shipped:
            examine(recipe.name, args.work)
    return 0


def examine(name: str, work: Path) -> None:
    """Measure the saved file and write the figures into its recipe."""
    from o1lab.make.exam import examine as measured

    path = _place(name, work) / "recipe.json"
    notes = json.loads(path.read_text()) | {"measured": measured(name)}
    fresh = path.with_suffix(".tmp")
    fresh.write_text(json.dumps(notes, indent=1) + "\n")
    fresh.replace(path)
