"""The community's form of step labels: round trips, and every line that is not of it."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from o1lab.model.tokens import build_tokenizer
from o1lab.rewards.export import Record, from_records, read_records, to_records, write_records
from o1lab.rewards.labels import Labels, exact_labels
from o1lab.tasks import task
from tests.model.tiny import byte_tokenizer
from tests.rewards.traces import stepless, worked

STORIES = task("stories")
steps = st.lists(st.tuples(st.text(), st.booleans()), max_size=4)


@given(st.lists(st.tuples(st.text(), steps), max_size=4))
def test_any_text_survives_the_file(tmp_path_factory, rows):
    records = [Record(p, [s for s, _ in r], [y for _, y in r]) for p, r in rows]
    path = tmp_path_factory.mktemp("export") / "steps.jsonl"
    assert write_records(path, records) == len(records)
    assert read_records(path) == records
    for line in path.read_text().splitlines():
        assert set(json.loads(line)) == {"prompt", "completions", "labels"}


@pytest.mark.parametrize("tokenizer", [build_tokenizer(), byte_tokenizer()], ids=["words", "bytes"])
def test_rollouts_come_back_with_their_steps_and_labels(tokenizer):
    rollouts = [worked(0, 3, (1,), tokenizer=tokenizer), worked(1, 4, tokenizer=tokenizer)]
    labels = exact_labels(STORIES, rollouts, "negative")
    records = to_records(rollouts, labels)
    assert records[0].labels == [True, False, False]
    found, again = from_records(records, tokenizer)
    assert again.rows == labels.rows
    for old, new in zip(rollouts, found, strict=True):
        assert new.prompt_ids == old.prompt_ids and new.step_ends == old.step_ends
        assert new.ids == old.ids[: old.step_ends[-1]] and new.answer is None


def test_masks_cut_a_record_short_and_soft_labels_need_a_threshold():
    rollouts = [worked(0, 3, (1,)), stepless()]
    records = to_records(rollouts, exact_labels(STORIES, rollouts, "masked"))
    assert records[0].labels == [True, False] and len(records[0].completions) == 2
    assert records[1].completions == []
    soft = Labels("soft", [[0.25, 0.5, 1.0], []])
    assert to_records(rollouts, soft, 0.5)[0].labels == [False, True, True]
    with pytest.raises(ValueError, match="soft label"):
        to_records(rollouts, soft)
    with pytest.raises(ValueError, match="after a masked one"):
        to_records(rollouts, Labels("", [[1.0, None, 1.0], []]))
    with pytest.raises(ValueError, match="has no problem"):
        to_records([replace(rollouts[0], problem=None)], Labels("", [[1.0] * 3]))
    with pytest.raises(ValueError, match="3 steps and 2 labels"):
        to_records(rollouts, Labels("", [[1.0, 1.0], []]))


@pytest.mark.parametrize(
    ("line", "words"),
    [('{"prompt": "a", "completions": ["b"], "labels": []}', "1 steps and 0 labels"),
     ('{"prompt": "a", "completions": ["b"], "labels": [1]}', "list of bool"),
     ('{"prompt": "a", "completions": "b", "labels": [true]}', "list of str"),
     ('{"prompt": 3, "completions": [], "labels": []}', "must be a text"),
     ('{"prompt": "a", "labels": []}', "must be an object"),
     ("[1]", "must be an object"), ('{"prompt"', "line 2")],
)  # fmt: skip
def test_a_bad_line_is_named(tmp_path, line, words):
    path = tmp_path / "steps.jsonl"
    path.write_text('{"prompt": "", "completions": [], "labels": [], "more": 1}\n' + line + "\n")
    with pytest.raises(ValueError, match=f"line 2.*{words}|{words}") as caught:
        read_records(path)
    assert "line 2" in str(caught.value)


@pytest.mark.parametrize("step", ["", "a\nb", " \n"])
def test_a_step_that_is_not_one_line_is_refused(step):
    with pytest.raises(ValueError, match="record 0, step 0"):
        from_records([Record("p\n", [step], [True])], build_tokenizer())
