"""Rewards from named parts: the forms, where they are paid, missing answers, the leash."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from o1lab.measure.compute import Ledger
from o1lab.rewards.base import ExactScorer, judged_at
from o1lab.rewards.scorers import ConstantScorer
from o1lab.rl.rewards import (
    FORMS,
    Part,
    Reward,
    length,
    outcome,
    pay,
    placebo,
    step_amounts,
    steps,
    token_rewards,
)
from o1lab.tasks import task
from tests.model.tiny import byte_tokenizer
from tests.rewards.traces import stepless, unclosed, worked

STORIES = task("stories")
scores = st.lists(st.floats(0, 1), max_size=8)


def total(part, rollout, no_answer=None):
    return pay(Reward(STORIES, (part,), no_answer), [rollout]).totals()[0]


@given(scores)
def test_what_a_chain_is_worth_in_each_form(row):
    worth = {form: sum(step_amounts(row, form)) for form in FORMS}
    assert worth["sum"] == pytest.approx(sum(row))
    assert worth["difference"] == pytest.approx(row[-1] if row else 0, abs=1e-9)
    assert worth["min"] == pytest.approx(min(row, default=0), abs=1e-9)
    assert [len(step_amounts(row, form)) for form in FORMS] == [len(row)] * 4


def test_summed_scores_pay_for_longer_chains_and_differences_do_not():
    """A judge that finds every step passable: more steps earn more, if they are summed."""
    short, long = worked(0, 2), worked(0, 8)
    assert len(long.step_ends) > len(short.step_ends)
    judge = ConstantScorer(0.8)
    paid = {form: [total(steps(judge, form), r) for r in (short, long)] for form in FORMS}
    assert paid["sum"] == pytest.approx([0.8 * len(r.step_ends) for r in (short, long)])
    for form in ("difference", "min"):
        assert paid[form] == pytest.approx([0.8, 0.8])
    assert paid["potential"] == pytest.approx([0, 0])


@pytest.mark.parametrize("tokenizer", [None, byte_tokenizer()], ids=["words", "bytes"])
def test_steps_are_paid_where_they_are_judged_and_the_outcome_at_the_end(tokenizer):
    rollouts = [worked(1, 3, wrong=(1,), tokenizer=tokenizer), worked(2, 3, tokenizer=tokenizer)]
    reward = Reward(STORIES, (outcome(STORIES), steps(ExactScorer(STORIES), "sum", 0.5)))
    found = pay(reward, rollouts)
    for rollout, row in zip(rollouts, found.payments, strict=True):
        assert row[0][0] == len(rollout.ids) - 1
        assert [at for at, _ in row[1:]] == judged_at(rollout)
    assert [amount for _, amount in found.payments[1]] == [1.0, 0.5, 0.5, 0.5]
    right = [amount for _, amount in found.payments[0][1:]]
    assert right[0] == 0.5 and right[1] == 0 and found.payments[0][0][1] in (0, 1)
    assert found.means["outcome"] in (0.5, 1.0) and found.ledger == Ledger()


def test_no_answer_gets_the_fixed_low_score_and_nothing_else():
    reward = Reward(STORIES, (steps(ConstantScorer(0.9), "sum"), length(-0.01)), no_answer=-2.0)
    cut = unclosed(0, ["Ann = Ann + 1"] * 20)
    assert pay(reward, [cut]).payments == [[(len(cut.ids) - 1, -2.0)]]
    going_on = pay(reward, [cut], cut_goes_on=True)
    assert going_on.totals()[0] == pytest.approx(20 * 0.9 - 0.01 * len(cut.ids))
    ended = replace(cut, finished=True)
    assert pay(reward, [ended], cut_goes_on=True).totals() == [-2.0]
    assert pay(replace(reward, no_answer=None), [cut]).totals() == going_on.totals()


def test_length_and_rollouts_without_a_step():
    bare = stepless()
    assert total(length(-0.5), bare) == -0.5 * len(bare.ids)
    for form in FORMS:
        assert total(steps(ConstantScorer(), form), bare) == 0


def test_the_placebo_is_a_fixed_function_of_problem_and_text():
    rollouts = [worked(i, 2) for i in range(200)]
    paid = pay(Reward(STORIES, (placebo(0.3),)), rollouts).totals()
    again = pay(Reward(STORIES, (placebo(0.3),)), rollouts[::-1]).totals()
    assert paid == again[::-1] and set(paid) == {0.0, 1.0} and 0.15 < sum(paid) / 200 < 0.45
    other = pay(Reward(STORIES, (placebo(0.3, seed=1),)), rollouts).totals()
    assert other != paid


def test_the_leash_is_on_every_written_token_and_padding_gets_nothing():
    gaps = [torch.tensor([0.5, -0.25]), torch.tensor([1.0, 2.0, 3.0])]
    found = token_rewards([[(1, 1.0)], [(2, 0.5), (2, 0.25)]], gaps, beta=0.1)
    want = torch.tensor([[-0.05, 1.025, 0.0], [-0.1, -0.2, 0.45]])
    assert torch.allclose(found, want)
    assert torch.equal(token_rewards([[], []], gaps), torch.zeros(2, 3))


def test_a_learned_scorers_cost_is_counted_once():
    class Charging:
        ledger = Ledger()

        def __call__(self, rollouts):
            self.ledger += Ledger(scored_tokens=10, verifier_flops=5.0)
            return [[0.5] * len(r.step_ends) for r in rollouts]

    scorer = Charging()
    parts = (steps(scorer, "sum"), steps(scorer, "min"))
    reward = Reward(STORIES, parts)
    assert pay(reward, [worked(0, 2)]).ledger == Ledger(scored_tokens=20, verifier_flops=10.0)
    assert pay(reward, [worked(0, 2)]).ledger == Ledger(scored_tokens=20, verifier_flops=10.0)


def test_what_a_reward_refuses():
    with pytest.raises(ValueError, match="sum, difference, potential, min"):
        steps(ConstantScorer(), "product")
    with pytest.raises(ValueError, match="a name of its own"):
        Reward(STORIES, (outcome(STORIES), outcome(STORIES)))
    with pytest.raises(ValueError, match="at least one"):
        Reward(STORIES, ())
    bad = Part("odd", lambda rollouts: [[(0, float("nan"))] for _ in rollouts])
    with pytest.raises(ValueError, match="'odd' must pay each of 1 rollouts a finite"):
        pay(Reward(STORIES, (bad,)), [worked(0, 2)])
