"""Labels against traces whose every step is known, and their cost against what was written."""

from dataclasses import dataclass, field, replace
from math import ceil, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1lab.measure.compute import Ledger
from o1lab.model.checkpoints import Policy
from o1lab.model.network import tiny_policy
from o1lab.model.tokens import build_tokenizer
from o1lab.rewards.completions import Completer, Continued, StepValues, step_values
from o1lab.rewards.labels import (
    AFTER,
    Labels,
    after_first_wrong,
    check_labels,
    exact_labels,
    monte_carlo_labels,
    noisy_labels,
    omega_labels,
    value_labels,
    with_rule,
)
from o1lab.tasks import task
from tests.model.tiny import byte_tokenizer, tiny_qwen
from tests.rewards.traces import BAD, stepless, unclosed, worked

STORIES = task("stories")


@dataclass
class Oracle:
    """A completer that succeeds exactly while the prefix holds no wrong step."""

    n: int = 3
    task: object = STORIES
    calls: list = field(default_factory=list)

    def __call__(self, places):
        self.calls.append(len(places))
        return [self.found(r, end) for r, end in places]

    def found(self, rollout, end):
        good = BAD not in build_tokenizer().decode(rollout.ids[:end])
        right = (False,) * (self.n - 1) + (good,)
        return Continued(right, (5,) * self.n, (2.0,) * self.n, end, 10.0)


def rows_of(*wrong, depth=6):
    return [worked(i, depth, places, "0" if places else None) for i, places in enumerate(wrong)]


def test_exact_labels_under_each_rule():
    rollouts = [*rows_of((), (1, 3), depth=5), stepless(), unclosed()]
    kept = exact_labels(STORIES, rollouts, "kept")
    assert kept.rows[0] == [1.0] * 5 and kept.rows[1][1] == 0.0 and kept.rows[1][0] == 1.0
    assert kept.rows[2:] == [[], [0.0]]
    assert exact_labels(STORIES, rollouts, "negative").rows[1] == [1.0, 0, 0, 0, 0]
    masked = exact_labels(STORIES, rollouts, "masked")
    assert masked.rows[1] == [1.0, 0.0, None, None, None]
    assert masked.ledger == Ledger() and "exact" in masked.name and masked.count == 8
    check_labels(masked, rollouts)
    with pytest.raises(ValueError, match="negative, masked, kept"):
        exact_labels(STORIES, rollouts, "dropped")
    with pytest.raises(ValueError, match="without its problem"):
        exact_labels(STORIES, [replace(rollouts[0], problem=None)], "kept")


labels = st.lists(st.sampled_from([0.0, 0.3, 0.7, 1.0, None]), max_size=8)


@given(labels, st.sampled_from(AFTER))
def test_a_rule_leaves_what_comes_first_and_can_be_used_twice(row, rule):
    out = after_first_wrong(row, rule)
    assert len(out) == len(row) and after_first_wrong(out, rule) == out
    wrong = [i for i, y in enumerate(row) if y is not None and y < 0.5]
    first = wrong[0] if wrong else len(row)
    assert out[: first + 1] == row[: first + 1]
    filler = {"negative": [0.0], "masked": [None], "kept": row[first + 1 :]}[rule]
    assert all(y in filler for y in out[first + 1 :])


def test_labels_that_do_not_fit_are_refused():
    rollouts = rows_of((), (1,), depth=3)
    good = exact_labels(STORIES, rollouts, "kept")
    with pytest.raises(ValueError, match="1 rows of labels for 2"):
        check_labels(replace(good, rows=good.rows[:1]), rollouts)
    with pytest.raises(ValueError, match="rollout 1 has 3 steps and 2 labels"):
        check_labels(replace(good, rows=[good.rows[0], [1.0, 0.0]]), rollouts)
    with pytest.raises(ValueError, match="rollout 0 has the labels"):
        check_labels(replace(good, rows=[[2.0] * 3, good.rows[1]]), rollouts)


def test_monte_carlo_labels_of_a_perfect_completer():
    rollouts = [*rows_of((), (2,), (0, 1)), stepless()]
    hard = monte_carlo_labels(Oracle(), rollouts, "hard")
    assert hard.rows == exact_labels(STORIES, rollouts, "negative").rows
    soft = monte_carlo_labels(Oracle(), rollouts, "soft")
    assert soft.rows[1] == pytest.approx([1 / 3, 1 / 3, 0, 0, 0, 0]) and soft.rows[3] == []
    assert soft.rows[0] == pytest.approx([1 / 3] * 5 + [1])  # the last one has its answer
    assert soft.completions == 3 * 15 and soft.ledger.generated_tokens == 5 * 45
    assert soft.ledger.policy_flops == 15 * 10 + 45 * 2
    with pytest.raises(ValueError, match='"hard" or "soft"'):
        monte_carlo_labels(Oracle(), rollouts, "any")


counts = st.lists(st.lists(st.booleans(), min_size=8, max_size=8), min_size=1, max_size=4)


@given(counts, st.integers(1, 8))
def test_the_first_n_completions_give_the_labels_of_n(right, n):
    found = [Continued(tuple(r), (1,) * 8, (1.0,) * 8, 7, 3.0) for r in right]
    values = StepValues(found, [list(range(len(found)))], 8)
    soft, hard = value_labels(values, "soft", n), value_labels(values, "hard", n)
    assert soft.rows[0] == [sum(r[:n]) / n for r in right]
    assert hard.rows[0] == [float(any(r[:n])) for r in right]
    assert soft.completions == n * len(found)
    assert soft.ledger.policy_flops == len(found) * (3 + n)
    with pytest.raises(ValueError, match="1 to 8 completions"):
        value_labels(values, "soft", 9)


