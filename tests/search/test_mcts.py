"""Tree search over steps: PUCT, priors, backup, virtual loss, budgets, and a textbook beside it."""

from collections import Counter
from functools import cache
from math import inf, log

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.make.textbook_mcts import engine_sampler, textbook
from o1lab.measure.compute import Ledger
from o1lab.model.checkpoints import load
from o1lab.model.rollouts import Rollout
from o1lab.rewards.base import ExactScorer
from o1lab.search.budget import Budget, tokens
from o1lab.search.mcts import Settings, backup, best_child, lose, mcts, wants_more
from o1lab.search.tree import Node, most_visited, tree_records, walk
from o1lab.tasks.lessons import exam, lesson
from tests.search.toys import TableScorer, clockwork, problem, writer

ARMS = {"1": 0.2, "2": 0.3, "3": 0.4, "4": 0.1}
EVEN = {"1": 0.5, "2": 0.5}


def node(visits=0, total=0.0, **more) -> Node:
    return Node(Rollout(None, [1], [], [], ""), visits=visits, total=total, **more)


def parent(children, priors, visits, total) -> Node:
    return node(visits, total, children=children, priors=priors, value=0.0)


def search(policy, scorer, budget=None, **options):
    """One toy problem searched."""
    more = {"budget": budget} if budget else {}
    keys = {k: options.pop(k) for k in ("check", "outcome", "state", "roots") if k in options}
    (found,) = mcts(writer(policy), [problem()], scorer, Settings(**options), **more, **keys)
    return found


def shape(at: Node):
    """All that two equal trees have in common."""
    below = [shape(child) for child in at.children]
    return at.rollout.text, at.visits, round(at.total, 9), [round(p, 9) for p in at.priors], below


def test_the_best_child_is_that_of_the_formula():
    children = [node(3, 1.5), node(1, 0.9), node()]
    at = parent(children, [0.5, 0.3, 0.2], 5, 3.0)
    c = 1.25 + log((1 + 5 + 19652) / 19652)
    scores = [0.5 + c * 0.5 * 2 / 4, 0.9 + c * 0.3 * 2 / 2, 0.6 - 0.2 + c * 0.2 * 2 / 1]
    assert best_child(at, Settings()) == scores.index(max(scores)) == 1


def test_without_visits_the_prior_decides_and_ties_go_to_the_first():
    assert best_child(parent([node(), node(), node()], [0.2, 0.4, 0.4], 0, 0.0), Settings()) == 1


def test_an_unvisited_child_begins_below_its_parent_and_not_at_zero_or_infinity():
    at = parent([node(4, 2.0), node()], [1.0, 0.0], 4, 2.0)
    assert best_child(at, Settings(c_init=0, fpu=0.0)) == 0
    at.children[0].total = 1.9
    assert best_child(at, Settings(c_init=0, fpu=0.0)) == 1
    assert best_child(at, Settings(c_init=0, fpu=0.1)) == 0


def test_backup_is_the_mean_or_the_best_and_has_no_sign():
    path = [node(), node()]
    for value in (0.25, 0.75):
        backup(path, value)
    assert [(n.visits, n.q) for n in path] == [(2, 0.5)] * 2
    backup(path, 0.5, "max")
    assert [(n.visits, n.q) for n in path] == [(3, 0.75)] * 2


def test_a_virtual_loss_lowers_q_and_leaves_no_trace():
    for how in ("mean", "max"):
        path = [node()]
        backup(path, 0.8, how)
        before = (path[0].visits, path[0].total)
        lose(path)
        assert path[0].q == 0.4
        lose(path, -1)
        assert (path[0].visits, path[0].total) == before


def test_widening_is_by_the_power_of_the_visits():
    at = node(value=0.5, rounds=1)
    assert [wants_more(node(v, value=0.5, rounds=1), Settings(widen=0.5)) for v in (1, 3, 4)] == [
        False,
        False,
        True,
    ]
    at.visits = 10**6
    assert not wants_more(at, Settings())


