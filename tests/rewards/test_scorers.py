"""Scorers against their dials, fixed noise against order and batch, and what each refuses."""

import random
from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.rewards.base import ExactScorer, score
from o1lab.rewards.scorers import (
    ConstantScorer,
    MonteCarloScorer,
    NoisyOracle,
    ShuffledScorer,
    sigmoid,
)
from o1lab.rewards.screen import screen
from o1lab.tasks import task
from tests.model.tiny import byte_tokenizer
from tests.rewards.test_labels import Oracle
from tests.rewards.traces import stepless, trace, unclosed, worked

STORIES = task("stories")
ROLLOUTS = [worked(i, 5, [(), (1, 3), (0, 2), (4,)][i % 4]) for i in range(240)]
TRUTH = [y for row in ExactScorer(STORIES)(ROLLOUTS) for y in row]


def flat(rows):
    return [value for row in rows for value in row]


def auroc(scores, truth=TRUTH):
    """The share of (right, wrong) pairs in order, ties half: brute force."""
    right = [s for s, y in zip(scores, truth, strict=True) if y]
    wrong = [s for s, y in zip(scores, truth, strict=True) if not y]
    wins = sum((a > b) + 0.5 * (a == b) for a in right for b in wrong)
    return wins / (len(right) * len(wrong))


@pytest.mark.parametrize("dial", [0.5, 0.7, 0.9, 0.99])
def test_a_noisy_oracle_has_the_auroc_it_was_set_to(dial):
    scores = flat(score(NoisyOracle(STORIES, dial, seed=2), ROLLOUTS))
    assert auroc(scores) == pytest.approx(dial, abs=0.04)
    assert len(set(scores)) > 500  # no ties, also where it knows nothing


def test_an_oracle_at_one_is_exact_and_takes_the_rule():
    assert NoisyOracle(STORIES, 1.0)(ROLLOUTS) == ExactScorer(STORIES)(ROLLOUTS)
    (row,) = NoisyOracle(STORIES, 1.0, after="negative")([worked(0, 5, (1,))])
    assert row == [1, 0, 0, 0, 0]


def gap(scores):
    """Mean score less the share of right steps, among the confident scores."""
    chosen = [(s, y) for s, y in zip(scores, TRUTH, strict=True) if s > 0.85]
    return sum(s - y for s, y in chosen) / len(chosen)


def test_the_dial_of_calibration():
    share = sum(TRUTH) / len(TRUTH)
    scores = [
        flat(NoisyOracle(STORIES, 0.75, share, confidence)(ROLLOUTS)) for confidence in (1.0, 3.0)
    ]
    assert abs(gap(scores[0])) < 0.05 < gap(scores[1])
    assert sum(scores[0]) / len(TRUTH) == pytest.approx(share, abs=0.03)
    assert auroc(scores[0]) == pytest.approx(auroc(scores[1]))


@settings(max_examples=25)
@given(st.floats(0.5, 1), st.floats(0, 1), st.integers(0, 99), st.randoms())
def test_noise_does_not_feel_order_batch_or_call(dial, rho, seed, rng):
    oracle = NoisyOracle(STORIES, dial, rho=rho, seed=seed)
    some = ROLLOUTS[:6]
    order = rng.sample(range(6), 6)
    assert oracle([some[i] for i in order]) == [oracle([some[i]])[0] for i in order]
    assert all(0 <= s <= 1 for s in flat(oracle(some)))


def test_the_tokenizer_and_the_rest_of_the_trace_do_not_matter():
    oracle = NoisyOracle(STORIES, 0.7)
    whole = worked(3, 4)
    lines = whole.text.split("\n")
    cut = trace(whole.problem, "\n".join(lines[:3]) + "\n", finished=False)
    assert oracle([cut])[0] == oracle([whole])[0][:2]
    assert oracle([worked(3, 4, tokenizer=byte_tokenizer())]) == oracle([whole])


@pytest.mark.parametrize("rho", [0.0, 0.6, 1.0])
def test_siblings_share_the_noise_they_are_set_to_share(rho):
    oracle = NoisyOracle(STORIES, 0.8, rho=rho)
    pairs = [[oracle.noise(f"p{i}", ("a", s)) for s in "xy"] for i in range(2000)]
    assert sum(a * b for a, b in pairs) / 2000 == pytest.approx(rho, abs=0.09)
    assert sum(a * a for a, _ in pairs) / 2000 == pytest.approx(1, abs=0.1)
    cousins = [oracle.noise(f"p{i}", ("a", "x")) * oracle.noise(f"p{i}", ("b", "x"))
               for i in range(2000)]  # fmt: skip
    assert abs(sum(cousins) / 2000) < 3.5 / sqrt(2000)