def test_a_shared_prefix_is_completed_once():
    one, two = worked(0, 4, (3,)), worked(0, 4, (2, 3))
    values = step_values(Oracle(), [one, two, one])
    assert sum(found.read > 0 for found in values.found) == 4
    assert values.rows[0][:3] == values.rows[2][:3]
    assert values.rows[0][:2] == values.rows[1][:2]


@given(st.lists(st.one_of(st.none(), st.integers(0, 5)), min_size=1, max_size=4))
def test_omega_finds_the_first_error_with_few_completions(firsts):
    rollouts = rows_of(*[() if f is None else (f,) for f in firsts])
    oracle = Oracle()
    found = omega_labels(oracle, rollouts, "negative")
    assert found.rows == exact_labels(STORIES, rollouts, "negative").rows
    searched = sum(f is not None for f in firsts)
    assert found.completions == oracle.n * sum(oracle.calls) <= searched * 3 * ceil(log2(7))
    assert len(oracle.calls) <= ceil(log2(7))  # one batch a round
    assert found.ledger.generated_tokens == 5 * found.completions


def test_equal_traces_are_searched_once():
    oracle = Oracle()
    one = worked(2, 6, (4,), "0")
    found = omega_labels(oracle, [one, one, one], "negative")
    assert found.rows == [[1, 1, 1, 1, 0, 0]] * 3
    alone = omega_labels(Oracle(), [one], "negative")
    assert found.completions == alone.completions and found.ledger == alone.ledger


def test_omega_knows_its_limits():
    slip = worked(1, 4, (), "0")  # right steps, another answer: that belongs to the last step
    assert omega_labels(Oracle(), [slip, stepless()], "masked").rows == [[1.0, 1.0, 1.0, 0.0], []]
    cut = replace(slip, finished=False)
    assert omega_labels(Oracle(), [cut], "masked").rows == [[1.0] * 4]
    assert omega_labels(Oracle(), [worked(1, 4, (1,), "0")], "masked").rows == [[1, 0, None, None]]
    with pytest.raises(ValueError, match="kept"):
        omega_labels(Oracle(), [slip], "kept")
    with pytest.raises(ValueError, match="without its problem"):
        omega_labels(Oracle(), [replace(slip, problem=None)], "masked")


def test_noise_is_fixed_nested_and_of_the_rate_asked():
    rollouts = [worked(i, 5) for i in range(60)]
    exact = exact_labels(STORIES, rollouts, "kept")
    rates = {r: noisy_labels(exact, rollouts, r, seed=1) for r in (0.0, 0.1, 0.3, 1.0)}
    flips = {r: [y < 0.5 for row in found.rows for y in row] for r, found in rates.items()}
    assert not any(flips[0.0]) and all(flips[1.0])
    assert 0.05 < sum(flips[0.1]) / 300 < 0.16 and 0.23 < sum(flips[0.3]) / 300 < 0.37
    assert all(more for few, more in zip(flips[0.1], flips[0.3], strict=True) if few)
    turned = noisy_labels(replace(exact, rows=exact.rows[::-1]), rollouts[::-1], 0.3, seed=1)
    assert turned.rows[::-1] == rates[0.3].rows
    assert noisy_labels(exact, rollouts, 0.3, seed=2).rows != turned.rows[::-1]
    with pytest.raises(ValueError, match="share"):
        noisy_labels(exact, rollouts, 1.2)


def test_noise_leaves_masks_and_mirrors_soft_labels():
    rollouts = [worked(0, 3)]
    soft = Labels("soft", [[0.25, None, 1.0]])
    assert noisy_labels(soft, rollouts, 1.0).rows == [[0.75, None, 0.0]]
    assert with_rule(soft, "masked").rows == [[0.25, None, None]]


@pytest.mark.parametrize("bytes_bpe", [False, True])
def test_a_real_policy_completes_prefixes_and_is_charged_for_it(bytes_bpe):
    tokenizer = byte_tokenizer() if bytes_bpe else build_tokenizer()
    model = tiny_qwen(320) if bytes_bpe else tiny_policy("xs").double()
    policy = Policy(model, tokenizer)
    rollouts = [worked(i, 3, tokenizer=tokenizer) for i in range(2)]
    completer = Completer(policy, STORIES, n=2, max_new_tokens=6, seed=3)
    values = step_values(completer, rollouts)
    turned = step_values(replace(completer, batch_rows=2), rollouts[::-1])
    assert [values.found[at] for row in values.rows for at in row] == [
        turned.found[at] for row in turned.rows[::-1] for at in row
    ]
    reads = [len(r.prompt_ids) + end for r in rollouts for end in r.step_ends[:-1]]
    assert values.ledger().prompt_tokens == sum(reads)
    assert 8 <= values.ledger().generated_tokens <= 8 * 6
    assert values.ledger(1).policy_flops < values.ledger(2).policy_flops
    assert all(flops >= 0 for found in values.found for flops in found.flops)


def test_a_completer_refuses_what_it_cannot_grade():
    policy = Policy(tiny_policy("xs"), build_tokenizer())
    completer = Completer(policy, STORIES, n=1, max_new_tokens=4)
    with pytest.raises(ValueError, match="another tokenizer"):
        step_values(completer, [worked(0, tokenizer=byte_tokenizer())])
    with pytest.raises(ValueError, match="without its problem"):
        step_values(completer, [replace(worked(0), problem=None)])
    with pytest.raises(ValueError, match="passes the model's 1024"):
        step_values(replace(completer, max_new_tokens=1024), [worked(0)])
    with pytest.raises(ValueError, match="at least one completion"):
        replace(completer, n=0)
