"""The worth of a chain against its written-out definition, and what is refused."""

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1lab.rewards.aggregate import AGGREGATIONS, aggregate, aggregate_rows

ROW = st.lists(st.floats(0, 1), min_size=1, max_size=8)


@given(ROW)
def test_each_aggregation_is_its_definition(row):
    product = 1.0
    for value in row:
        product *= value
    assert aggregate(row, "last") == row[len(row) - 1]
    assert aggregate(row, "min") == sorted(row)[0]
    assert aggregate(row, "product") == pytest.approx(product)
    assert aggregate(row, "mean") == pytest.approx(sum(row) / len(row))
    assert aggregate(row, "product") <= aggregate(row, "min") + 1e-12


@pytest.mark.parametrize("how", AGGREGATIONS)
def test_a_chain_without_steps_is_below_every_other(how):
    assert aggregate([], how) == -inf
    assert aggregate_rows([[], [0.0]], how) == [-inf, 0.0]
    with pytest.raises(ValueError, match="step 1 scores NaN"):
        aggregate([0.5, nan], how)


def test_an_unknown_name_gets_the_choices_and_a_product_wants_no_negatives():
    with pytest.raises(ValueError, match="last, min, product, mean"):
        aggregate([0.5], "max")
    with pytest.raises(ValueError, match="median"):
        aggregate([], "median")
    with pytest.raises(ValueError, match="at least 0"):
        aggregate([-0.5, -0.5], "product")
