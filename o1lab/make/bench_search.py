"""A tree search's speed: leaves of 64 problems in flight together, against a loop of one leaf.

Leaves out how well it searches (notebook 05). Peers run turn by turn in one process.
"""

from o1lab.make.bench_rollout import race
from o1lab.make.textbook_mcts import engine_sampler, hub_sampler, textbook

PROBLEMS, SIMULATIONS, SAMPLES = 64, 32, 4
ALONE = 2  # problems that the loop searches in its turn
STEP, LONGEST = 16, 60  # tokens of a step, and of a completion


def rows(rounds: int = 3, problems: int = PROBLEMS) -> list[dict]:
    """Simulations a second, with 1 and 8 leaves a problem in flight, beside the textbook's loop.

    The loop samples with `transformers` `generate` (cached, SDPA, float32, all draws of a leaf in
    one call) or, in the last row, with the lab's own engine, which has no aim.
    """
    from o1lab.model.checkpoints import load
    from o1lab.rewards.base import ExactScorer
    from o1lab.rewards.models import RewardModel, token_classifier
    from o1lab.tasks.lessons import exam, lesson

    policy, asked = load("countdown-cot"), exam("countdown", problems)
    learned = RewardModel(token_classifier(policy), policy.tokenizer)
    oracle = ExactScorer(lesson("countdown")[0])
    hub, engine = hub_sampler(policy, SAMPLES, STEP), engine_sampler(policy, SAMPLES, STEP)
    races = (
        ("mcts-oracle-1", 1, oracle, hub, 20.0),
        ("mcts-oracle-8", 8, oracle, hub, 20.0),
        ("mcts-prm-1", 1, learned, hub, 20.0),
        ("mcts-prm-8", 8, learned, hub, 20.0),
        ("mcts-engine-loop-1", 1, oracle, engine, None),
    )
    return [
        race(name, (batched(policy, asked, scorer, batch), alone(policy, asked, scorer, sample)),
             aim, rounds) | {"unit": "simulations/s"}
        for name, batch, scorer, sample, aim in races
    ]  # fmt: skip


def batched(policy, problems: list, scorer, batch: int):
    """All problems together, `batch` leaves of each in flight."""
    from o1lab.search.mcts import Settings, mcts
    from o1lab.search.writing import Writer

    settings = Settings(SIMULATIONS, samples=SAMPLES, batch=batch, choose="visits")
    writer = Writer(policy, STEP, LONGEST)
    return lambda: sum(len(f.history) for f in mcts(writer, problems, scorer, settings))


def alone(policy, problems: list, scorer, sample):
    """The first problems one by one, one leaf at a time, every prefix read anew."""
    from o1lab.search.writing import Writer

    writer = Writer(policy, STEP, LONGEST)

    def work() -> int:
        starts = [writer.start(problem) for problem in problems[:ALONE]]
        roots = [textbook(sample, scorer, s, SIMULATIONS, LONGEST - STEP) for s in starts]
        return sum(root.visits for root in roots)

    return work
