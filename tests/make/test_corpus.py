"""Tests of o1lab/make/corpus.py: pure, right in every sum, nothing reserved, within 512 tokens."""

import random
import re

import pytest

from o1lab.make import corpus
from o1lab.make.checkpoints import COUNT_LEVELS, HARD_LEVELS, STORY_LEVELS, recipes
from o1lab.make.corpus import HARD, Doc, encode, stream
from o1lab.model.tokens import END, build_tokenizer
from o1lab.tasks import task
from o1lab.tasks.base import Problem, read_completion, split_of
from o1lab.tasks.countdown_splits import split_of_state
from o1lab.tasks.story_world import apply

TOK = build_tokenizer()
SUM = re.compile(r"(?<![\d.])(\d+) ([-+*/]) (\d+) = (\d+)(?!\d)")
MOVE = re.compile(r"\d+ [-+*/] \d+ = \d+ left ([\d ]+)")
STORIES, SUMS, COUNT = task("stories"), task("sums"), task("countdown")
MAKERS = {
    "drill": corpus.drill,
    "story of facts": corpus.story_of_facts,
    "countdown of facts": corpus.countdown_of_facts,
    "echo": corpus.echo,
    "look ups": corpus.look_ups,
    "noisy story": corpus.noisy_story,
    "noisy countdown": corpus.noisy_countdown,
    "filler in stories": corpus.filler(STORIES, STORY_LEVELS),
    "filler in sums": corpus.filler(SUMS, STORY_LEVELS),
}
for _name, _world, _levels in (
    ("stories", STORIES, STORY_LEVELS),
    ("sums", SUMS, STORY_LEVELS),
    ("countdown", COUNT, COUNT_LEVELS),
    ("hard countdown", HARD, HARD_LEVELS),
):
    MAKERS[f"thoughts in {_name}"] = corpus.thought(_world, _levels)
    MAKERS[f"at once in {_name}"] = corpus.at_once(_world, _levels)
for _steps in (1, 2):
    MAKERS[f"first {_steps} steps"] = corpus.plan(HARD, HARD_LEVELS, _steps)
THOUGHTS = [name for name in MAKERS if name.startswith("thoughts")]


def docs(name, count=150):
    rng = random.Random(name)
    return [MAKERS[name](rng) for _ in range(count)]


def test_every_maker_of_a_recipe_is_tested_here():
    used = {maker.__code__ for recipe in recipes() for maker, _ in recipe.mixture}
    assert used <= {maker.__code__ for maker in MAKERS.values()}


@pytest.mark.parametrize("name", MAKERS)
def test_documents_read_back_and_fit(name):
    for doc, example in zip(docs(name), encode(docs(name)), strict=True):
        text = doc.read + doc.written
        assert example.ids == TOK.encode(text + END)
        if "filler" in name:  # dots lose the spaces between them
            text = text.replace(". .", "..").replace(". .", "..")
        assert TOK.decode(example.ids[:-1]) == text
        assert TOK.unk_token_id not in example.ids and len(example.ids) <= 512
        assert len(example.weight) == len(example.ids) and any(example.weight)


@pytest.mark.parametrize("name", MAKERS)
def test_every_sum_is_right(name):
    found = 0
    for doc in docs(name):
        for a, op, b, c in SUM.findall(doc.written):
            assert apply(op, int(a), int(b)) == int(c), doc
            found += 1
    assert found or name.startswith(("at once", "filler", "echo"))


@pytest.mark.parametrize("name", THOUGHTS)
def test_thoughts_have_right_steps_and_answers(name, monkeypatch):
    """Each document's problem, as drawn, checked by the world itself."""
    world = HARD if "hard" in name else task(name.removeprefix("thoughts in "))
    drawn, real = [], type(world).worked

    def worked(self, rng, level, split="train"):
        drawn.append(real(self, rng, level, split))
        return drawn[-1]

    monkeypatch.setattr(type(world), "worked", worked)
    for doc, (problem, _, _) in zip(docs(name, 60), drawn, strict=True):
        thoughts, answer = read_completion(doc.written)
        assert doc.read == problem.prompt and world.grade(problem, answer)
        assert all(v.ok for v in world.verdicts(problem, world.steps(thoughts)))


def asked(doc):
    """(numbers, target) of a Countdown document."""
    target, numbers = re.match(r"Make (\d+) from ([\d ]+)\.", doc.read).groups()
    return tuple(map(int, numbers.split())), int(target)


@pytest.mark.parametrize("steps", (1, 2))
def test_a_plan_ends_after_its_steps_and_teaches_no_end_of_text(steps):
    for example in encode(docs(f"first {steps} steps")):
        text = TOK.decode(example.ids)
        assert text.count(" = ") == steps and text.endswith("\n" + END)
        read = example.ids.index(TOK.convert_tokens_to_ids("<think>")) + 2
        assert example.weight[:read] == [0] * read and example.weight[-1] == 0
        assert set(example.weight[read:-1]) == {1}


@pytest.mark.parametrize("name", [*THOUGHTS[2:], "first 1 steps", "first 2 steps"])
def test_no_countdown_thought_passes_a_reserved_state(name):
    for doc in docs(name, 400):
        numbers, target = asked(doc)
        states = [numbers, *(tuple(map(int, m.split())) for m in MOVE.findall(doc.written))]
        assert {split_of_state(s, target) for s in states if len(s) > 2} <= {"train"}


def told_stories(name, count, monkeypatch):
    """The problems whose stories these documents tell."""
    told, real = [], type(STORIES).problem

    def problem(self, rng, depth, split="train"):
        told.append(real(self, rng, depth, split))
        return told[-1]

    for world in (STORIES, SUMS):
        monkeypatch.setattr(type(world), "problem", problem)
    return docs(name, count), told


