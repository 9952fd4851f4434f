"""The bench's own rules: interleaved rounds, medians, and a table that shows every row."""

from o1lab.make import bench, bench_rollout


def test_a_race_takes_turns_and_reports_medians():
    order = []

    def runner(name, tokens):
        def run():
            order.append(name)
            return tokens

        return run

    row = bench_rollout.race("rollout-x", (runner("ours", 300), runner("peer", 100)), 2.5, 3)
    assert order == ["ours", "peer"] * 4
    assert set(row) == {"name", "ours", "peer", "ratio", "unit", "aim"} and row["ratio"] > 0


def test_the_table_has_a_line_a_row():
    rows = [
        {"name": "rollout-x", "ours": 1234.0, "peer": 500.0, "ratio": 2.47, "unit": "tokens/s",
         "aim": 2.5, "ours_mb": 300.0, "peer_mb": 400.0},
        {"name": "rollout-mismatch", "ours": 0.01, "peer": None, "ratio": None, "unit": "share",
         "aim": None},
    ]  # fmt: skip
    lines = bench.show(rows).split("\n")
    assert len(lines) == 3 and "1,234" in lines[1] and "2.47" in lines[1] and "0.01" in lines[2]