def test_equal_draws_are_one_child_with_their_priors_added():
    found = search(clockwork(ARMS), TableScorer({}), simulations=1, samples=64)
    children = found.tree.children
    assert len(children) == len({child.rollout.text for child in children}) == 4
    assert sum(found.tree.priors) == pytest.approx(1)
    draws = writer(clockwork(ARMS)).steps([found.tree.rollout], 64)[0]
    counts = Counter(draw.text[-2] for draw in draws)
    odds = {arm: counts[arm] * ARMS[arm] for arm in ARMS}
    for child, prior in zip(children, found.tree.priors, strict=True):
        assert prior == pytest.approx(odds[child.rollout.text[-2]] / sum(odds.values()))


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("batch", [1, 4])
def test_the_best_arm_of_a_bandit_is_found(how, batch):
    worth = {("1",): 0.2, ("2",): 0.3, ("3",): 0.1, ("4",): 0.9}
    table = worth | {(*arm, "9"): q for arm, q in worth.items()}
    found = search(
        clockwork(ARMS, {"9": 1.0}), TableScorer(table), simulations=120, samples=32, batch=batch,
        backup=how, choose="visits",
    )  # fmt: skip
    assert most_visited(found.tree).rollout.text.endswith("4\n")
    assert found.rollout.text.split("\n")[1] == "4" and found.stopped == "simulations"


def chain(length=4):
    """ "2" all the way is worth 1; the first "1" looks good and leads to nothing."""
    table = {}
    for depth in range(1, length + 1):
        table[("2",) * depth] = 0.4 if depth < length else 1.0
        table[("2",) * (depth - 1) + ("1",)] = 0.6
    return clockwork(*[EVEN] * length), TableScorer(table, other=0.0)


def test_a_chain_where_greed_fails():
    policy, scorer = chain()
    at = writer(policy).start(problem())
    while not at.finished:
        draws = writer(policy).steps([at], 16)[0]
        at = max(draws, key=lambda draw: scorer([draw])[0][-1])
    assert scorer([at])[0][-1] == 0.0
    found = search(policy, scorer, simulations=120, samples=16)
    assert found.rollout.text.startswith("<think>\n2\n2\n2\n2\n")


@pytest.mark.parametrize("batch", [1, 5])
def test_visits_add_up_and_everything_is_judged_once(batch):
    scorer = TableScorer({("1",): 0.9})
    found = search(clockwork(ARMS, ARMS), scorer, simulations=50, samples=8, batch=batch, fpu=0.0)
    assert len(scorer.asked) == len(set(scorer.asked)) and found.tree.visits == 50
    for at in walk(found.tree)[1:]:
        begun = sum(path[-1] == at.number for path, _ in found.history)
        assert at.visits == begun + sum(child.visits for child in at.children)
        passed = [value for path, value in found.history if at.number in path]
        assert at.visits == len(passed) and at.total == pytest.approx(sum(passed))
    assert all(at.value is not None for at in walk(found.tree) if at.visits)


def test_a_search_without_an_answer_writes_one_if_it_is_told_to():
    policy = clockwork(ARMS, ARMS, ARMS)
    options = {"simulations": 3, "samples": 4}
    assert search(policy, TableScorer({}), **options).rollout is None
    found = search(policy, TableScorer({}), finish=True, **options)
    assert found.rollout.answer == "1" and len(found.history) == 3
    path = [n for n in walk(found.tree) if found.rollout.ids[: len(n.rollout.ids)] == n.rollout.ids]
    assert len(path) > 1 and found.depth == 3
    again = search(policy, TableScorer({}), simulations=40, samples=4, finish=True)
    assert all(e.score is not None and e.visits for e in again.endings if e.rollout.answer)
    checked = search(policy, TableScorer({}), finish=True, check=lambda r: True, **options)
    assert checked.stopped == "verified"


@settings(max_examples=15)
@given(st.floats(2e5, 3e6), st.integers(1, 3))
def test_what_an_answer_costs_is_kept_in_reserve(most, batch):
    policy, scorer = clockwork(ARMS, ARMS), TableScorer({})
    found = search(
        policy, scorer, Budget(flops=most), simulations=99, samples=5, batch=batch, finish=True
    )
    assert found.ledger.flops <= most
    fits = writer(policy).price(writer(policy).start(problem()), 1, 40).flops <= most
    assert found.rollout is not None or not fits


