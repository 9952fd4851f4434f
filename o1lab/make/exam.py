"""What a saved checkpoint can do, measured: its facts, its solve rates. Leaves out training."""

import random

from o1lab.make.corpus import facts
from o1lab.model.checkpoints import Policy, think_all
from o1lab.tasks.base import THINK, Problem, Task

EXAM_SEED = 20_000


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


def samples(policy: Policy, world: Task, problems: list[Problem], n: int, **settings) -> dict:
    """Sample n rollouts a problem and judge each: (problems, n) lists of right and step-verified.

    right: the final answer. verified: the answer and every step of the thoughts.
    """
    rollouts = think_all(policy, problems, n, **settings)
    right, verified = [], []
    for problem, group in zip(problems, rollouts, strict=True):
        good = [world.grade(problem, r.answer or "") for r in group]
        clean = [g and _clean(world, problem, r) for g, r in zip(good, group, strict=True)]
        right.append(good)
        verified.append(clean)
    return {"right": right, "verified": verified, "rollouts": rollouts}


def _clean(world: Task, problem: Problem, rollout) -> bool:
    steps = world.steps(rollout.thoughts or "")
    return bool(steps) and all(v.ok for v in world.verdicts(problem, steps))
