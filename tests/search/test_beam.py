"""Beams over steps: kept once, counted whole, in independent subtrees, with look-ahead."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from o1lab.measure.compute import Ledger
from o1lab.search.beam import Beam, Settings, beam_search, keep
from o1lab.search.budget import Budget, tokens
from o1lab.search.tree import Ending, choose
from tests.search.test_mcts import Priced
from tests.search.toys import TableScorer, clockwork, problem, writer

EVEN = {"1": 0.5, "2": 0.5}
MANY = {str(i): 0.05 for i in range(20)}


def search(policy, scorer, budget=None, check=None, seed=0, **options):
    more = {"budget": budget} if budget else {}
    ask = writer(policy, seed=seed)
    (found,) = beam_search(ask, [problem()], scorer, Settings(**options), check=check, **more)
    return found


def words(found):
    return found.rollout.text.split("\n")[1:-2]


def test_the_best_are_kept_once_and_ties_go_to_the_first():
    beams = [Beam(None, score) for score in (0.2, 0.9, 0.9, 0.1)]
    assert keep(beams, 2) == beams[1:3] and keep(beams, 9) == [*beams[1:3], beams[0], beams[3]]


def test_width_lets_a_poor_first_step_win():
    table = {("1",): 0.6, ("2",): 0.4, ("2", "2"): 1.0}
    policy = clockwork(EVEN, EVEN)
    narrow = search(policy, TableScorer(table, 0.1), width=1, samples=16)
    wide = search(policy, TableScorer(table, 0.1), width=2, samples=16)
    assert words(narrow)[0] == "1" and words(wide) == ["2", "2"]


def test_what_is_generated_is_counted():
    scorer = TableScorer({})
    found = search(clockwork(EVEN, EVEN), scorer, width=2, samples=8)
    # the prompt once, then two beams after one step, two after two: 8 draws from each
    assert found.ledger.generated_tokens == 8 * 4 + 2 * 8 * 2 + 2 * 8 * 4
    assert found.ledger.prompt_tokens == 2 + 2 * (2 + 4) + 2 * (2 + 6)
    assert found.depth == 3 and found.stopped == "ended"
    assert len(scorer.asked) == len(set(scorer.asked))


class Early:
    """Loves a beam that has ended, and likes all others less and less."""

    def __init__(self):
        self.asked = []

    def __call__(self, rollouts):
        self.asked += [r.text for r in rollouts]
        return [[0.9 if r.finished else 0.5] * len(r.step_ends) for r in rollouts]


def test_a_finished_beam_is_kept_once_and_never_asked_about_again():
    stop_or_go = {"3": 0.5, "</think>": 0.5}
    policy = clockwork(EVEN, stop_or_go)
    # after "</think>" the table goes on with a line break, then "</think>" as an answer's text
    scorer = Early()
    found = search(policy, scorer, width=3, samples=8)
    texts = [ending.rollout.text for ending in found.endings]
    assert len(texts) == len(set(texts)) >= 2
    assert len(scorer.asked) == len(set(scorer.asked))
    assert all(ending.score is not None for ending in found.endings)


def test_the_same_prompt_is_no_longer_than_its_beam():
    found = search(clockwork(EVEN), TableScorer({}), width=8, samples=8)
    assert len(found.endings) == 2  # two texts are possible: nothing fills the other six places


def test_look_ahead_changes_the_score_it_is_meant_to_change():
    table = {("1",): 0.6, ("2",): 0.4, ("1", "9"): 0.1, ("2", "9"): 0.8}
    policy, options = clockwork(EVEN, {"9": 1.0}), {"width": 1, "samples": 16}
    plain = search(policy, TableScorer(table), **options)
    ahead = search(policy, TableScorer(table), lookahead=1, **options)
    assert words(plain) == ["1", "9"] and words(ahead) == ["2", "9"]
    assert ahead.ledger.generated_tokens > plain.ledger.generated_tokens
    assert ahead.depth > plain.depth


def test_a_success_seen_ahead_is_not_thrown_away():
    found = search(
        clockwork(EVEN), TableScorer({}), width=1, samples=4, lookahead=2, check=lambda r: True
    )
    assert found.stopped == "verified" and found.depth == 2


def test_subtrees_are_independent():
    policy = clockwork(MANY, MANY)
    scorer = TableScorer({}, 0.5)
    apart = search(policy, scorer, width=1, samples=2, trees=5)
    assert len(apart.endings) == 5
    first = search(policy, scorer, width=1, samples=2, trees=2)
    texts = [[e.rollout.text for e in found.endings] for found in (first, apart)]
    assert texts[0] == texts[1][:2]  # three subtrees more change nothing in these two
    # one beam of the same width is taken over by one parent, subtrees are not
    table = {(str(i),): i / 20 for i in range(20)}
    trees = search(policy, TableScorer(table, 0.0), width=1, samples=2, trees=5)
    assert len({e.rollout.text.split("\n")[1] for e in trees.endings}) > 2


@settings(max_examples=25)
@given(st.floats(1e5, 3e6), st.booleans(), st.integers(0, 2), st.integers(1, 3))
def test_a_budget_is_never_overshot(most, in_flops, lookahead, trees):
    budget = Budget(flops=most) if in_flops else Budget(tokens=int(most / 5e3))
    found = search(
        clockwork(MANY, MANY), Priced(), budget, width=3, samples=4, trees=trees,
        lookahead=lookahead,
    )  # fmt: skip
    spent = found.ledger.flops if in_flops else tokens(found.ledger)
    assert spent <= (budget.flops if in_flops else budget.tokens) * (1 + 1e-12)
    assert found.stopped in ("budget", "ended")
    assert found.rollout is None or found.rollout.finished


def test_many_problems_share_calls_and_the_same_seed_gives_the_same_beams():
    policy, scorer = clockwork(MANY, MANY), Priced()
    asked = [problem("1"), problem("2")]
    found = beam_search(writer(policy), asked, scorer, Settings(2, 3))
    assert sum(f.ledger.scored_tokens for f in found) == scorer.ledger.scored_tokens
    again = beam_search(writer(policy), asked, Priced(), Settings(2, 3))
    assert [[e.rollout.ids for e in f.endings] for f in found] == [
        [e.rollout.ids for e in f.endings] for f in again
    ]
    other = search(policy, Priced(), seed=1, width=2, samples=3)
    assert other.endings[0].rollout.ids != found[0].endings[0].rollout.ids


def test_cut_beams_are_dropped_and_nothing_is_chosen():
    short = writer(clockwork(EVEN, EVEN), step_tokens=3, max_new_tokens=20)
    (found,) = beam_search(short, [problem()], TableScorer({}))
    assert found.rollout is None and found.endings == [] and found.stopped == "ended"


def test_the_choice_is_as_stated():
    def ending(answer, score, visits=0):
        from o1lab.model.rollouts import Rollout

        text = f"<think>\na\n</think>\n{answer}"
        return Ending(Rollout(None, [1], [2], [0.0], text, [1], True), score, visits)

    endings = [ending("1", 0.5, 1), ending("2", 0.3, 7), ending("2", 0.4), ending("3", None, 99)]
    assert [choose(endings, how).answer for how in ("score", "visits", "vote")] == ["1", "2", "2"]
    assert choose(endings, "vote") is endings[2].rollout
    assert choose(endings[3:], "score") is None and choose([], "visits") is None
    with pytest.raises(ValueError, match="choose one of"):
        choose(endings, "best")


def test_bad_settings_are_named_before_any_work():
    for bad in ({"width": 0}, {"samples": 0}, {"trees": 0}, {"lookahead": -1}):
        with pytest.raises(ValueError, match="at least"):
            Settings(**bad)
    for how in ("visits", "best"):
        with pytest.raises(ValueError, match="choose"):
            Settings(choose=how)
    with pytest.raises(ValueError, match="no price"):
        search(clockwork(EVEN), type("Dear", (), {"ledger": Ledger()})())
