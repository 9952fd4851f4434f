"""Lesson 04's runs: arms that any run can have, equal samples, small runs from start to exam."""

import pytest

from o1lab.make import reinforce, sharpness
from o1lab.make.reinforce import ARMS, BOTH, cells, settings


def test_every_arm_has_a_name_a_world_and_a_place():
    names = [arm.name for arm in ARMS]
    assert len(set(names)) == len(names) and {w for arm in ARMS for w in arm.worlds} == set(BOTH)
    folders = [reinforce._name(*cell) for cell in cells()]
    assert len(set(folders)) == len(folders) and not any(" " in name for name in folders)
    assert [seed for *_, seed in cells()] == sorted(seed for *_, seed in cells())


@pytest.mark.parametrize("arm", [a for a in ARMS if a.way not in ("expert", "sft")])
def test_every_arm_that_samples_samples_as_much(arm):
    config = settings(arm, "stories", 10, 1)
    prompts = reinforce.PROMPTS * 4 // config.rollouts
    assert prompts * config.rollouts == 256 and config.seed == 1
    budgets = config.iterations / reinforce.PER_PPO.get(arm.way, 1) / 10
    assert budgets == arm.length


def test_a_leash_of_its_own():
    short, long = (next(a for a in ARMS if a.name == n) for n in
                   ("ppo prm summed, leashed", "ppo prm summed"))  # fmt: skip
    assert settings(short, "stories", 1, 0).beta > settings(long, "stories", 1, 0).beta


@pytest.fixture
def little(monkeypatch):
    for name, value in (
        ("PROMPTS", 2),
        ("WATCHED", 2),
        ("TESTED", 3),
        ("TEMPERATURES", (0.0, 1.0)),
    ):
        monkeypatch.setattr(reinforce, name, value)
    monkeypatch.setattr(reinforce, "LENGTH", {"stories": 60, "countdown": 48})


@pytest.mark.parametrize(
    ("world", "name"),
    [
        ("countdown", "ppo process"),
        ("stories", "grpo process"),
        ("stories", "expert iteration"),
        ("stories", "more tuning"),
    ],
)
def test_a_small_run_is_whole(little, world, name, tmp_path):
    arm = next(a for a in ARMS if a.name == name)
    found = reinforce.run(world, arm, 0, 1, tmp_path)
    assert (found["world"], found["arm"], found["seed"]) == (world, name, 0)
    assert found["curve"][0]["flops"] == 0 and "pass@1" in found["curve"][0]
    assert "pass@1" in found["curve"][-1] and sum(found["flops"].values()) > 0
    assert set(found["exam"]) == {"0.0", "1.0"} and (tmp_path / "model").is_dir()
    assert all(0 <= right <= reinforce.TIMES for row in found["exam"].values() for right in row)
    again = reinforce.run(world, arm, 0, 1, tmp_path)  # resumed at its end: nothing is trained
    assert again["exam"] == found["exam"] and again["flops"] == found["flops"]


def test_a_cooler_policy_is_surer():
    from o1lab.model.checkpoints import load, think_all
    from o1lab.tasks.lessons import exam

    policy = load("stories-cot")
    problems = exam("stories", 10, seed=6)
    at = {
        heat: sharpness.surprise(
            think_all(policy, problems, 4, temperature=heat, seed=8, max_new_tokens=140)
        )
        for heat in (0.4, 1.0)
    }
    assert at[0.4] < at[1.0]
    target = (at[0.4] + at[1.0]) / 2
    assert 0.4 < sharpness.as_sure(policy, "stories", target, 10) < 1.0


def test_what_is_right_by_luck_is_not_sound():
    from o1lab.model.checkpoints import load

    found = sharpness.coverage(load("stories-cot"), "stories", problems=6, n=12)
    pairs = list(zip(found["sound"], found["right"], strict=True))
    assert all(sound <= right <= 12 for sound, right in pairs) and found["surprise"] > 0
