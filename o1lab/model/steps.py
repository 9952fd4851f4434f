"""Where steps of thought end in token space, for any tokenizer. Leaves out what a step means.

A step is a non-empty line inside `<think>` … `</think>`. Its end is found in text, so a byte-level
BPE may cut lines and marks where it likes.
"""

from collections.abc import Sequence
from functools import lru_cache

from o1lab.tasks.base import END_THINK, THINK, lines_of


@lru_cache(maxsize=8)
def newline_ids(tokenizer) -> frozenset[int]:
    """Ids of the tokens whose text holds a line break."""
    tokens = tokenizer.convert_ids_to_tokens(range(len(tokenizer)))
    marks = ("\n", "Ċ", "<0x0A>")  # plain, byte-level and SentencePiece spelling
    return frozenset(i for i, t in enumerate(tokens) if t and any(m in t for m in marks))


def step_ends(tokenizer, ids: list[int]) -> list[int]:
    """For each step in the completion `ids`, the index just past its last token.

    As many as there are non-empty lines of thought: a last line without a line break ends with
    its last word, closed by `</think>` or cut by the length limit.
    """
    return list(_step_ends(tokenizer, tuple(ids)))


@lru_cache(maxsize=4096)  # the engine asks while it writes, and once more when it is done
def _step_ends(tokenizer, ids: tuple[int, ...]) -> list[int]:
    ends, text, start = [], "", 0
    for cut in [i + 1 for i, token in enumerate(ids) if token in newline_ids(tokenizer)]:
        text += tokenizer.decode(ids[start:cut])
        inside, closed = _inside(text)
        if closed:
            break
        ends += [cut] * (len(lines_of(inside)) - len(ends))
        start = cut
    left = lines_of(_inside(tokenizer.decode(ids))[0])[len(ends) :]
    return ends + [_past(tokenizer, ids, start, line) for line in left]


def _inside(text: str) -> tuple[str, bool]:
    """(what stands after `<think>` so far, whether the thought is closed)."""
    thoughts, closed, _ = text.partition(THINK)[2].partition(END_THINK)
    return thoughts, bool(closed)


def _past(tokenizer, ids: Sequence[int], start: int, line: str) -> int:
    """The first index at which the tokens from `start` have written the whole line."""
    stops = range(start + 1, len(ids) + 1)
    return next((i for i in stops if line in tokenizer.decode(ids[start:i])), len(ids))