@pytest.mark.parametrize("name", [n for n in MAKERS if "stor" in n or "sums" in n])
def test_no_story_asks_or_passes_a_reserved_problem(name, monkeypatch):
    made, told = told_stories(name, 300, monkeypatch)
    assert len(made) == len(told)
    for doc, problem in zip(made, told, strict=True):
        world = task(problem.task)
        forms = [world.canonical(problem), *world.states(problem.data[0])]
        assert doc.read.startswith(problem.prompt)
        assert {split_of(form, *world.reserved) for form in forms} == {"train"}


def behind(story, at):
    """The steps that lead to value `at`, in order."""
    found, ahead = set(), [at]
    while ahead:
        here = ahead.pop()
        node = story.nodes[here]
        if node.op != "given":
            found.add(here)
            ahead += [ref.at for ref in (node.left, node.right) if ref and ref.node]
    return tuple(sorted(found))


def test_the_careless_talker_works_out_no_reserved_value(monkeypatch):
    made, told = told_stories("noisy story", 300, monkeypatch)
    for doc, problem in zip(made, told, strict=True):
        story, names, thing = problem.data
        texts = [node.left and corpus_step(problem, at) for at, node in enumerate(story.nodes)]
        for at in range(len(story.nodes)):
            steps = behind(story, at)
            said = all(texts[i] in doc.written and texts.count(texts[i]) == 1 for i in steps)
            if said and len(steps) > 1:
                inner = story._replace(spine=steps)
                form = STORIES.canonical(Problem("stories", "", "", 1, (inner, names, thing)))
                assert split_of(form, *STORIES.reserved) == "train"


def corpus_step(problem, at):
    from o1lab.tasks.stories import _write

    return _write(*problem.data[:2], at) + "\n"


@pytest.mark.parametrize("name", ["noisy countdown", "countdown of facts"])
def test_no_noisy_countdown_asks_a_reserved_problem(name):
    splits = [split_of_state(*asked(doc)) for doc in docs(name, 2000)]
    assert set(splits) == {"train"}


def test_the_loss_is_on_what_is_written():
    doc = Doc("Make 24 from 3 8.\n", "<think>\n3 * 8 = 24 left 24\n</think>\n3 * 8")
    (example,) = encode([doc])
    read = len(TOK.encode(doc.read))
    assert example.weight == [0.0] * read + [1.0] * (len(example.ids) - read)


def test_practice_trains_the_results_alone():
    doc = Doc("", "3 * 8 = 24\n", results_only=True)
    (example,) = encode([doc])
    trained = [i for i, w in zip(example.ids, example.weight, strict=True) if w]
    assert TOK.decode(trained) == "24"


def test_practice_trains_no_operand():
    named = Doc("x\n", "<think>\nBob = Ann + 7 = 12 + 7 = 19\n</think>\n19", results_only=True)
    (example,) = encode([named])
    assert [i for i, w in enumerate(example.weight) if w] == [example.ids.index(13 + 19)]


def test_an_echo_holds_nothing_that_was_not_read():
    for doc in docs("echo"):
        words = doc.read.split()
        assert doc.written.split() == words * 3 and len(set(words)) == len(words)


def test_look_ups_count_only_what_the_story_tells():
    """Every trained number or mark of a line can be found in the text or worked out from it."""
    for doc, example in zip(docs("look ups"), encode(docs("look ups")), strict=True):
        owned = re.findall(r"(?:There are )?[^.]*\.", doc.read)
        for line, places in zip(doc.written.splitlines()[1:], doc.places, strict=False):
            words = line.split()
            assert words[6] in doc.read.replace(".", " ").split()
            if len(places) > 2:
                (told,) = [s for s in owned if words[0] in s]
                assert words[2] in told and (words[3] in "*/" or words[4] in told.split())
        trained = sum(map(bool, example.weight))
        assert trained == sum(map(len, doc.places))


def test_filler_is_as_long_as_the_thoughts():
    for seed in range(40):
        world, rng = STORIES, random.Random(seed)
        problem, steps, answer = world.worked(rng, 1 + seed % 8)
        filled = problem.prompt + corpus.dots(steps) + answer
        spoken = corpus.write_completion(steps, answer)
        assert len(TOK.encode(filled)) == len(TOK.encode(problem.prompt + spoken))


def test_the_facts_are_all_and_right():
    facts = corpus.facts()
    assert len(facts) == len(set(facts)) > 10_000
    assert all(0 <= c <= 99 and apply(op, a, b) == c for a, op, b, c in facts)
    assert (7, "*", 8, 56) in facts and sum(op == "+" for _, op, _, _ in facts) == 5050


MIXTURE = ((corpus.drill, 2), (corpus.noisy_story, 1), (corpus.noisy_countdown, 1))


def test_the_stream_is_a_pure_function_of_seed_and_step():
    one, two = stream(MIXTURE, 1500, 3), stream(MIXTURE, 1500, 3)
    first = [one(step) for step in (0, 1, 2)]
    assert first == [two(step) for step in (2, 0, 1)][1:] + [two(2)]
    assert first[0] != first[1] and first[0] != stream(MIXTURE, 1500, 4)(0)


def test_the_stream_gives_as_many_tokens_as_asked():
    for step in range(5):
        examples = stream(MIXTURE, 1500, 0)(step)
        sizes = [len(example.ids) for example in examples]
        assert 1500 <= sum(sizes) < 1500 + sizes[-1] + 1


def test_the_stream_leaves_the_global_generator_alone():
    random.seed(1)
    stream(MIXTURE, 500, 0)(0)
    drawn = random.random()
    random.seed(1)
    assert drawn == random.random()
