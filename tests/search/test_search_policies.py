"""Searches with real policies, tokenizers and scorers: costs, placebos, and a byte-level BPE."""

from dataclasses import replace
from functools import cache
from math import sqrt

import pytest

from o1lab.measure.compute import Ledger, ledger_of
from o1lab.model.checkpoints import load, think_all
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import ExactScorer, is_right
from o1lab.rewards.completions import Completer
from o1lab.rewards.models import RewardModel, token_classifier
from o1lab.rewards.scorers import ConstantScorer, MonteCarloScorer, NoisyOracle
from o1lab.search import beam, mcts
from o1lab.search.budget import Budget
from o1lab.search.expansion import add_children
from o1lab.search.judging import Judge, minus, shares
from o1lab.search.states import numbers_left
from o1lab.search.tree import Node, Tree, walk
from o1lab.search.writing import Writer
from o1lab.tasks import task
from o1lab.tasks.base import Problem
from o1lab.tasks.lessons import exam, lesson
from tests.model.tiny import byte_tokenizer, tiny_qwen
from tests.search.toys import clockwork, problem, writer

WORLD = lesson("countdown")[0]


def ok(rollout) -> bool:
    return is_right(WORLD, rollout)


@cache
def planner():
    return load("countdown-cot")


def ask(policy=None, **settings):
    return Writer(policy or planner(), **{"step_tokens": 16, "max_new_tokens": 60} | settings)


def verifier(policy):
    """A reward model with a random head: its cost is real."""
    model = token_classifier(policy)
    model.score.weight.data[1] = 0.1
    return RewardModel(model, policy.tokenizer)


def searches(scorer, problems, budget, writing):
    """A tree and beams with the same scorer, budget and policy."""
    yield mcts.mcts(writing, problems, scorer, mcts.Settings(30, batch=2), budget=budget)
    settings = beam.Settings(2, 4, trees=2, lookahead=1)
    yield beam.beam_search(writing, problems, scorer, settings, budget=budget)


@pytest.mark.parametrize("kind", ["prm", "monte carlo"])
def test_learned_scorers_are_paid_for_and_no_budget_is_overshot(kind):
    problems, budget = exam("countdown", 3), Budget(flops=1.5e9)
    scorer = verifier(planner())
    if kind == "monte carlo":
        scorer = MonteCarloScorer(Completer(planner(), WORLD, n=2, max_new_tokens=60))
        budget = Budget(flops=5e9)
    for found in searches(scorer, problems, budget, ask()):
        assert all(f.ledger.flops <= budget.flops for f in found)
        spent = sum((f.ledger for f in found), Ledger())
        assert spent.scored_tokens == scorer.ledger.scored_tokens
        if kind == "prm":
            assert spent.verifier_flops == pytest.approx(scorer.ledger.verifier_flops)
            assert spent.verifier_flops > 0.1 * spent.policy_flops
        scorer.ledger = Ledger()


@pytest.mark.parametrize("remember", [True, False])
def test_a_byte_level_tokenizer_goes_through_both(remember):
    tokenizer, stories = byte_tokenizer(), task("stories")
    policy = type("Policy", (), {"model": tiny_qwen(len(tokenizer)), "tokenizer": tokenizer})
    problems = [Problem("stories", "Ann has 3.\n<think>\n", "3", 1), *exam("stories", 1)]
    writing = ask(policy, step_tokens=60, max_new_tokens=150, remember=remember)
    scorer = verifier(policy)
    for found in searches(scorer, problems, Budget(flops=3e9), writing):
        assert [f.problem for f in found] == problems
        for f in found:
            assert f.ledger.generated_tokens > 0 and f.depth > 0
            assert f.rollout is None or f.rollout.answer is not None
    assert stories.name == "stories"


def test_remembering_changes_the_cost_and_nothing_else():
    policy, problems = load("countdown-cot"), exam("countdown", 3)
    policy.model.double()
    found = [
        mcts.mcts(ask(policy, remember=r), problems, ExactScorer(WORLD), mcts.Settings(20))
        for r in (True, False)
    ]
    for ours, again in zip(*found, strict=True):
        nodes = [[(n.rollout.ids, n.visits) for n in walk(f.tree)] for f in (ours, again)]
        assert nodes[0] == nodes[1]
        assert ours.ledger.generated_tokens == again.ledger.generated_tokens
        assert ours.ledger.prompt_tokens < 0.5 * again.ledger.prompt_tokens
        assert ours.ledger.flops < again.ledger.flops
        assert all(node.rollout.past is None for node in walk(ours.tree))


def test_a_perfect_verifier_finds_every_solvable_problem_sooner_than_sampling_does():
    problems = exam("countdown", 32)
    options = mcts.Settings(2000, samples=1, widen=0.5, c_init=0.5, fpu=0.0, prune=0.0)
    found = mcts.mcts(
        ask(temperature=0.7), problems, ExactScorer(WORLD), options, check=ok,
        budget=Budget(flops=20e9),
    )  # fmt: skip
    assert all(f.stopped == "verified" and ok(f.rollout) for f in found)
    mean = sum(f.ledger.flops for f in found) / len(found)
    groups = think_all(planner(), problems, 4, temperature=0.7, max_new_tokens=60)
    sampled = sum(ledger_of(group).flops for group in groups) / len(groups)
    assert mean < sampled and sum(any(map(ok, group)) for group in groups) < len(groups)


def test_a_verifier_that_knows_nothing_is_no_better_than_sampling():
    problems, n = exam("countdown", 48, seed=1), 6
    groups = think_all(planner(), problems, n, max_new_tokens=60)
    cost = sum(ledger_of(group).flops for group in groups) / len(groups)
    sampled = sum(any(map(ok, group)) for group in groups)
    for scorer in (NoisyOracle(WORLD, auroc=0.5), ConstantScorer()):
        options = mcts.Settings(500, widen=0.5)
        found = mcts.mcts(ask(), problems, scorer, options, check=ok, budget=Budget(flops=cost))
        solved = sum(f.stopped == "verified" for f in found)
        assert solved <= sampled + 2 * sqrt(len(problems)) / 2


