"""What a saved checkpoint can do, measured: its facts, its solve rates. Leaves out training."""

import random

from o1lab.make.corpus import facts
from o1lab.measure.statistics import bootstrap_mean
from o1lab.model.checkpoints import Policy, load, think_all
from o1lab.tasks.base import THINK, Problem, Task
from o1lab.tasks.countdown import random_play_coverage
from o1lab.tasks.lessons import exam, lesson
from o1lab.tasks.story_baselines import answer_chance, number_chance

EXAM_SEED = 20_000
TEMPERATURES = (0.0, 0.5, 0.7)


def fact_contexts(world: Task, difficulty: int, seed: int = EXAM_SEED) -> list[tuple[str, str]]:
    """(text up to `a op b =`, result) for every fact, each inside the trace of a dev problem."""
    rng = random.Random(seed)
    known = facts()
    pool = [world.worked(rng, difficulty, "dev") for _ in range(400)]
    out = []
    for a, op, b, c in known:
        problem, steps, _ = rng.choice(pool)
        done = "".join(f"{s}\n" for s in steps[: rng.randrange(len(steps))])
        head = ""
        if world.name != "countdown":
            names = problem.data[1]
            x, y, z = (rng.choice(names) for _ in range(3))
            head = f"{x} = {y} {op} {rng.choice((z, b))} = "
        out.append((f"{problem.prompt}{THINK}\n{done}{head}{a} {op} {b} =", str(c)))
    return out


def fact_probability(policy: Policy, world: Task, difficulty: int) -> dict:
    """Mean and lowest probability (temperature 1) of the right result over every fact."""
    import torch

    tok = policy.tokenizer
    texts = fact_contexts(world, difficulty)
    rows = sorted((tok.encode(text), tok.encode(result)[0]) for text, result in texts)
    rows.sort(key=lambda row: len(row[0]))
    found = []
    for start in range(0, len(rows), 128):
        batch = rows[start : start + 128]
        longest = max(len(ids) for ids, _ in batch)
        ids = torch.zeros(len(batch), longest, dtype=torch.long)  # (B, T)
        for i, (row, _) in enumerate(batch):
            ids[i, : len(row)] = torch.tensor(row)
        last = torch.tensor([len(row) - 1 for row, _ in batch])
        with torch.inference_mode():
            hidden = policy.model.model(ids, use_cache=False).last_hidden_state  # (B, T, d)
            logits = policy.model.lm_head(hidden[torch.arange(len(batch)), last])  # (B, V)
        p = logits.float().softmax(-1)
        found += p[torch.arange(len(batch)), torch.tensor([c for _, c in batch])].tolist()
    return {
        "facts": len(found),
        "mean_probability": sum(found) / len(found),
        "share_above_half": sum(p > 0.5 for p in found) / len(found),
    }


def solve_rates(policy: Policy, world: str, difficulty: int | None, problems: int, n: int) -> dict:
    """What a thinking policy solves of held-out problems, each number with its 95% interval.

    pass@1 at temperature 1 and pass@n (by answer, and with every step verified as well), the
    best single try of greedy and three temperatures, and the floor of blind play or guessing.
    """
    task, level = lesson(world)
    level = difficulty or level
    asked = exam(world, problems, level)
    groups = think_all(policy, asked, n, temperature=1.0, seed=EXAM_SEED)
    right = [[task.grade(p, r.answer or "") for r in g] for p, g in zip(asked, groups, strict=True)]
    clean = [
        [ok and _clean(task, p, r) for ok, r in zip(row, group, strict=True)]
        for p, row, group in zip(asked, right, groups, strict=True)
    ]
    out = {"difficulty": level, "problems": problems, "n": n}
    out["pass@1"] = _interval([sum(row) / n for row in right])
    out[f"pass@{n}"] = _interval([float(any(row)) for row in right])
    out[f"verified pass@{n}"] = _interval([float(any(row)) for row in clean])
    for temperature in TEMPERATURES:
        answers = think_all(policy, asked, 1, temperature=temperature, seed=EXAM_SEED + 1)
        solved = [task.grade(p, g[0].answer or "") for p, g in zip(asked, answers, strict=True)]
        out[f"one try at temperature {temperature}"] = _interval([float(x) for x in solved])
    out[f"floor, {n} tries"] = floor(task, asked, n)
    out["mean tokens"] = sum(len(r.ids) for g in groups for r in g) / (problems * n)
    return out


def floor(task: Task, asked: list[Problem], n: int) -> float:
    """The chance that n blind tries hold a success: legal plays in Countdown.

    In Stories the better of two guesses: numbers printed in the story, answers of other stories.
    """
    if task.name == "countdown":
        return random_play_coverage(asked, n)
    covered = [[1 - (1 - p) ** n for p in chances] for chances in guess_chances(task, asked)]
    return max(sum(shares) / len(asked) for shares in covered)


def guess_chances(task: Task, asked: list[Problem]) -> list[list[float]]:
    """Each story's exact chance of one try of the two guessers, a list a guesser.

    The first draws a number printed in the story, the second an answer of other stories.
    """
    rng = random.Random(EXAM_SEED)
    seen = [task.problem(rng, asked[0].difficulty) for _ in range(2000)]
    return [[chance(p) for p in asked] for chance in (number_chance, answer_chance(seen))]


def direct_rates(policy: Policy, world: str, levels: list[int], problems: int) -> dict:
    """Greedy accuracy of a policy that answers at once, for each difficulty."""
    out = {}
    for level in levels:
        asked = exam(world, problems, level)
        task = lesson(world)[0]
        groups = think_all(policy, asked, 1, temperature=0.0, max_new_tokens=24)
        solved = [task.grade(p, g[0].answer or "") for p, g in zip(asked, groups, strict=True)]
        out[str(level)] = _interval([float(x) for x in solved])
    return out


def _clean(task: Task, problem: Problem, rollout) -> bool:
    steps = task.steps(rollout.thoughts or "")
    return bool(steps) and all(v.ok for v in task.verdicts(problem, steps))


def _interval(values: list[float]) -> list[float]:
    """[mean, low, high]: a 95% bootstrap over problems."""
    return [round(float(v), 4) for v in bootstrap_mean(values)]


def examine(name: str) -> dict:
    """Everything measured of a shipped checkpoint, as loaded from its file."""
    policy = load(name)
    world, _, kind = name.partition("-")
    out: dict = {}
    if kind != "direct":
        for known in ("stories", "countdown") if name == "base" else (world,):
            task, level = lesson(known)
            out[f"facts in {known} traces"] = fact_probability(policy, task, level)
    levels = [3, 4] if world == "countdown" else list(range(2, 11))
    if kind == "cot":
        out["lesson"] = solve_rates(policy, world, None, 200, 64)
        out["by difficulty"] = [solve_rates(policy, world, d, 100, 8) for d in levels]
    if kind == "direct":
        count = 250 if world == "countdown" else 300  # of three hard numbers the split has 267
        out["greedy by difficulty"] = direct_rates(policy, world, levels, count)
    return out
