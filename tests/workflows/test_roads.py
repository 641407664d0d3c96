"""Every kind of question and of data goes the whole road: read, split, train, score, save."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.workflows import TrainResult

VISITORS = small_data.visitors()
TARGETS = ["bought", "level", "opened", "returned", "score", "spent"]


def train(tmp_path: Path, source: Any, target: Any, **changes: Any) -> TrainResult:
    result = deepwell.train(
        source, target=target, runs=tmp_path / "runs", settings=small_data.settings(**changes)
    )
    check_whole(result)
    return result


def others(*targets: str) -> dict[str, Any]:
    """Ignore the columns that are targets of other questions."""
    return {"ignore": [name for name in TARGETS if name not in targets]}


def check_whole(result: TrainResult) -> None:
    """Check what every run must leave, whatever was asked."""
    run, summary = result.folder, result.summary
    assert run.state == "finished"
    assert summary == small_data.read_json(run / "result.json")
    assert sum(summary["rows"].values()) == len(pl.read_parquet(run / "splits.parquet"))
    assert "constant" in summary["baselines"]
    for score in summary["metrics"].values():
        assert set(score) == {"value", "low", "high"}
    names = [score for scores in summary["baselines"].values() for score in scores]
    assert set(names) == set(summary["metrics"])
    assert len(summary["verdict"]) > 20
    assert "<svg" in result.report.read_text(encoding="utf-8")
    loaded = deepwell.load(run.path)
    assert loaded.task.name == summary["task"]


def test_table_regression(houses_result: TrainResult) -> None:
    check_whole(houses_result)
    summary = houses_result.summary
    assert (summary["task"], summary["model"]) == ("regression", "mlp")
    assert set(summary["metrics"]) == {"rmse", "mae", "median_error", "r2"}
    assert set(summary["baselines"]) == {"constant", "linear", "boosting"}
    # a network that learns prices must beat the mean, and cannot be nearly perfect
    assert 0.2 < summary["metrics"]["r2"]["value"] < 0.99


def test_two_classes(tmp_path: Path) -> None:
    result = train(tmp_path, VISITORS, "bought", data=others("bought"), engine={"epochs": 10})
    assert result.summary["task"] == "binary"
    assert result.metrics["accuracy"]["value"] > 0.9  # the comment says it
    assert {"roc_auc", "log_loss", "f1", "mcc", "recall"} <= set(result.metrics)


def test_several_classes(tmp_path: Path) -> None:
    result = train(tmp_path, VISITORS, "level", data=others("level"), engine={"epochs": 20})
    assert result.summary["task"] == "multiclass"
    labels = small_data.read_json(result.folder / "data.json")["task"]["labels"]
    assert labels == ["high", "low", "middle"]
    frame = result.predict(VISITORS.head(5))
    given = frame.select(pl.sum_horizontal(pl.col("^probability_.*$")))
    np.testing.assert_allclose(given.to_numpy(), 1.0, atol=1e-6)


def test_several_labels(tmp_path: Path) -> None:
    pair = ["opened", "returned"]
    result = train(tmp_path, VISITORS, pair, data=others(*pair), engine={"epochs": 10})
    assert result.summary["task"] == "multilabel"
    frame = result.predict(VISITORS)
    assert {"prediction_opened", "prediction_returned"} <= set(frame.columns)
    agreed = (frame["prediction_returned"].cast(pl.Boolean) == VISITORS["returned"]).mean()
    assert agreed > 0.8


def test_several_numbers(tmp_path: Path) -> None:
    pair = ["score", "spent"]
    result = train(tmp_path, VISITORS, pair, data=others(*pair), engine={"epochs": 30})
    assert result.summary["task"] == "regression"
    frame = result.predict(VISITORS)
    for name in pair:
        assert np.corrcoef(frame[f"prediction_{name}"], VISITORS[name])[0, 1] > 0.8


def test_folder_of_pictures(tmp_path: Path) -> None:
    folder = small_data.draw_pictures(tmp_path / "pictures")
    result = train(tmp_path, folder, None, engine={"epochs": 6, "batch_size": 8})
    assert (result.summary["model"], result.summary["task"]) == ("cnn", "binary")
    assert result.metrics["accuracy"]["value"] == 1.0
    answers = result.predict(folder / "light")
    assert answers["prediction"].unique().to_list() == ["light"]


def test_folder_of_idx_files(tmp_path: Path) -> None:
    folder = small_data.clothes(tmp_path / "clothes")
    result = train(tmp_path, folder, None, engine={"epochs": 3})
    assert result.summary["task"] == "multiclass"
    assert result.summary["rows"]["test"] == 80  # the test part that came with the data
    assert 0.3 < result.metrics["accuracy"]["value"] < 0.99
    assert "data:image/png" in result.report.read_text(encoding="utf-8")  # the worst mistakes


def test_table_with_paths_of_pictures(tmp_path: Path) -> None:
    path = small_data.picture_table(tmp_path / "table")
    result = train(tmp_path, path, "tone", engine={"epochs": 6, "batch_size": 8})
    assert result.metrics["accuracy"]["value"] == 1.0
    notes = " ".join(small_data.read_json(result.folder / "data.json")["notes"])
    schema = small_data.read_json(result.folder / "data.json")["schema"]
    assert "weight_kg" in str(schema) + notes
    answers = result.predict(path)
    assert answers["picture"][0] == "dark/00.png"
    assert answers["prediction"].to_list() == answers["tone"].to_list()


def test_network_for_tables_reads_pictures_and_numbers_together(tmp_path: Path) -> None:
    path = small_data.picture_table(tmp_path / "table")
    result = train(tmp_path, path, "tone", model={"name": "mlp"}, engine={"epochs": 4})
    assert set(deepwell.load(result.folder.path).encoders.spec.blocks) == {"numbers", "images"}


@pytest.mark.parametrize("column", ["comment", "day"])
def test_text_and_dates_are_read(tmp_path: Path, column: str) -> None:
    target = {"comment": "bought", "day": "score"}[column]
    result = train(tmp_path, VISITORS.select(column, "age", target), target)
    schema = small_data.read_json(result.folder / "data.json")["schema"]
    kinds = {c["name"]: c["kind"] for c in schema["columns"]}
    assert kinds[column] == {"comment": "text", "day": "date"}[column]


def test_split_by_group(tmp_path: Path) -> None:
    data = {**others("score"), "group": "household"}
    result = train(tmp_path, VISITORS, "score", data=data)
    sides = pl.read_parquet(result.folder / "splits.parquet").sort("id")
    households = VISITORS.with_columns(sides["split"]).group_by("household")
    assert households.agg(pl.col("split").n_unique())["split"].max() == 1


def test_split_by_time(tmp_path: Path) -> None:
    result = train(tmp_path, VISITORS, "score", data={**others("score"), "time": "day"})
    sides = pl.read_parquet(result.folder / "splits.parquet").sort("id")
    frame = VISITORS.with_columns(sides["split"])
    last = frame.filter(split="train")["day"].max()
    assert last < frame.filter(split="val")["day"].min()  # type: ignore[operator]
    assert frame.filter(split="val")["day"].max() < frame.filter(split="test")["day"].min()  # type: ignore[operator]


def test_given_test_file(tmp_path: Path) -> None:
    frame = VISITORS.drop([*TARGETS[:4], "spent"])
    frame.head(180).write_csv(tmp_path / "train.csv")
    # five rows of the test are in the other file as well: they must not be learned from
    frame.slice(175, 65).write_csv(tmp_path / "test.csv")
    result = train(
        tmp_path, tmp_path / "train.csv", "score", data={"test": str(tmp_path / "test.csv")}
    )
    assert result.summary["rows"]["test"] == 65
    assert result.summary["rows"]["train"] + result.summary["rows"]["val"] == 175
    assert "5 training rows are also in the test rows" in str(
        small_data.read_json(result.folder / "data.json")["notes"]
    )


def test_weights_change_what_is_learned_and_scored(tmp_path: Path) -> None:
    plain = train(tmp_path, VISITORS.drop("importance"), "score", data=others("score"))
    data = {**others("score"), "weight": "importance"}
    weighted = train(tmp_path, VISITORS, "score", data=data)
    assert weighted.metrics["rmse"]["value"] != plain.metrics["rmse"]["value"]
    assert "importance" not in deepwell.load(weighted.folder.path).input_names
    assert "prediction" in weighted.predict(VISITORS.drop("importance")).columns


@pytest.mark.parametrize("model", ["mlp", "boosted_trees"])
def test_class_weights_raise_the_recall_of_a_rare_class(tmp_path: Path, model: str) -> None:
    rng = np.random.default_rng(0)
    rare = rng.random(400) < 0.12
    frame = pl.DataFrame(
        {"x": rare * 1.0 + rng.normal(0, 1, 400), "y": np.where(rare, "rare", "common")}
    )
    recalls: list[float] = []
    for kind in ("none", "balanced"):
        task = {"class_weight": kind, "positive": "rare"}
        result = train(
            tmp_path, frame, "y", model={"name": model}, task=task, engine={"epochs": 10}
        )
        recalls.append(result.metrics["recall"]["value"] or 0.0)
    assert recalls[1] > recalls[0] + 0.2


@pytest.mark.parametrize("form", ["dict", "pandas", "arrays", "tensors", "lazy"])
def test_objects_of_python_are_read(tmp_path: Path, form: str) -> None:
    import torch

    frame = VISITORS.select("age", "clicks", "score")
    arrays = frame.select("age", "clicks").to_numpy(), frame["score"].to_numpy()
    data: Any = {
        "dict": lambda: frame.to_dict(as_series=False),
        "pandas": frame.to_pandas,
        "arrays": lambda: arrays,
        "tensors": lambda: tuple(torch.tensor(array) for array in arrays),
        "lazy": frame.lazy,
    }[form]()
    is_pair = isinstance(data, tuple)
    result = train(tmp_path, data, None if is_pair else "score", engine={"epochs": 20})
    assert result.metrics["r2"]["value"] > 0.3


@pytest.mark.parametrize("name", ["linear", "mlp"])
def test_rows_without_target_are_left_out_and_noted(tmp_path: Path, name: str) -> None:
    frame = VISITORS.select("age", "clicks", "score").with_columns(
        pl.when(pl.int_range(pl.len()) < 6).then(None).otherwise(pl.col("score")).alias("score")
    )
    result = train(tmp_path, frame, "score", model={"name": name})
    assert sum(result.summary["rows"].values()) == len(frame) - 6
    assert "6 rows have no value" in str(small_data.read_json(result.folder / "data.json"))


def test_the_perceptron_learns_by_its_own_rule(tmp_path: Path) -> None:
    frame = VISITORS.select("age", "clicks", "returned")
    result = train(tmp_path, frame, "returned", model={"name": "perceptron"}, engine={"epochs": 5})
    assert result.summary["model"] == "perceptron"
    assert result.metrics["accuracy"]["value"] > 0.8


def test_enormous_numbers_may_be_classes(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": range(90), "y": [3e38 * (i % 3) for i in range(90)]})
    result = train(tmp_path, frame, "y", task={"kind": "classification"})
    assert result.summary["task"] == "multiclass"
