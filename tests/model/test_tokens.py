"""Tests of o1lab/model/tokens.py: exact round trips, ids that stay put, a folder that opens."""

import hashlib
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from o1lab.model.tokens import END, NAMED, PAD, SIZE, SPARE, UNKNOWN, build_tokenizer, vocabulary
from o1lab.tasks import task
from o1lab.tasks.base import END_THINK, THINK, write_completion

TOK = build_tokenizer()
WORDS, DIGEST = 253, "2f596120b067"  # as first shipped
LEVELS = {"countdown": (3, 6), "stories": (1, 10), "sums": (1, 10)}


def text_of(name, seed):
    """A document of that world: prompt, thoughts, answer."""
    rng = random.Random(seed)
    problem, steps, answer = task(name).worked(rng, rng.randint(*LEVELS[name]))
    return problem.prompt, write_completion(steps, answer)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(sorted(LEVELS)), st.integers(0, 2**40))
def test_text_of_every_world_round_trips(name, seed):
    prompt, completion = text_of(name, seed)
    ids = TOK.encode(prompt + completion)
    assert TOK.decode(ids) == prompt + completion
    assert TOK.unk_token_id not in ids
    assert TOK.encode(prompt) + TOK.encode(completion) == ids, "the prompt's tokens depend on it"


@given(st.lists(st.sampled_from([t for t in vocabulary() if t.isalnum()]), max_size=20))
def test_words_and_numbers_are_one_token_each(words):
    ids = TOK.encode(" ".join(words))
    assert TOK.convert_ids_to_tokens(ids) == words
    assert TOK.decode(ids) == " ".join(words)


@given(st.text(max_size=60))
def test_any_text_gets_ids_in_range(text):
    assert all(0 <= i < SIZE for i in TOK.encode(text))


def test_vocabulary_is_of_the_declared_size_without_repeats():
    tokens = vocabulary()
    assert len(tokens) == SIZE == len(set(tokens)) == len(TOK)
    assert sum(token.startswith("<spare_") for token in tokens) >= SPARE - len(NAMED)


def test_single_tokens():
    for text in (*map(str, range(100)), THINK, END_THINK, "\n", *NAMED, END, PAD, *"+-*/=()."):
        assert len(TOK.encode(text)) == 1, text
    assert (TOK.pad_token_id, TOK.eos_token_id, TOK.unk_token) == (0, 1, UNKNOWN)
    steps = TOK.convert_ids_to_tokens(TOK.encode("<think>\n3 * 5 = 15 left 7\n</think>\n24"))
    assert steps.count("\n") == 3 and steps[0] == THINK


def test_ids_that_shipped_checkpoints_rely_on_stay():
    assert TOK.convert_tokens_to_ids([PAD, END, UNKNOWN, THINK, END_THINK]) == [0, 1, 2, 3, 4]
    assert TOK.convert_tokens_to_ids(["0", "99"]) == [13, 112]
    words = [t for t in vocabulary() if not t.startswith("<spare_")]
    digest = hashlib.sha256("\t".join(words[:WORDS]).encode()).hexdigest()[:12]
    assert digest == DIGEST, "words may only be appended: their place is their id"


def test_the_saved_folder_opens_with_autotokenizer(tmp_path):
    TOK.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for name in LEVELS:
        prompt, completion = text_of(name, 1)
        ids = TOK.encode(prompt + completion)
        assert again.encode(prompt + completion) == ids and again.decode(ids) == prompt + completion
    assert (again.pad_token, again.eos_token, len(again)) == (PAD, END, SIZE)


def test_a_full_vocabulary_is_refused(monkeypatch):
    import o1lab.tasks

    monkeypatch.setattr(o1lab.tasks, "WORDS", tuple(f"w{i}" for i in range(400)))
    with pytest.raises(ValueError, match="vocabulary is full"):
        vocabulary()
