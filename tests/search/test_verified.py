"""The oracle, and sampling that stops at its first verified success, with what it spent."""

import pytest

from o1lab.model.rollouts import Rollout
from o1lab.search.verified import oracle, sample_until_verified


def sampler(right_at, asked):
    """Rollouts named by number, of which number `right_at` answers "yes"."""

    def sample(count, drawn):
        asked.append((count, drawn))
        names = ["yes" if i == right_at else "no" for i in range(drawn, drawn + count)]
        return [Rollout(None, [1, 2], [3], [0.0], name, [], True, 10.0) for name in names]

    return sample


def check(rollout):
    return rollout.answer == "yes"


def test_the_oracle_takes_the_first_right_one():
    rollouts = sampler(2, [])(4, 0)
    assert oracle(rollouts, check) is rollouts[2]
    assert oracle(rollouts[:2], check) is None and oracle([], check) is None


def test_it_stops_at_the_first_success():
    asked = []
    found = sample_until_verified(sampler(3, asked), check, budget=10)
    assert found.rollout.answer == "yes"
    assert (found.samples, found.checks) == (4, 4)
    assert asked == [(1, 0), (1, 1), (1, 2), (1, 3)]
    assert found.ledger.policy_flops == 40 and found.ledger.generated_tokens == 4


def test_a_batch_is_paid_for_whole_and_cut_to_the_budget():
    asked = []
    found = sample_until_verified(sampler(4, asked), check, budget=10, batch=4)
    assert (found.samples, found.checks, found.ledger.policy_flops) == (8, 5, 80)
    lost = sample_until_verified(sampler(99, asked := []), check, budget=10, batch=4)
    assert lost.rollout is None and (lost.samples, lost.checks) == (10, 10)
    assert asked == [(4, 0), (4, 4), (2, 8)]


@pytest.mark.parametrize(("budget", "batch"), [(0, 1), (3, 0)])
def test_nothing_to_spend_is_an_error(budget, batch):
    with pytest.raises(ValueError, match="at least 1"):
        sample_until_verified(sampler(0, []), check, budget, batch)


def test_a_sampler_that_gives_another_number_is_an_error():
    with pytest.raises(ValueError, match="asked for 2 rollouts and got 0"):
        sample_until_verified(lambda count, drawn: [], check, 4, 2)