def test_a_tree_with_nothing_left_is_closed():
    found = search(clockwork({"1": 1.0}), TableScorer({}), simulations=99)
    assert found.stopped == "closed" and len(found.history) == 2
    widened = search(clockwork({"1": 1.0}), TableScorer({}), simulations=30, widen=0.5)
    assert widened.stopped == "simulations" and widened.tree.rounds > 1


def test_widening_draws_anew_and_adds_priors():
    policy = clockwork({str(i): 0.05 for i in range(20)})
    found = search(policy, TableScorer({}), simulations=60, samples=3, widen=0.5)
    assert found.tree.draws == 3 * found.tree.rounds > 6 and len(found.tree.children) > 4
    assert sum(found.tree.priors) == pytest.approx(1)


def test_a_pruned_prefix_is_visited_and_never_sampled_from():
    table = {("1",): 0.0, ("2",): 0.2}
    policy, options = clockwork(EVEN, EVEN), {"simulations": 40, "samples": 16}
    found = search(policy, TableScorer(table), prune=0.0, **options)
    dead, alive = sorted(found.tree.children, key=lambda child: child.value)
    assert dead.ended and not dead.children and dead.visits and alive.children
    kept = search(policy, TableScorer(table), **options)
    assert all(child.children for child in kept.tree.children)


@cache
def countdown():
    """The shipped policy in float64, where batches of any size give the same tokens."""
    policy = load("countdown-cot")
    policy.model.double()
    return policy, lesson("countdown")[0], exam("countdown", 4)


@cache
def planned(batch=1, simulations=24):
    policy, task, problems = countdown()
    options = Settings(simulations, batch=batch)
    return mcts(
        writer(policy, step_tokens=24, max_new_tokens=80), problems, ExactScorer(task), options
    )


def test_one_leaf_at_a_time_is_the_textbook_node_for_node():
    policy, task, problems = countdown()
    for found, asked in zip(planned(), problems, strict=True):
        start = writer(policy).start(asked)
        sample = engine_sampler(policy, 4, 24)
        root = textbook(sample, ExactScorer(task), start, 24, 80 - 24)

        def same(at, place):
            assert (at.rollout.ids, at.visits) == (place.rollout.ids, place.visits)
            assert at.total == pytest.approx(place.total)
            assert len(at.children) == len(place.children)
            for child, prior, other in zip(at.children, at.priors, place.children, strict=True):
                assert prior == pytest.approx(other.prior)
                same(child, other)

        same(found.tree, root)


def test_a_problem_is_searched_alike_alone_and_the_same_seed_gives_the_same_tree():
    policy, task, problems = countdown()
    options = [writer(policy, step_tokens=24, max_new_tokens=80), ExactScorer(task), Settings(24)]
    alone = mcts(options[0], problems[:1], options[1], options[2])[0]
    assert shape(alone.tree) == shape(planned()[0].tree)
    assert alone.ledger.flops == pytest.approx(planned()[0].ledger.flops)
    other = writer(policy, step_tokens=24, max_new_tokens=80, seed=1)
    assert shape(mcts(other, problems[:1], options[1], options[2])[0].tree) != shape(alone.tree)


def test_a_tree_goes_on_where_it_was_left():
    policy, scorer = chain()
    whole = search(policy, scorer, simulations=40, samples=6)
    half = search(policy, scorer, simulations=15, samples=6)
    rest = search(policy, scorer, simulations=25, samples=6, roots=[half.tree])
    assert shape(rest.tree) == shape(whole.tree)
    assert half.ledger.flops + rest.ledger.flops == pytest.approx(whole.ledger.flops)
    step = most_visited(rest.tree)
    before = step.visits
    below = search(policy, scorer, simulations=5, samples=6, roots=[step])
    assert below.tree is step and step.visits == before + 5
    assert {len(path) and path[0] for path, _ in below.history} == {step.number}
    with pytest.raises(ValueError, match="no children"):
        most_visited(node())


