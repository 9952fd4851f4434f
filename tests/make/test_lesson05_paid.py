"""What lesson 05 reads out of searches that pay: levels, shares, equal compute."""

import json

import numpy as np
import pytest

from o1lab.make import lesson01, lesson05, lesson05_paid, searching


def test_the_cost_of_a_level():
    costs = np.array([4.0, 1.0, np.inf, 2.0])
    assert lesson05_paid.reached(costs, 0.5) == 2.0
    assert lesson05_paid.reached(costs, 0.75) == 4.0
    assert lesson05_paid.reached(costs, 1.0) == np.inf and lesson05_paid.reached(costs, 0) == 0


def test_a_share_of_what_samples_cost():
    sampling = np.array([10.0, 60, 200, np.inf])
    assert lesson05_paid.share_of(np.array([8.0, 16, np.inf, np.inf]), sampling, 64) == 0.25
    assert lesson05_paid.share_of(np.full(4, np.inf), sampling, 64) == 1.0


def test_a_value_between_two_costs():
    values = np.array([[0.0, 1.0, 1.0], [0.0, 0.0, 0.5]])
    assert lesson05_paid.at_cost(2.0, np.array([1.0, 4.0, 16.0]), values).tolist() == [0.5, 0.0]
    assert lesson05_paid.at_cost(99.0, np.array([1.0, 4.0, 16.0]), values).tolist() == [1.0, 0.5]


@pytest.fixture
def records(tmp_path, monkeypatch):
    """Searches of 40 puzzles, the trees at half of the samples' cost; stories by two ways."""
    from safetensors.numpy import save_file

    rng, arrays = np.random.default_rng(0), {}
    hard = rng.uniform(0.5, 1.5, 40)
    for cell in searching.cells():
        mean = {"sampling": 20, "mcts": 10}.get(cell.way, 15) + 4 * (
            cell.way == "sampling" and cell.temperature == 1.0
        )
        cost = 1e8 * mean * hard * rng.uniform(0.9, 1.1, 40)
        arrays[cell.name] = np.stack([cost, np.full(40, 5.0), cost / 1e6, cost / 4], 1)
    arrays |= {f"{name}-floor": np.full((40, 2), [0.1, 0.3]) for name in searching.SETS}
    folder = tmp_path / "results"
    folder.mkdir()
    save_file(arrays, folder / "searching.safetensors")
    known = {"command": "c", "date": "d", "device": "x", "seeds": [0, 1, 2]}
    seeds = {key: list(row) for key, row in searching.SEEDS.items()}
    record = known | {
        "seeds": seeds,
        "rollout flops": dict.fromkeys(searching.SETS, 1e8),
        "most": 32,
    }
    record["sampled"] = dict.fromkeys(searching.SETS, 64)
    (folder / "searching.json").write_text(json.dumps(record))
    stories = {}
    for seed in range(3):
        flops = np.full((30, 3), 1e8) * [1, 2, 4]
        right = (rng.random((30, 3)) < [0.4, 0.5, 0.6]).astype(float)
        stories |= {f"{seed}/majority/right": right,
                    f"{seed}/majority/flops": flops,
                    f"{seed}/mcts, vote/right": np.ones((30, 1)),
                    f"{seed}/mcts, vote/flops": flops[:, 1:2].copy()}  # fmt: skip
    save_file(stories, folder / "story_search.safetensors")
    told = known | {"command": "stories", "rollout flops": 1e8}
    (folder / "story_search.json").write_text(json.dumps(told))
    for module in (lesson01, lesson05, lesson05_paid):
        monkeypatch.setattr(module, "data_dir", lambda: tmp_path)


def test_effects_have_the_signs_that_were_put_in(records):
    found = lesson05_paid.effects()
    assert found["05-learned-value-pays"][0][0] == pytest.approx(0.5, abs=0.05)
    assert found["05-learned-value-pays"][2] == 40
    (share, low, high), each, _ = found["05-quarter-of-the-samples"]
    assert low <= share <= high < 0.3 and len(each) == 3
    assert found["05-game-of-24-solved"][0][0] == pytest.approx(1334 / 1362)
    assert found["05-stories-tree-beats-majority"][0][1] > 0.2


def test_a_value_that_cost_nothing(records):
    cost = lesson05_paid.found("6", "mcts", "prm")[0]
    assert lesson05_paid.if_free("6") == pytest.approx(0.75 * cost)


def test_sampling_has_the_better_of_two_temperatures(records):
    assert lesson05_paid.rival("6").mean() == pytest.approx(
        lesson05_paid.found("6", "sampling", temperature=0.7)[0].mean()
    )
    with pytest.raises(KeyError):
        lesson05_paid.found("6", "mcts", "nothing")


def test_every_way_and_the_floors(records):
    assert len(lesson05_paid.every_way("5")) == 6 and len(lesson05_paid.every_way("6")) == 7
    assert all(rows.shape == (3, 40) for rows in lesson05_paid.every_way("6").values())
    low, high = lesson05_paid.blind("6", (1, 2)).values()
    assert low == pytest.approx([0.1, 0.19]) and high == pytest.approx([0.3, 0.51])


def test_stories_stand_at_their_own_costs(records):
    costs, lines = lesson05_paid.story_lines(["majority", "mcts, vote"])
    assert costs == pytest.approx([1, 2, 4]) and lines["mcts, vote"][0] == [None, 1.0, None]
    mean, low, high = lines["majority"]
    assert all(a <= b <= c for a, b, c in zip(low, mean, high, strict=True))


def test_the_game_of_24_counts_all_puzzles(records):
    lines = lesson05_paid.game_of_24([1, 10**9])
    assert len(lines) == 6
    for mean, low, high in lines.values():
        assert mean == low == high == [0.0, pytest.approx(1334 / 1362)]


def test_a_claim_names_the_record_it_came_from(records):
    found = {claim.id: claim for claim in lesson05_paid.claims()}
    assert len(found) == 6 and all(claim.flops > 0 for claim in found.values())
    story, other = found["05-stories-tree-beats-majority"], found["05-learned-value-pays"]
    assert (story.command, other.command) == ("stories", "c")
