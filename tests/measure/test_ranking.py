"""AUROC against every pair, first errors against their definition, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.measure.ranking import (
    auroc,
    auroc_by_problem,
    auroc_within,
    best_threshold,
    first_below,
    first_error_f1,
    first_error_scores,
)

ITEMS = st.lists(
    st.tuples(st.sampled_from([-np.inf, 0.0, 0.3, 0.5, 2.0]), st.booleans(), st.integers(0, 2)),
    min_size=1,
    max_size=14,
)


def by_pairs(items):
    """The share of (right, wrong) pairs in order, ties one half; None without both classes."""
    ones = [s for s, right, *_ in items if right]
    zeros = [s for s, right, *_ in items if not right]
    wins = [1.0 if a > b else 0.5 if a == b else 0.0 for a in ones for b in zeros]
    return sum(wins) / len(wins) if wins else None


@given(ITEMS)
def test_auroc_is_the_share_of_pairs_in_order(items):
    scores, right, _ = zip(*items, strict=True)
    if (truth := by_pairs(items)) is None:
        with pytest.raises(ValueError, match="right and wrong items"):
            auroc(scores, right)
    else:
        assert auroc(scores, right) == pytest.approx(truth)


@given(ITEMS)
def test_within_problems_is_the_mean_over_those_with_both_classes(items):
    scores, right, problem = zip(*items, strict=True)
    order = list(dict.fromkeys(problem))
    each = [by_pairs([item for item in items if item[2] == name]) for name in order]
    found = auroc_by_problem(scores, right, problem)
    assert found == pytest.approx([np.nan if v is None else v for v in each], nan_ok=True)
    some = [v for v in each if v is not None]
    if some:
        assert auroc_within(scores, right, problem) == pytest.approx((np.mean(some), len(some)))
    else:
        with pytest.raises(ValueError, match="no problem has"):
            auroc_within(scores, right, problem)


def test_a_score_that_only_knows_the_problem_is_worth_nothing_within():
    right = np.array([1, 1, 1, 0, 0, 0, 0, 1], dtype=bool)
    problem = np.array(["easy"] * 4 + ["hard"] * 4)
    scores = (problem == "easy") * 1.0
    assert auroc(scores, right) == pytest.approx(0.75)
    assert auroc_within(scores, right, problem) == (0.5, 2)


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from([0.1, 0.5, 0.9]), max_size=4), max_size=8), st.data())
def test_first_error_f1_is_its_definition(rows, data):
    true = [data.draw(st.sampled_from([None, *range(len(row))])) for row in rows]
    threshold = data.draw(st.sampled_from([0.0, 0.3, 0.5, 0.7]))
    hits = {True: [], False: []}
    for row, index in zip(rows, true, strict=True):
        flagged = [i for i, score in enumerate(row) if score < threshold]
        hits[index is None].append((flagged[0] if flagged else None) == index)
    if not hits[True] or not hits[False]:
        with pytest.raises(ValueError, match="some of each"):
            first_error_scores(rows, true, threshold)
        return
    a, b = np.mean(hits[False]), np.mean(hits[True])
    found = first_error_scores(rows, true, threshold)
    assert (found.erroneous, found.clean) == pytest.approx((a, b))
    assert found.f1 == pytest.approx(2 / (1 / a + 1 / b) if a and b else 0)
    assert (found.erroneous_traces, found.clean_traces) == (len(hits[False]), len(hits[True]))


def test_calling_every_trace_clean_scores_nothing():
    assert first_error_f1([None, None], [1, None]).f1 == 0
    assert first_error_f1([1, None], [1, None]).f1 == 1
    assert first_below([0.9, 0.5, 0.1], 0.5) == 2 and first_below([], 0.5) is None


def test_the_threshold_with_the_best_f1_is_chosen():
    rows, true = [[0.9, 0.6, 0.2], [0.9, 0.65]], [1, None]
    assert best_threshold(rows, true, [0.1, 0.5, 0.62, 0.63, 0.8]) == 0.62
    with pytest.raises(ValueError, match="at least one"):
        best_threshold(rows, true, [])


def test_bad_input_is_named():
    for scores, right in (([0.1], [True, False]), ([], []), ([[0.1]], [[True]])):
        with pytest.raises(ValueError, match="one of each an item"):
            auroc(scores, right)
    with pytest.raises(ValueError, match="item 1 scores NaN"):
        auroc([0.1, np.nan], [True, False])
    with pytest.raises(ValueError, match="true or false"):
        auroc([0.1, 0.2], [0.5, 1])
    with pytest.raises(ValueError, match="1 problem names for 2"):
        auroc_by_problem([0.1, 0.2], [True, False], ["a"])
    with pytest.raises(ValueError, match="1 predictions for 2"):
        first_error_f1([None], [None, 0])
    with pytest.raises(ValueError, match="NaN"):
        first_below([np.nan], 0.5)
    with pytest.raises(ValueError, match="trace 0 has 1 scores and its first error at 3"):
        first_error_scores([[0.5], [0.5]], [3, None])
    with pytest.raises(ValueError, match="1 predictions for 2"):
        first_error_scores([[0.5]], [None, 0])
