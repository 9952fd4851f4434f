"""Reads sums such as "(3 * 5 + 7) + 2" into small trees, exactly; no signs, powers or names."""

import re
from fractions import Fraction

MAX_DIGITS = 4
# The signs for times, divided by and minus of ordinary print.
_OPERATORS = str.maketrans({"\u00d7": "*", "\u00f7": "/", "\u2212": "-"})
_TOKEN = re.compile(r"\s*(?:([0-9]+)|([-+*/()]))", re.ASCII)

# A number is an int; anything else is (operator, left tree, right tree).
Tree = int | tuple


class ExpressionError(ValueError):
    """The text is not a sum that can be worked out; the message says why."""


def parse(text: str, max_length: int = 200, max_depth: int = 16, max_numbers: int = 16) -> Tree:
    """The tree of an expression over `+ - * / ( )` and non-negative ASCII integers.

    The printed signs for times, divided by and minus count too; operators of one rank group
    from the left. Numbers have at most four digits. Anything else raises ExpressionError, fast.
    """
    tokens = _tokens(text, max_length)
    if sum(isinstance(token, int) for token in tokens) > max_numbers:
        raise ExpressionError(f"more than {max_numbers} numbers")
    tree, at = _sum(tokens, 0, max_depth)
    if at < len(tokens):
        raise ExpressionError(f"{tokens[at]!r} was not expected after a whole expression")
    return tree


def value(tree: Tree) -> Fraction:
    """The exact value; ExpressionError on a division by zero."""
    return values(tree)[-1]


def values(tree: Tree) -> list[Fraction]:
    """The exact value of every number and operation in the tree, the whole tree's last."""
    if isinstance(tree, int):
        return [Fraction(tree)]
    operator, left, right = tree
    before, after = values(left), values(right)
    return [*before, *after, apply(operator, before[-1], after[-1])]


def numbers(tree: Tree) -> list[int]:
    """The numbers of the tree, from left to right."""
    return [tree] if isinstance(tree, int) else [*numbers(tree[1]), *numbers(tree[2])]


def apply(operator: str, a: Fraction, b: Fraction) -> Fraction:
    """a operator b, exactly; ExpressionError on a division by zero or another operator."""
    if operator == "+":
        return a + b
    if operator == "-":
        return a - b
    if operator == "*":
        return a * b
    if operator != "/":
        raise ExpressionError(f"no operator {operator!r}: use + - * /")
    if b == 0:
        raise ExpressionError("division by zero")
    return Fraction(a) / b


def _tokens(text: str, max_length: int) -> list[int | str]:
    if len(text) > max_length:
        raise ExpressionError(f"longer than {max_length} characters")
    text, at, tokens = text.translate(_OPERATORS).rstrip(), 0, []
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise ExpressionError(f"{text[at:].lstrip()[:1]!r} is no number, operator or bracket")
        tokens.append(_number(match[1]) if match[1] else match[2])
        at = match.end()
    return tokens


def _number(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ExpressionError(f"a number with more than {MAX_DIGITS} digits")
    return int(digits)


def _sum(tokens: list, at: int, depth: int) -> tuple[Tree, int]:
    tree, at = _product(tokens, at, depth)
    while at < len(tokens) and tokens[at] in ("+", "-"):
        right, end = _product(tokens, at + 1, depth)
        tree, at = (tokens[at], tree, right), end
    return tree, at


def _product(tokens: list, at: int, depth: int) -> tuple[Tree, int]:
    tree, at = _atom(tokens, at, depth)
    while at < len(tokens) and tokens[at] in ("*", "/"):
        right, end = _atom(tokens, at + 1, depth)
        tree, at = (tokens[at], tree, right), end
    return tree, at


def _atom(tokens: list, at: int, depth: int) -> tuple[Tree, int]:
    if at >= len(tokens):
        raise ExpressionError("it ends where a number was expected")
    if isinstance(tokens[at], int):
        return tokens[at], at + 1
    if tokens[at] != "(":
        raise ExpressionError(f"{tokens[at]!r} stands where a number was expected")
    if depth == 0:
        raise ExpressionError("too many brackets inside each other")
    tree, end = _sum(tokens, at + 1, depth - 1)
    if end >= len(tokens) or tokens[end] != ")":
        raise ExpressionError("a bracket is never closed")
    return tree, end + 1
