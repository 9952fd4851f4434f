"""What lesson 04 reads out of a record: exams, the best temperature, coverage, the entropy law."""

import numpy as np
import pytest

from o1lab.make import lesson04

TIMES = 4


def exam(cold, hot):
    return {"0.0": cold, "1.0": hot}


def a_run(arm, seed, cold, hot, **more):
    known = {"world": "stories", "arm": arm, "seed": seed, "flops": {"all": 10.0}}
    return known | {"exam": exam(cold, hot)} | more


@pytest.fixture
def record(monkeypatch):
    """One arm that is better hot on even problems and cold on odd ones, with two seeds."""
    curve = [{"step": 0, "flops": 0.0, "pass@1": 0.1}]
    curve += [{"step": i, "flops": 2.0 * i, "pass@1": 0.1 * i} for i in (1, 2)]
    runs = [a_run("ppo", seed, [4, 0, 4, 0], [0, 4, 0, 4 - seed], curve=curve) for seed in (1, 0)]
    start = {"stories": exam([2, 2, 2, 2], [1, 1, 1, 1])}
    coverage = {"before": [0, 1, 8, 0], "after": [0, 0, 8, 2], "before, cooled": [0, 0, 8, 0]}
    store = {
        name: {"sound": rows, "right": [8] * 4, "n": 8, "temperature": 1.0}
        for name, rows in coverage.items()
    }
    made = {"temperatures": [0.0, 1.0], "times": TIMES, "start": start, "runs": runs}
    made |= {"coverage": {"stories": store}}
    monkeypatch.setattr(lesson04, "recorded", lambda name: made)
    return made


def test_an_arm_that_is_not_there_says_which_are(record):
    with pytest.raises(KeyError, match="ppo"):
        lesson04.runs("sft")
    assert [run["seed"] for run in lesson04.runs("ppo")] == [0, 1]


def test_the_temperature_is_chosen_on_the_other_half(record):
    heats, rows = lesson04.at_best("ppo")
    assert heats == [0.0, 0.0], "cold is best on the even problems"
    assert rows.tolist() == [[0, 0], [0, 0]], "and measured on the odd ones"
    assert lesson04.at_best("start")[1].tolist() == [[0.5, 0.5]]


def test_one_start_stands_against_each_seed(record):
    (gain, low, high), each = lesson04.gained(lesson04.rates("ppo"), lesson04.rates("start"))
    assert each == pytest.approx([0.25, 0.1875]) and gain == pytest.approx(np.mean(each))
    assert low <= gain <= high


def test_lines_are_means_with_the_lowest_and_highest_seed(record):
    xs, lines = lesson04.lines(["ppo"])
    assert xs == [2.0, 4.0] and lines["ppo"][0] == pytest.approx([0.1, 0.2])
    xs, lines = lesson04.lines(["ppo"], block=2)
    assert xs == [4.0] and lines["ppo"][0] == pytest.approx([0.15])


def test_what_is_lost_and_what_is_found(record):
    assert lesson04.lost_and_found(least=1) == {"both": 1, "lost": 1, "gained": 1, "neither": 1}
    assert lesson04.lost_and_found(least=3) == {"both": 1, "lost": 0, "gained": 0, "neither": 3}
    assert lesson04.covered("after", [1, 8])[3].tolist() == pytest.approx([0.25, 1.0])
    assert lesson04.covered("after", [8], "right")[:, 0].tolist() == [1, 1, 1, 1]


def test_the_entropy_law_is_found_where_it_holds():
    entropy = np.linspace(1.0, 0.2, 31)
    told = [0.0, *(0.9 - 0.2 * np.exp(entropy[:-1]))]  # the accuracy of the iteration after
    curve = [{"entropy": h, "true": right} for h, right in zip(entropy, told, strict=True)]
    errors = lesson04.entropy_laws({"curve": curve})
    assert errors["b - a exp(H)"] < 1e-9 < min(errors["b - a H"], errors["no change"])
    flat = [{"entropy": h, "true": 0.2 + 0.1 * np.log(i)} for i, h in enumerate(entropy, 1)]
    assert lesson04.entropy_laws({"curve": flat})["log step"] < 1e-9


def test_minutes_are_those_of_the_runs_own_clock():
    assert lesson04.minutes({"seconds": 600.0, "curve": [{"seconds": 120.0}]}) == 2.0
    assert lesson04.minutes({"seconds": 600.0, "curve": [{"pass@1": 0.1}]}) == 10.0
