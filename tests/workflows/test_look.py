"""What a training says about leaks and differing sides before it begins, and leaves in its run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.errors import (
    ColumnError,
    ConfigError,
    DataError,
    DeepwellError,
    SplitError,
    TaskError,
)
from deepwell.evaluation import report
from deepwell.files import read_json
from deepwell.workflows import TrainResult


def leaky(rows: int = 200) -> pl.DataFrame:
    """Return houses with their tax, which follows from the price."""
    return small_data.houses(rows).with_columns(tax=pl.col("price") * 0.02)


def train(rows: Any, runs: Path, heard: list[str] | None = None, **settings: Any) -> TrainResult:
    say = None if heard is None else heard.append
    asked = small_data.settings(**settings)
    return deepwell.train(rows, target="price", runs=runs, settings=asked, say=say)


def test_a_leak_is_said_stored_and_shown(tmp_path: Path) -> None:
    heard: list[str] = []
    result = train(leaky(), tmp_path, heard)
    said = [line for line in heard if line.startswith("Leak: ")]
    assert len(said) == 1
    assert '"tax"' in said[0]
    assert "--ignore tax" in said[0]
    stored = read_json(result.folder / "data.json")["leaks"]
    assert [leak["column"] for leak in stored if leak["severity"] == "leak"] == ["tax"]
    assert "--ignore tax" in report.render(result.folder.path)


def test_failing_on_a_leak_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r'"tax" and the target "price".*--ignore tax'):
        train(leaky(), tmp_path / "runs", evaluation={"fail_on_leak": True})
    assert not list(tmp_path.iterdir())


def test_a_strong_column_far_ahead_of_all_others_is_said_and_refuses_nothing(
    tmp_path: Path,
) -> None:
    rng = np.random.default_rng(0)
    price = rng.normal(size=300)
    rows = {"area": price + 0.35 * rng.normal(size=300), "luck": rng.normal(size=300)}
    heard: list[str] = []
    asked = {"evaluation": {"fail_on_leak": True}}
    result = train({**rows, "price": price}, tmp_path, heard, **asked)
    said = [line for line in heard if '"area" is strong' in line]
    assert len(said) == 1
    assert said[0].startswith("Note: ")
    assert "while all others together reach" in said[0]
    leaks = read_json(result.folder / "data.json")["leaks"]
    assert {leak["severity"] for leak in leaks} == {"note"}


def test_without_the_leak_the_same_training_goes_on(tmp_path: Path) -> None:
    result = train(leaky(), tmp_path, data={"ignore": ["tax"]}, evaluation={"fail_on_leak": True})
    assert result.summary["metrics"]


def test_the_search_can_be_switched_off(tmp_path: Path) -> None:
    heard: list[str] = []
    result = train(leaky(), tmp_path, heard, evaluation={"leaks": False, "shift": False})
    assert not [line for line in heard if "tax" in line]
    data = read_json(result.folder / "data.json")
    assert (data["leaks"], data["shift"]) == ([], None)


def test_failing_without_searching_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="fail_on_leak needs the search"):
        train(leaky(), tmp_path, evaluation={"leaks": False, "fail_on_leak": True})


def test_a_test_file_from_elsewhere_is_noticed(tmp_path: Path) -> None:
    rows = small_data.houses(300)
    rows[:220].write_csv(tmp_path / "here.csv")
    elsewhere = rows[220:].with_columns(pl.col("Lot_Area") * 3 + 20000)
    elsewhere.write_csv(tmp_path / "there.csv")
    heard: list[str] = []
    test = str(tmp_path / "there.csv")
    result = train(tmp_path / "here.csv", tmp_path / "runs", heard, data={"test": test})
    said = next(line for line in heard if "rows differ" in line)
    assert '"Lot_Area"' in said
    assert "file of their own" in said
    stored = read_json(result.folder / "data.json")["shift"]
    assert next(iter(stored["columns"])) == "Lot_Area"
    assert "Training and test rows differ" in report.render(result.folder.path)


def test_rows_of_the_training_are_noticed_when_they_are_scored(
    houses_result: TrainResult, tmp_path: Path
) -> None:
    rows, sides = small_data.houses(), houses_result.folder.read_splits()
    mixed = pl.concat([rows[sides["train"][:7]], rows[sides["val"][:2]], rows[sides["test"]]])
    mixed.write_parquet(tmp_path / "mixed.parquet")
    for place in (houses_result.folder.path, houses_result.folder.model):
        seen = deepwell.evaluate(place, tmp_path / "mixed.parquet")["seen"]
        assert (seen["rows"], seen["of"]) == (9, len(mixed))
        assert seen["sentence"].startswith(f"9 of {len(mixed)} rows were in training")


def test_a_model_apart_from_its_run_cannot_know(houses_result: TrainResult, tmp_path: Path) -> None:
    shutil.copytree(houses_result.folder.model, tmp_path / "model")
    assert deepwell.evaluate(tmp_path / "model", small_data.houses())["seen"] is None


def test_where_equal_rows_are_other_people_nothing_is_stored(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    data = {"sex": rng.choice(["f", "m"], 300), "price": rng.normal(size=300)}
    result = train(data, tmp_path)
    assert not (result.folder / "seen.npy").exists()
    assert deepwell.evaluate(result.folder.path, data)["seen"] is None


def bad(rows: int = 60, **columns: Any) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {"a": rng.normal(size=rows), "price": rng.normal(size=rows), **columns}


@pytest.mark.parametrize(
    ("data", "settings", "kind", "words"),
    [
        ({"a": [1] * 60, "b": ["x"] * 60}, {}, DataError, "No input column is left"),
        ({"price": [f"c{i}" for i in range(60)]}, {}, TaskError, "different text in each of 60"),
        ({"price": [f"c{i // 2}" for i in range(59)] + ["z"]}, {}, TaskError, "single example"),
        ({"w": [1.0] * 59 + [-1.0]}, {"data": {"weight": "w"}}, ColumnError, "row 60 is negative"),
        ({"w": [0.0] * 60}, {"data": {"weight": "w"}}, ColumnError, "all weights are 0"),
        ({"w": [1.0] + [0.0] * 59}, {"data": {"weight": "w"}}, SplitError, "rows weigh 0"),
    ],
    ids=["constant", "more classes than rows", "single", "negative", "zero", "zero on one side"],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    tmp_path: Path, data: Any, settings: Any, kind: type[DeepwellError], words: str
) -> None:
    with pytest.raises(kind, match=words):
        train(bad(**data), tmp_path / "runs", **settings)
    assert not list(tmp_path.iterdir())