def test_a_constant_verifier_answers_as_often_right_as_the_policy():
    policy, count = clockwork({"1": 0.5, "2": 0.5}, answer={"7": 0.3, "8": 0.7}), 400
    asked = [problem() for _ in range(count)]  # equal prompts in one call get draws of their own
    found = mcts.mcts(writer(policy), asked, ConstantScorer(), mcts.Settings(20, samples=2))
    right = sum(f.rollout.answer == "7" for f in found) / count
    assert right == pytest.approx(0.3, abs=3 * sqrt(0.3 * 0.7 / count))


def test_shares_are_whole_and_sum_to_the_total():
    total = Ledger(10, 7, 101, 5.0, 3.5)
    prices = [Ledger(5, 3, 40, 2.0, 2.0), Ledger(5, 4, 61, 3.0, 1.5), Ledger(1, 1, 1, 1.0, 1.0)]
    parts = shares(total, prices)
    assert sum(parts, Ledger()) == total
    for part, price in zip(parts, prices, strict=True):
        assert part.scored_tokens <= price.scored_tokens and part.prompt_tokens <= 5
    assert shares(total, [Ledger()] * 2)[0] == total and minus(total, total) == Ledger()


def test_a_reward_model_is_priced_as_it_charges():
    scorer = verifier(planner())
    judge, problems = Judge(scorer), exam("countdown", 2)
    groups = think_all(planner(), problems, 5, max_new_tokens=60)
    for chosen in (groups, [group[:1] for group in groups]):
        scorer.ledger = Ledger()
        _, ledgers = judge([list({r.text: r for r in group}.values()) for group in chosen])
        assert sum(ledgers, Ledger()).scored_tokens == scorer.ledger.scored_tokens
        for group, ledger in zip(chosen, ledgers, strict=True):
            sizes = [
                (len(r.prompt_ids), len(r.ids), 0) for r in {r.text: r for r in group}.values()
            ]
            price = judge.price(sizes)
            assert ledger.verifier_flops == pytest.approx(price.verifier_flops)
            assert ledger.scored_tokens <= price.scored_tokens


def test_countdown_states_are_the_numbers_left():
    asked = Problem("countdown", "Make 24 from 2 3 4.\n", "24", 3, ((2, 3, 4), 24))

    def state(*steps):
        text = "<think>\n" + "".join(f"{step}\n" for step in steps)
        return numbers_left(WORLD)(Rollout(asked, [1], [2], [0.0], text))

    assert state("3 + 2 = 5 left 4 5") == state("3 + 2 = 5 left 5 4") == (4, 5)
    assert state("2 * 3 = 6 left 6 4", "6 * 4 = 24 left 24") == (24,)
    assert state() is state("3 + 2 = 6 left 4 6") is state("3 + 2 = 5 left 4 9") is None


def test_trees_that_share_states_are_smaller_and_ask_less():
    problems, scorer = exam("countdown", 4), ExactScorer(WORLD)
    options = mcts.Settings(40, samples=8)
    apart = mcts.mcts(ask(), problems, scorer, options)
    merged = mcts.mcts(ask(), problems, scorer, options, state=numbers_left(WORLD))
    sizes = [sum(len(walk(f.tree)) for f in found) for found in (apart, merged)]
    assert sizes[1] < sizes[0]
    for found in merged:
        keys = [numbers_left(WORLD)(n.rollout) for n in walk(found.tree) if not n.rollout.finished]
        depths = [len(n.rollout.step_ends) for n in walk(found.tree) if not n.rollout.finished]
        known = [pair for pair in zip(keys, depths, strict=True) if pair[0] is not None]
        assert len(known) == len(set(known))


def test_an_ending_that_was_cut_is_not_the_state_it_began_in():
    """Its steps are its parent's: as one node with it the parent would be its own child."""
    asked = Problem("countdown", "Make 3 from 1 2.\n", "3", 2, ((1, 2), 3))
    text = "<think>\n2 + 1 = 3 left 3\n"
    whole = Rollout(asked, [1], [5], [0.0], text, [1])
    broken = Rollout(asked, [1], [5, 6], [0.0, -1.0], text + "</think>", [1])
    state, root = numbers_left(WORLD), Node(whole, value=0.5)
    tree = Tree(asked, root, states={(1, (3,)): root})
    assert state(whole) == state(broken) == (3,)
    (child,) = add_children(tree, root, [broken], lambda r: len(r.ids) > 1, state)
    assert child is not root and child.ended and tree.states == {(1, (3,)): root}


def test_what_the_rules_show_is_not_asked_and_a_score_becomes_a_worth():
    scorer, problems = ExactScorer(WORLD), exam("countdown", 2)
    groups = think_all(planner(), problems, 4, seed=1)
    seen = []

    def rules(rollout):
        seen.append(rollout.finished)
        return 0.25

    half = Judge(scorer, outcome=lambda r: 1.0, worth=lambda r, score: score / 2)
    assert all(value == 1.0 for row in half(groups)[0] for value in row)
    cut = [[replace(r, finished=False) for r in group] for group in groups]
    plain = Judge(scorer)(cut)[0]
    assert half(cut)[0] == [[value / 2 for value in row] for row in plain]
    assert Judge(scorer, rules=rules)(cut)[0] == [[0.25] * 4] * 2 and not any(seen)
    with pytest.raises(ValueError, match="outcome of 2"):
        Judge(scorer, rules=lambda r: 2)(cut)
