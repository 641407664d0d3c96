import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.harness import Goal, Outcome, Row
from benchmarks.results import mean_and_spread, page, store, table

MACHINE: dict[str, Any] = {
    "commit": "abc",
    "hardware": {"processor": "a processor", "cores": 2, "memory_gib": 8.0},
    "versions": dict.fromkeys(("deepwell", "python", "torch", "numpy", "scikit-learn"), "1"),
    "threads": 2,
    "load": 0.1,
}


def result(name: str, date: str, *, seconds: float = 2.0) -> dict[str, Any]:
    rows = [
        Row("own", "Own", seconds=[1.0, 1.0], scores={"test_accuracy": [0.88, 0.90]}),
        Row("peer", "Peer", seconds=[seconds, seconds], versions={"keras": "3.1"}),
    ]
    outcome = Outcome(
        name=name,
        title="a title",
        rows=rows,
        references={"": "own"},
        goals=[Goal("fast", 1.0, 4.0, unit=" s"), Goal("faster", 1.0, 0.5, unit=" s")],
        skipped={"skorch": "it is not installed"},
    )
    return {**outcome.to_json(), **MACHINE, "date": date}


def test_table_shows_times_ratios_and_scores():
    lines = table(result("lecture", "2026-01-01T00:00:00"))
    assert lines == [
        "|  | median (s) | ratio | test accuracy |",
        "| --- | --: | --: | --: |",
        "| Own | 1.00 (1.00–1.00) | 1.00 | 0.8900 ± 0.0141 |",
        "| Peer (keras 3.1) | 2.00 (2.00–2.00) | 2.00 |  |",
    ]


def test_page_names_missed_goals_and_absent_peers():
    text = page([result("lecture", "2026-01-01T00:00:00")])
    assert "- fast: 1 s (goal ≤ 4 s): met" in text
    assert "- faster: 1 s (goal ≤ 0.5 s): **missed**" in text
    assert "- Left out: skorch, it is not installed" in text


def test_store_keeps_the_old_and_shows_the_new(tmp_path: Path):
    store(result("lecture", "2026-01-02T00:00:00", seconds=3.0), tmp_path)
    store(result("lecture", "2026-01-01T00:00:00", seconds=7.0), tmp_path)
    store(result("startup", "2026-01-01T00:00:00"), tmp_path)
    names = sorted(path.name for path in tmp_path.glob("*.json"))
    assert names == [
        "lecture-2026-01-01.json",
        "lecture-2026-01-02.json",
        "startup-2026-01-01.json",
    ]
    text = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "3.00 (3.00–3.00)" in text
    assert "7.00" not in text
    assert text.index("## lecture") < text.index("## startup")
    stored = json.loads((tmp_path / "lecture-2026-01-01.json").read_text(encoding="utf-8"))
    assert stored["rows"][1]["seconds"] == [7.0, 7.0]


def test_spread_of_one_value_is_zero():
    assert mean_and_spread([0.5]) == (0.5, 0.0)
    assert mean_and_spread([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
