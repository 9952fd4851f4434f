"""One vocabulary for all worlds, as a stock `PreTrainedTokenizerFast`. Leaves out Hub tokenizers,

which are used as they come. A number from 0 to 99, a word and a mark are one token each.
"""

from functools import cache

from o1lab.tasks.base import END_THINK, THINK

SIZE = 512
PAD, END, UNKNOWN = "<pad>", "<eos>", "<unk>"
SPECIAL = (PAD, END, UNKNOWN, THINK, END_THINK)
# Named spares: later lessons (backtracking, budgets, rules, refusals) tune them into use.
NAMED = ("<wait>", "<wrong>", "<back>", "<budget>", "<rule>", "<refuse>", "<check>", "<policy>")
MARKS = ("\n", "+", "-", "*", "/", "=", "(", ")", ".", ",", "?", ":", ";", "'s", "!", "%")
SPARE = 64


def vocabulary() -> list[str]:
    """The 512 token texts in order of their ids; new words take the place of spare tokens."""
    from o1lab.tasks import WORDS

    tokens = [*SPECIAL, *NAMED, *map(str, range(100)), *MARKS, *WORDS]
    spare = SIZE - len(tokens)
    if spare < SPARE - len(NAMED) or len(set(tokens)) < len(tokens):
        raise ValueError(f"{spare} spare tokens left, or a token twice: the vocabulary is full")
    return tokens + [f"<spare_{i}>" for i in range(spare)]


@cache
def build_tokenizer():
    """The lab's tokenizer (`transformers.PreTrainedTokenizerFast`); text round-trips exactly.

    Canonical text has single spaces, none before `. , ?` and none around a newline.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    ids = {token: i for i, token in enumerate(vocabulary())}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(" +"), "removed"),
            pre_tokenizers.Split(Regex(r"\n|\d+|'s|[A-Za-z]+|[^\sA-Za-z\d]"), "isolated"),
        ]
    )
    tidy = [decoders.Replace(a, b) for a, b in _SPACING]
    tokenizer.decoder = decoders.Sequence(
        [decoders.WordPiece(prefix="@@", cleanup=False), decoders.Fuse(), *tidy]
    )
    angled = [token for token in ids if token.startswith("<")]
    tokenizer.add_tokens([AddedToken(t, normalized=False) for t in angled if t not in (PAD, END)])
    tokenizer.add_special_tokens([PAD, END])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        clean_up_tokenization_spaces=False,
        model_max_length=1024,
    )


_SPACING = (
    (" \n", "\n"), ("\n ", "\n"), (" .", "."), (" ,", ","), (" ?", "?"), (" 's", "'s"),
    ("( ", "("), (" )", ")"),
)  # fmt: skip