@pytest.mark.parametrize(
    ("dials", "words"),
    [({"auroc": 0.4}, "knows nothing"), ({"prior": 1.0}, "share of right"),
     ({"confidence": 0.0}, "calibrated"), ({"rho": -0.1}, "correlation"),
     ({"after": "x"}, "choose one")],
)  # fmt: skip
def test_dials_out_of_range(dials, words):
    with pytest.raises(ValueError, match=words):
        NoisyOracle(STORIES, **dials)


def test_monte_carlo_value_and_its_ledger():
    scorer = MonteCarloScorer(Oracle(n=1))
    assert score(scorer, [worked(0, 4, (2,)), stepless()]) == [[1.0, 1.0, 0.0, 1.0], []]
    before = scorer.ledger
    scorer([worked(1, 2)])
    assert before.generated_tokens == 15 and scorer.ledger.generated_tokens == 20


def test_shuffled_scores_are_another_problems_and_know_nothing():
    noisy = NoisyOracle(STORIES, 0.9)
    placebo = ShuffledScorer(noisy, ROLLOUTS, seed=1)
    scores = flat(score(placebo, ROLLOUTS))
    assert auroc(scores) == pytest.approx(0.5, abs=0.05)
    assert set(scores) <= set(flat(noisy(ROLLOUTS)))
    assert placebo(ROLLOUTS[5:7]) == placebo(ROLLOUTS)[5:7]
    two = ROLLOUTS[:2]
    own = dict(zip([0, 1], map(set, noisy(two)), strict=True))
    for i, row in enumerate(ShuffledScorer(noisy, two)(two)):
        assert set(row) <= own[1 - i] and not set(row) & own[i]
    with pytest.raises(ValueError, match="two problems"):
        ShuffledScorer(noisy, ROLLOUTS[:1])


def test_a_constant_scorer():
    rollouts = [worked(0, 3), stepless(), unclosed()]
    assert score(ConstantScorer(0.3), rollouts) == [[0.3] * 3, [], [0.3]]
    with pytest.raises(ValueError, match=r"0\.\.1"):
        ConstantScorer(2.0)


def test_sigmoid_has_no_overflow():
    assert sigmoid(-1000.0) == 0.0 and sigmoid(1000.0) == 1.0 and sigmoid(0.0) == 0.5


@pytest.mark.parametrize("tokenizer", [None, byte_tokenizer()], ids=["words", "bytes"])
def test_bad_rollouts_are_counted_and_every_step_still_gets_a_score(tokenizer):
    problem = STORIES.problem(random.Random(9), 2)
    broken = trace(problem, "<think>\nAnn = Bob + 1\n2 = 3\n</think>\n1\n2", tokenizer)
    silent = trace(problem, "<think>\nAnn = Bob\n</think>\n", tokenizer)
    good = worked(0, 2, tokenizer=tokenizer)
    bad = [broken, good, silent, stepless(0, tokenizer), unclosed(0, tokenizer=tokenizer)]
    for scorer in (ExactScorer(STORIES), NoisyOracle(STORIES, 0.7), ConstantScorer()):
        assert [len(row) for row in score(scorer, bad)] == [2, 2, 1, 0, 1]
    # A line break inside a number makes two steps, and the checker calls both wrong.
    assert ExactScorer(STORIES)([broken]) == [[0.0, 0.0]]
    screened = screen(bad)
    assert screened.places == [0, 1] and screened.kept == [broken, good]
    assert screened.excluded == {"no answer": 1, "no step": 1, "unclosed thought": 1}
    assert "2 rollouts kept, 3 set aside" in str(screened)
    allowed = screen(bad, allow=("unclosed thought", "no answer"))
    assert allowed.places == [0, 1, 2, 4]


def test_more_that_is_set_aside():
    good = worked(0, 2)
    long = screen([good], context=20)
    assert not long.kept and long.excluded == {"too long": 1}
    assert screen([replace(good, problem=None)]).excluded == {"no problem": 1}
    joined = replace(good, step_ends=[good.step_ends[0]] * 2)
    assert screen([joined]).excluded == {"shared token": 1}
    assert str(screen([good])) == "1 rollouts kept, 0 set aside"
    with pytest.raises(ValueError, match="no reason"):
        screen([good], allow=("ugly",))


@pytest.mark.parametrize("scores", [[[0.5]], [[0.5] * 3], []])
def test_a_wrong_number_of_scores_is_an_error_not_a_zero(scores):
    with pytest.raises(ValueError, match=r"steps|rows"):
        score(lambda rollouts: scores, [worked(0, 2)])