@settings(max_examples=30)
@given(st.floats(1e5, 3e6), st.booleans(), st.integers(1, 4), st.sampled_from([0.0, 0.5, 1.0]))
def test_a_budget_is_never_overshot(most, in_flops, batch, mix):
    budget = Budget(flops=most) if in_flops else Budget(tokens=int(most / 5e3))
    policy = clockwork(ARMS, ARMS)
    found = search(
        policy, Priced(), budget, simulations=500, samples=5, batch=batch, mix=mix, widen=0.4,
    )  # fmt: skip
    spent = found.ledger.flops if in_flops else tokens(found.ledger)
    assert spent <= (budget.flops if in_flops else budget.tokens) * (1 + 1e-12)
    assert found.stopped in ("budget", "simulations")
    assert all(at.visits >= 0 for at in walk(found.tree))
    assert found.tree.visits == len(found.history)


class Priced:
    """A scorer that costs a FLOP a token read, and says so before."""

    def __init__(self):
        self.ledger = Ledger()

    def price(self, sizes):
        read = sum(prompt + written for prompt, written, _ in sizes)
        return Ledger(scored_tokens=read, verifier_flops=1e3 * read)

    def __call__(self, rollouts):
        self.ledger += self.price([(len(r.prompt_ids), len(r.ids), 0) for r in rollouts])
        return [[0.5] * len(r.step_ends) for r in rollouts]


def test_a_scorers_cost_is_in_the_ledger_of_each_problem():
    scorer, policy = Priced(), clockwork(ARMS, ARMS)
    options = Settings(9, batch=3)
    found = mcts(writer(policy), [problem("1"), problem("2")], scorer, options)
    assert sum(f.ledger.scored_tokens for f in found) == scorer.ledger.scored_tokens > 0
    total = sum(f.ledger.verifier_flops for f in found)
    assert total == pytest.approx(scorer.ledger.verifier_flops)


def test_the_ledger_is_what_the_engine_says():
    found = search(clockwork(ARMS, ARMS), TableScorer({}), simulations=5, samples=4)
    grown = [at for at in walk(found.tree) if at.rounds]
    assert found.ledger.prompt_tokens == sum(2 + len(at.rollout.ids) for at in grown)
    assert found.ledger.generated_tokens >= 4 * 2 * len(grown)
    assert found.depth == len(grown) and found.ledger.scored_tokens == 0


def test_a_verified_success_ends_the_search():
    policy = clockwork(EVEN, answer={"7": 0.5, "8": 0.5})
    checked = []

    def check(rollout):
        checked.append(rollout.text)
        return rollout.answer == "8"

    found = search(policy, TableScorer({}), simulations=50, samples=8, check=check)
    assert found.stopped == "verified" and found.rollout.answer == "8"
    assert len(checked) == len(set(checked)) and found.tree.visits == len(found.history) < 50


def test_leaves_are_valued_by_score_rollout_or_a_mix():
    policy = clockwork(EVEN, answer={"7": 0.5, "8": 0.5})
    options = {"simulations": 2, "samples": 8, "rollouts": 64}

    def outcome(rollout):
        return float(rollout.answer == "8")

    scorer = TableScorer({}, other=0.1)
    rolled = search(policy, scorer, outcome=outcome, mix=1.0, **options)
    assert scorer.asked == [] and rolled.depth == 3
    share = rolled.tree.children[0].value
    assert 0.3 < share < 0.7 and {e.rollout.answer for e in rolled.endings} == {"7", "8"}
    mixed = search(policy, scorer, outcome=outcome, mix=0.5, **options)
    assert mixed.tree.children[0].value == pytest.approx(0.5 * 0.1 + 0.5 * share)
    assert search(policy, scorer, mix=1.0, **options).tree.children[0].value == pytest.approx(0.1)
    early = search(policy, scorer, mix=1.0, check=lambda r: r.answer == "8", **options)
    assert early.stopped == "verified" and early.rollout.answer == "8" and not early.history


