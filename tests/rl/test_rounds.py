"""Rounds: expert iteration learns from its own right answers, a judge is renewed; both go on."""

import json
import random
from dataclasses import replace
from functools import cache

import pytest
import torch

from o1lab.model.batches import Example
from o1lab.model.settings import TrainConfig
from o1lab.model.train import train
from o1lab.rewards.labels import exact_labels
from o1lab.rewards.models import PRM
from o1lab.rl.experience import drawn
from o1lab.rl.rewards import Reward, steps
from o1lab.rl.rounds import (
    DONE,
    ExpertConfig,
    RefineConfig,
    Sampling,
    chosen,
    expert_iteration,
    refine,
)
from o1lab.tasks import task
from o1lab.tasks.base import write_completion
from tests.rl.tiny_rl import Digits, config, policy, problems

QUICK = TrainConfig(20, 5e-3, bf16=False, save_every=10)
SHORT = Sampling(6, 14)
EXPERT = ExpertConfig(QUICK, 2, SHORT, keep=3, rows=16)


def asked_by_round(number):
    return problems(number, 16)


def weights(asked):
    return [p.detach().clone() for p in asked.model.parameters()]


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@cache
def _thinking():
    """Weights of a policy that writes two lines of thought, each right or wrong at random."""
    asked, rng = policy(), random.Random(0)

    def example(problem):
        lines = [f"{rng.choice(['Ann', '7'])} {rng.choice(['Bob', 'has'])}" for _ in range(2)]
        text = write_completion(lines, rng.choice(["7", "Ann"]))
        head = asked.tokenizer.encode(problem.prompt)
        return Example(
            head + asked.tokenizer.encode(text) + [asked.tokenizer.eos_token_id], len(head)
        )

    rows = [[example(p) for p in problems(step, 16)] for step in range(60)]
    train(asked.model, rows.__getitem__, TrainConfig(60, 1e-2, bf16=False), progress=False)
    return asked.model.state_dict()


def thinker():
    asked = policy()
    asked.model.load_state_dict(_thinking())
    return asked


def iterate(asked=None, folder=None, settings=EXPERT, **extra):
    asked = asked or thinker()
    return asked, expert_iteration(asked, asked_by_round, Digits(), settings, folder,
                                   progress=False, **extra)  # fmt: skip


def test_expert_iteration_gets_better_and_counts_what_it_costs():
    seen, longer = [], replace(EXPERT, training=replace(QUICK, steps=60))
    _, records = iterate(
        settings=longer, on_record=seen.append, evaluate=lambda model: {"pass@1": 0.5}
    )
    assert [r["round"] for r in records] == [0, 1] and seen == records
    assert records[1]["right"] > records[0]["right"] + 0.3
    assert records[1]["flops"] > records[0]["flops"] > 0 and records[1]["pass@1"] == 0.5
    assert 0 < records[0]["solved"] <= 1 and records[0]["kept"] <= 48


def test_rounds_go_on_where_they_stopped_and_end_with_the_same_bits(tmp_path):
    whole, records = iterate()

    def stop(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        iterate(folder=tmp_path, on_record=stop)
    assert [p.parent.name for p in tmp_path.rglob(DONE)] == ["round-0"]
    again, resumed = iterate(folder=tmp_path)
    assert resumed == records and same(weights(whole), weights(again))
    further, three = iterate(folder=tmp_path, settings=replace(EXPERT, rounds=3))
    assert three[:2] == records and len(three) == 3 and not same(weights(further), weights(again))
    with pytest.raises(ValueError, match=r"another run .*keep"):
        iterate(folder=tmp_path, settings=replace(EXPERT, keep=2))


def test_each_round_starts_anew_unless_it_goes_on():
    """With rounds that train one step, the weights after it are near those it started from."""
    one = replace(QUICK, steps=1)
    start = weights(thinker())
    ends = {}
    for restart in (True, False):
        settings = replace(EXPERT, training=one, restart=restart)
        ended = weights(iterate(settings=settings)[0])
        ends[restart] = [(a - b).norm() for a, b in zip(ended, start, strict=True)]
    assert sum(ends[False]) > 1.3 * sum(ends[True])


def test_only_different_right_and_finished_rollouts_are_kept():
    from o1lab.model.rollouts import Rollout

    def rollout(prompt, ids, finished=True):
        return Rollout(None, [prompt], ids, [0.0], "", finished=finished)

    rollouts = [rollout(1, [5]), rollout(1, [5]), rollout(2, [5]), rollout(1, [6], False),
                rollout(1, [7]), rollout(1, [8]), rollout(1, [9])]  # fmt: skip
    right = [True, True, False, True, True, True, True]
    assert [r.ids for r in chosen(rollouts, right, 2)] == [[5], [7]]
    assert chosen(rollouts, [False] * 7, 2) == []
    hopeless = type("Hopeless", (Digits,), {"grade": lambda *a: False})()
    with pytest.raises(ValueError, match="none of 96 rollouts is right"):
        expert_iteration(policy(), asked_by_round, hopeless, EXPERT, progress=False)


def refined(folder=None, rounds=2, **extra):
    asked = thinker()
    recipe = replace(PRM, config=TrainConfig(30, 5e-3, bf16=False), rows=16)
    rl = config(iterations=3, max_new_tokens=14, learning_rate=2e-3)
    records = refine(
        asked,
        asked_by_round,
        lambda iteration: problems(100 + iteration, 8),
        lambda policy, rollouts: exact_labels(Digits(), rollouts, "kept"),
        lambda judge: Reward(Digits(), (steps(judge, "difference"),)),
        RefineConfig(rl, rounds, Sampling(4, 14), recipe),
        folder,
        progress=False,
        **extra,
    )
    return asked, records


def test_a_new_judge_a_round_and_the_rounds_go_on(tmp_path):
    whole, records = refined()
    assert [r["round"] for r in records] == [0, 1]
    assert all(r["labels"] > 50 and r["judge_flops"] > 0 and r["rl_flops"] > 0 for r in records)
    assert records[1]["flops"] > records[0]["flops"]

    def stop(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        refined(tmp_path, on_record=stop)
    again, resumed = refined(tmp_path)
    assert resumed == records and same(weights(whole), weights(again))
    assert (tmp_path / "round-1" / "judge" / "model.safetensors").exists()
    assert json.loads((tmp_path / "round-0" / DONE).read_text())["record"] == records[0]


def test_training_problems_are_a_pure_function_of_the_iteration():
    supply = drawn(task("stories"), 3, 5, seed=2)
    assert supply(4) == supply(4) != supply(5) and len(supply(0)) == 5
    assert supply(0) != drawn(task("stories"), 3, 5, seed=3)(0)


@pytest.mark.parametrize("bad", [{"rounds": 0}, {"keep": 0}, {"rows": 0}])
def test_settings_that_no_rounds_can_have(bad):
    with pytest.raises(ValueError, match="at least 1"):
        replace(EXPERT, **bad)
