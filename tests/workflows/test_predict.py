"""Answers for new rows are the same on every way, and keep what came in."""

from pathlib import Path

import polars as pl
import pytest
import small_data

import deepwell
from deepwell.errors import ColumnError, OutputError
from deepwell.workflows import TrainResult
from deepwell.workflows.predict import WRITERS

READERS = {
    ".csv": pl.read_csv,
    ".tsv": lambda path: pl.read_csv(path, separator="\t"),
    ".parquet": pl.read_parquet,
    ".jsonl": pl.read_ndjson,
    ".arrow": lambda path: pl.read_ipc(path.read_bytes()),
}


def test_every_way_gives_the_same_answers(houses_result: TrainResult, houses_file: Path) -> None:
    run = houses_result.folder
    answers = [
        deepwell.predict(run.path, houses_file),
        deepwell.predict(run.model, houses_file),
        deepwell.predict(run.path, small_data.houses()),
        deepwell.load(run.path).predict(houses_file),
        houses_result.predict(houses_file),
        pl.from_pandas(deepwell.load(run.model).predict(small_data.houses().to_pandas())),
    ]
    first = answers[0]["prediction"].to_list()
    assert len(first) == 200
    assert all(frame["prediction"].to_list() == first for frame in answers)


def test_one_row_alone_is_answered_as_among_others(houses_result: TrainResult) -> None:
    houses = small_data.houses(3)
    together = houses_result.predict(houses)["prediction"]
    for row in range(3):
        alone = houses_result.predict(houses.row(row, named=True))["prediction"][0]
        assert alone == pytest.approx(together[row], rel=1e-5)


@pytest.mark.parametrize("ending", list(WRITERS))
def test_output_keeps_the_columns_in_every_format(
    houses_result: TrainResult, tmp_path: Path, ending: str
) -> None:
    given = small_data.houses(20).drop("price")
    output = tmp_path / f"out{ending}"
    frame = deepwell.predict(houses_result.folder.path, given, output)
    written = READERS[ending](output)
    assert written.columns == [*given.columns, "prediction"]
    assert written["prediction"].to_list() == pytest.approx(frame["prediction"].to_list())
    assert written["Neighborhood"].to_list() == given["Neighborhood"].to_list()
    assert [p.name for p in tmp_path.iterdir()] == [output.name]


def test_missing_columns_are_all_named(houses_result: TrainResult, tmp_path: Path) -> None:
    given = small_data.houses(5).drop("Year_Built", "Full_Bath")
    with pytest.raises(ColumnError, match=r"Year_Built.*Full_Bath|Full_Bath.*Year_Built"):
        deepwell.predict(houses_result.folder.path, given, tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_unknown_categories_and_gaps_are_answered(houses_result: TrainResult) -> None:
    given = small_data.houses(4).with_columns(
        pl.lit("Atlantis").alias("Neighborhood"),
        pl.lit(None, pl.Int64).alias("Lot_Area"),
        pl.lit("remark").alias("unheard_of"),
    )
    answers = houses_result.predict(given)
    assert answers["prediction"].is_finite().all()
    assert answers["unheard_of"].to_list() == ["remark"] * 4


@pytest.mark.parametrize("name", ["out.xyz", "out", "missing/out.csv", "file/out.csv"])
def test_a_bad_output_is_refused_before_the_model_is_opened(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError):
        deepwell.predict(tmp_path / "no-model", tmp_path / "no-data.csv", tmp_path / name)
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_file_that_is_there_is_replaced_only_by_a_whole_one(
    houses_result: TrainResult, tmp_path: Path
) -> None:
    output = tmp_path / "out.csv"
    output.write_text("old")
    with pytest.raises(ColumnError):
        deepwell.predict(houses_result.folder.path, {"a": [1]}, output)
    assert output.read_text() == "old"
    deepwell.predict(houses_result.folder.path, small_data.houses(3), output)
    assert len(pl.read_csv(output)) == 3


def test_evaluating_the_test_rows_again_gives_the_scores_of_the_run(
    houses_result: TrainResult,
) -> None:
    rows = small_data.houses()[houses_result.folder.read_splits()["test"]]
    scores = deepwell.evaluate(houses_result.folder.path, rows, success="rmse < 1")
    for name, score in houses_result.metrics.items():
        assert scores["metrics"][name]["value"] == pytest.approx(score["value"])
    assert scores["rows"] == len(rows)
    assert scores["success"]["met"] is False
    told = {"task", "targets", "metrics", "success", "rows", "seen", "looks"}
    assert set(scores) == told | {"decision", "uncertainty", "calibration"}
    assert scores["looks"]["rows"] == len(rows)
    assert scores["seen"] == {"rows": 0, "of": len(rows), "sentence": ""}


def test_evaluating_needs_the_target(houses_result: TrainResult) -> None:
    with pytest.raises(ColumnError, match="price"):
        deepwell.evaluate(houses_result.folder.path, small_data.houses(20).drop("price"))