def test_states_that_are_one_share_a_node():
    policy, options = clockwork(EVEN, EVEN, {"3": 1.0}), {"simulations": 80, "samples": 16}

    def state(rollout):
        return tuple(sorted(rollout.text.split()[1:]))

    apart = search(policy, TableScorer({}), **options)
    scorer = TableScorer({})
    merged = search(policy, scorer, state=state, **options)
    assert len(walk(apart.tree)) == 1 + 2 + 4 + 4 + 4
    assert len(walk(merged.tree)) == 1 + 2 + 3 + 3 + 3
    assert len(scorer.asked) == len(set(scorer.asked))
    one, two = merged.tree.children
    shared = [child for child in one.children if child in two.children]
    assert len(shared) == 1 and sum(one.priors) == pytest.approx(1) == sum(two.priors)
    assert shared[0].visits == sum(shared[0].number in path for path, _ in merged.history)
    unmerged = search(policy, TableScorer({}), state=lambda rollout: None, **options)
    assert shape(unmerged.tree) == shape(apart.tree)


def test_a_step_that_is_cut_is_lost_and_never_the_answer():
    scorer, policy = TableScorer({}, 1.0), clockwork(EVEN, EVEN)
    for size in (1, 2, 3):  # inside `<think>`, before the step, and before its line break
        short = writer(policy, step_tokens=size, max_new_tokens=size)
        (found,) = mcts(short, [problem()], scorer, Settings(8))
        assert found.rollout is None and found.endings == [] and scorer.asked == []
        assert all(at.ended and at.value in (0.0, None) for at in found.tree.children)
    short = writer(policy, step_tokens=8, max_new_tokens=9)
    assert mcts(short, [problem()], scorer, Settings(8))[0].rollout is None


def test_the_answer_is_chosen_as_stated():
    table = {("1",): 0.9, ("2",): 0.2, ("3",): 0.5}
    policy = clockwork({"1": 0.2, "2": 0.5, "3": 0.3})
    for how, text in (("score", "1"), ("vote", "1")):
        found = search(policy, TableScorer(table), simulations=60, samples=32, choose=how)
        assert found.rollout.text.split("\n")[1] == text
    assert found.rollout in [ending.rollout for ending in found.endings]
    assert search(policy, TableScorer(table), simulations=1).rollout is None


def test_records_are_plain_and_complete():
    found = search(clockwork(ARMS, ARMS), TableScorer({}), simulations=30)
    records = tree_records(found)
    rows = {row["id"]: row for row in records["nodes"]}
    assert len(records["paths"]) == len(records["values"]) == 30
    for row in rows.values():
        assert row["visits"] == sum(row["id"] in path for path in records["paths"])
        assert row["parent"] is None or row["parent"] in rows
    on_way = [row["text"] for row in records["nodes"] if row["chosen"]]
    assert "\n".join(on_way).strip() == found.rollout.text


def test_bad_settings_are_named_before_any_work():
    for bad in (
        {"simulations": 0}, {"samples": 0}, {"batch": 0}, {"backup": "sum"}, {"mix": 2.0},
        {"widen": 1.0}, {"c_base": 0.0}, {"choose": "best"}, {"fpu": -1.0}, {"c_init": -inf},
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"must be|choose|mix is|at least"):
            Settings(**bad)
    for bad in ({"flops": 0}, {"tokens": -1}, {"flops": inf}):
        with pytest.raises(ValueError, match="above 0"):
            Budget(**bad)
    scorer, policy = TableScorer({}), clockwork(EVEN)
    with pytest.raises(ValueError, match="1 roots for 2"):
        mcts(writer(policy), [problem()] * 2, scorer, roots=[None])
    with pytest.raises(ValueError, match="no aggregation"):
        search(policy, scorer, how="first")
    with pytest.raises(ValueError, match="no price"):
        search(policy, type("Dear", (), {"ledger": Ledger()})())
    with pytest.raises(ValueError, match=r"in 1\.\.max_new_tokens"):
        writer(policy, step_tokens=50)
    with pytest.raises(ValueError, match="lower max_new_tokens"):
        mcts(writer(policy, max_new_tokens=5000), [problem()], scorer)
    with pytest.raises(ValueError, match=r"0\.\.1"):
        search(policy, TableScorer({}, other=1.5))
    assert len(scorer.asked) == 0
