"""Tests of o1lab/tasks/expressions.py: exact values, and a quick verdict on hostile text."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.tasks.expressions import ExpressionError, numbers, parse, value, values


@pytest.mark.parametrize(
    ("text", "worth"),
    [
        ("7", 7),
        ("((3 * 5) + 7) + 2", 24),
        ("2 + 3 * 4", 14),
        ("20 - 3 - 4", 13),
        ("24 / 4 / 2", 3),
        ("8 / (3 - 8 / 3)", 24),
        (" ( 1+2 )\t*3 ", 9),
        ("6 \u00d7 8 \u00f7 2 \u2212 1", 23),
        ("1 / 3", Fraction(1, 3)),
        ("3 - 5", -2),
        ("9999", 9999),
        ("(" * 16 + "1" + ")" * 16, 1),
        ("+".join("1" * 16), 16),
    ],
)
def test_value(text, worth):
    assert value(parse(text)) == worth


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "ends"),
        ("   ", "ends"),
        ("3 +", "ends"),
        ("(3", "never closed"),
        ("3)", "not expected"),
        ("()", "stands where"),
        ("3 4", "not expected"),
        ("-3", "stands where"),
        ("2 ** 3", "stands where"),
        ("9**9**9", "stands where"),
        ("2 ^ 3", "is no number"),
        ("1.5", "is no number"),
        ("x + 1", "is no number"),
        ("__import__('os')", "is no number"),
        ("\u0663 + 1", "is no number"),
        ("\u00b2", "is no number"),
        ("\uff13", "is no number"),
        ("12345", "more than 4 digits"),
        ("9" * 199, "more than 4 digits"),
        ("(" * 17 + "1" + ")" * 17, "too many brackets"),
        ("+".join("1" * 17), "more than 16 numbers"),
        ("(" * 1_000_000, "longer than"),
        ("1" * 10_000_000, "longer than"),
    ],
)
def test_refused(text, why):
    with pytest.raises(ExpressionError, match=why):
        parse(text)


@pytest.mark.parametrize("text", ["1 / 0", "3 / (2 - 2)", "0 / 0"])
def test_division_by_zero(text):
    with pytest.raises(ExpressionError, match="division by zero"):
        value(parse(text))


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.text("0123456789+-*/() \n\u0663\u00b2\u00d7=.,_ae", max_size=250)))
def test_hostile_text_gets_a_value_or_an_expression_error(text):
    try:
        tree = parse(text)
        assert value(tree) == values(tree)[-1]
    except ExpressionError as error:
        assert str(error)


def trees():
    leaf = st.integers(0, 9999)
    return st.recursive(leaf, lambda t: st.tuples(st.sampled_from("+-*/"), t, t), max_leaves=8)


def written(tree) -> str:
    if isinstance(tree, int):
        return str(tree)
    return f"({written(tree[1])} {tree[0]} {written(tree[2])})"


@settings(max_examples=100, deadline=None)
@given(trees())
def test_a_written_tree_reads_back(tree):
    assert parse(written(tree)) == tree
    assert sorted(map(str, numbers(tree))) == sorted(
        written(tree)
        .replace("(", " ")
        .replace(")", " ")
        .translate(str.maketrans("+-*/", "    "))
        .split()
    )
