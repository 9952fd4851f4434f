"""A reward model that remembers scores as one that reads everything again, for fewer tokens."""

import pytest

from o1lab.measure.compute import Ledger
from o1lab.model.checkpoints import load, think_all
from o1lab.model.rollouts import Rollout
from o1lab.rewards.models import RewardModel, token_classifier
from o1lab.search.mcts import Settings, mcts
from o1lab.search.reading import Reader, can_remember
from o1lab.search.tree import walk
from o1lab.search.writing import Writer
from o1lab.tasks.lessons import exam
from tests.model.tiny import byte_tokenizer, tiny_qwen


def policies():
    words = load("countdown-cot")
    words.model.double()
    tokenizer = byte_tokenizer()
    pieces = type("Policy", (), {"model": tiny_qwen(len(tokenizer)), "tokenizer": tokenizer})
    return {"words": words, "bytes": pieces}


@pytest.fixture(scope="module", params=["words", "bytes"])
def case(request):
    """A policy and a reward model with a random head, both float64."""
    policy = policies()[request.param]
    model = token_classifier(policy)
    model.score.weight.data[1] = 0.1
    model.score.bias.data[1] = 0.2
    return policy, RewardModel(model, policy.tokenizer)


def test_the_scores_are_the_reward_models(case):
    policy, verifier = case
    problems = exam("countdown", 3)
    groups = think_all(policy, problems, 6, max_new_tokens=50, temperature=1.2)
    rollouts = [r for group in groups for r in group]
    reader, verifier.ledger = Reader(verifier), Ledger()
    ours, read = reader(rollouts), verifier.ledger
    assert sum(reader.costs, Ledger()).scored_tokens == read.scored_tokens
    verifier.ledger = Ledger()
    for a, b in zip(ours, verifier(rollouts), strict=True):
        assert a == pytest.approx(b, abs=1e-6)  # rotations are float32 in `transformers`
    assert read.scored_tokens <= verifier.ledger.scored_tokens
    before = verifier.ledger
    assert reader(rollouts) == ours and verifier.ledger == before  # nothing is read twice


def test_a_search_is_the_same_tree_for_fewer_tokens(case):
    policy, verifier = case
    problems, found, ledgers = exam("countdown", 3), [], []
    for remember in (True, False):
        verifier.ledger = Ledger()
        writer = Writer(policy, 30, 120, remember=remember)
        found.append(mcts(writer, problems, verifier, Settings(16, samples=3, batch=2)))
        ledgers.append(verifier.ledger)
        spent = sum((f.ledger for f in found[-1]), Ledger())
        assert spent.scored_tokens == verifier.ledger.scored_tokens
        assert spent.verifier_flops == pytest.approx(verifier.ledger.verifier_flops)
    for ours, again in zip(*found, strict=True):
        assert [(n.rollout.ids, n.visits) for n in walk(ours.tree)] == [
            (n.rollout.ids, n.visits) for n in walk(again.tree)
        ]
    if ledgers[1].scored_tokens:
        assert ledgers[0].scored_tokens <= ledgers[1].scored_tokens


def test_what_cannot_be_read_is_named(case):
    policy, verifier = case
    assert can_remember(verifier) and not can_remember(lambda rollouts: [])
    room = verifier.model.config.max_position_embeddings
    long = Rollout(None, [5], [6] * room, [0.0] * room, "x")
    with pytest.raises(ValueError, match="context"):
        Reader(verifier)([long])
    assert Reader(verifier)([]) == [] and Reader(verifier)([Rollout(None, [5], [], [], "")]) == [[]]
