"""What lesson 03 reads out of a ladder: curves of every arm, paired effects, costs."""

import json

import numpy as np
import pytest

from o1lab.make import lesson01, lesson03

SIZES = [1, 2, 4, 8, 16, 32, 64, 128, 256]
LIFT = {"product": 0.04, "min": 0.03, "last": 0.02, "mean": 0.02, "vote": 0.03}


@pytest.fixture
def ladder(tmp_path, monkeypatch):
    """A made-up ladder: the PRM gains 4 points a doubling, the ORM 2, a weak one loses 3."""
    from safetensors.numpy import save_file

    rng, arrays, arms = np.random.default_rng(0), {}, {}
    base, small = rng.uniform(0.2, 0.4, 80), np.arange(0, 80, 4)

    def add(key, lift, rows, sizes):
        gain = lift * np.log2(sizes)[None] * rng.uniform(0.5, 1.5, (len(rows), 1))
        for what in ("right", "sound"):
            arrays[f"{key}/{what}"] = (base[rows][:, None] + gain).astype(np.float16)

    def arm(name, kind, lift, seeds=1, core=False):
        run = {"flops": 2.0, "label_flops": 1.0, "score_flops": 1.0}
        marks = {"within auroc": 0.9 if kind == "prm" else 0.7}
        runs = {}
        for seed in range(seeds):
            measured = {k: v + 0.01 * seed for k, v in marks.items()}
            measured["minimum at"] = [0.6 if kind == "prm" else 0.3, 0.2]
            runs[str(seed)] = run | {"metrics": measured}
            methods = LIFT if kind == "prm" else {"last": 0.02, "vote": 0.02}
            for method, usual in methods.items():
                rise = usual if lift is None else lift
                if core:
                    add(f"{name}/{seed}/{method}", rise, np.arange(80), SIZES)
                place = "small/" if core else ""
                add(f"{name}/{seed}/{place}{method}", rise, small, SIZES[:7])
        arms[name] = {"kind": kind, "note": "", "core": core, "runs": runs}

    arm("prm", "prm", None, 3, True)
    arm("orm", "orm", 0.02, 3, True)
    for name, lift in (("prm equal labels", 0.03), ("prm plain", -0.03),
                       ("prm noise 0%", 0.03), ("prm noise 20%", 0.03)):  # fmt: skip
        arm(name, "prm", lift)
    for name, rows, sizes in (("free", np.arange(80), SIZES), ("free small", small, SIZES[:7])):
        arms[name] = {"kind": "none", "note": "", "runs": {"0": {"flops": 2.0}}}
        for method, lift in (("majority", 0.02), ("oracle", 0.07), ("random", 0.0)):
            add(f"{name}/0/{method}", lift, rows, sizes)
    record = {"arms": arms, "sizes": SIZES, "small sizes": SIZES[:7], "depth": [3, 4] * 40,
              "small depth": [3, 4] * 10, "command": "c", "date": "d", "device": "x"}  # fmt: skip
    (tmp_path / "results").mkdir()
    save_file(arrays, tmp_path / "results" / "ladder.safetensors")
    (tmp_path / "results" / "ladder.json").write_text(json.dumps(record))
    for module in (lesson01, lesson03):
        monkeypatch.setattr(module, "data_dir", lambda: tmp_path)


def test_curves_of_core_and_side_arms(ladder):
    assert lesson03.curve("prm", "product").shape == (3, 80, 9)
    assert lesson03.curve("prm", "product", small=True).shape == (3, 20, 7)
    assert lesson03.curve("prm noise 20%", "min", "sound", small=True).shape == (1, 20, 7)
    assert lesson03.curve("free", "oracle", small=True).shape == (1, 20, 7)
    mean, low, high = lesson03.interval(lesson03.curve("prm", "product"))
    assert mean == sorted(mean) and np.all(np.less_equal([low, mean], [mean, high]))
    assert lesson03.depths().shape == (80,) and lesson03.cost("orm") == 12
    with pytest.raises(KeyError, match="prm noise 20%"):
        lesson03.seeds("nobody")


def test_effects_have_the_signs_that_were_put_in(ladder):
    found = lesson03.effects()
    best, growth = found["03-prm-beats-orm"], found["03-gap-grows-with-n"]
    assert best[0][1] > 0.1 and len(best[1]) == 3 and best[2] == 80
    assert growth[0][0] == pytest.approx(0.02, abs=0.004) and growth[0][1] > 0
    assert found["03-prm-beats-majority"][0][1] > 0 and len(found["03-prm-beats-majority"][1]) == 3
    assert found["03-weak-verifier-falls"][0][2] < 0
    value, low, high = found["03-within-auroc"][0]
    assert value == pytest.approx(0.41) and 0 < low < value < high
    assert found["03-orm-in-disguise"][0][0] == pytest.approx(0.3)
    assert abs(found["03-noise-survived"][0][0]) < 0.05 and found["03-noise-survived"][2] == 20


def test_the_rival_of_a_judge_gets_what_the_judge_costs(ladder):
    assert lesson03.price("prm") == 0.5, "its scores cost half of what the rollouts do"
    assert lesson03.rival_size("prm", 64) == 128, "96 would do, and the next recorded is 128"
    value, low, high = lesson03.against_majority("prm", "vote", 64)
    gap = lesson03.at("prm", "vote", 64) - lesson03.at("free", "majority", 128)
    assert value == pytest.approx(gap.mean()) and low <= value <= high
    with pytest.raises(ValueError, match="N ends before"):
        lesson03.rival_size("prm", 256)
