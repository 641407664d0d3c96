"""What a run folder holds: every file that is promised, readable, and in agreement."""

import json
import re
import tomllib
from pathlib import Path

import polars as pl
import pytest
import small_data

import deepwell
from deepwell.errors import RunError
from deepwell.runs import RunFolder
from deepwell.workflows import TrainResult, TrainSettings

FILES = re.findall(r"^    ([a-z]+(?:\.[a-z]+|/)) {2,}", RunFolder.__doc__ or "", re.MULTILINE)


def test_every_file_of_the_list_is_there_and_no_other(houses_result: TrainResult) -> None:
    assert len(FILES) == 21
    found = [p.name + "/" * p.is_dir() for p in houses_result.folder.path.iterdir()]
    only_if_asked_for = {"members/", "race.json", "folds.json", "loggers.json"}
    assert sorted(found) == sorted(set(FILES) - only_if_asked_for)


def test_result_has_exactly_what_programs_are_promised(houses_result: TrainResult) -> None:
    result = small_data.read_json(houses_result.folder / "result.json")
    assert set(result) == {
        *("task", "targets", "model", "metrics", "baselines", "verdict", "success"),
        *("rows", "seconds", "training", "seed", "run"),
    }
    assert set(result["seconds"]) == {"training", "evaluation"}
    assert set(result["rows"]) == {"train", "val", "test"}
    assert result["success"]["met"] is True
    for score in result["metrics"].values():
        assert score["low"] <= score["value"] <= score["high"]


def test_splits_hold_each_row_once(houses_result: TrainResult) -> None:
    frame = pl.read_parquet(houses_result.folder / "splits.parquet")
    assert sorted(frame["id"]) == list(range(200))
    counts = dict(frame.group_by("split").len().iter_rows())
    assert counts == houses_result.summary["rows"]


def test_predictions_are_those_of_the_test_rows(houses_result: TrainResult) -> None:
    frame = pl.read_parquet(houses_result.folder / "predictions.parquet")
    ids = houses_result.folder.read_splits()["test"]
    assert frame["id"].to_list() == ids.tolist()
    houses = small_data.houses()[ids]
    again = deepwell.load(houses_result.folder.path).predict(houses)
    assert frame["prediction"].to_list() == pytest.approx(again["prediction"].to_list())
    errors = (frame["prediction"] - houses["price"]) ** 2
    mean = errors.mean()
    assert isinstance(mean, float)
    assert mean**0.5 == pytest.approx(houses_result.metrics["rmse"]["value"])


def test_config_holds_every_setting(houses_result: TrainResult) -> None:
    text = (houses_result.folder / "config.toml").read_text(encoding="utf-8")
    config = tomllib.loads(text)
    assert config["target"] == ["price"]
    assert config["engine"]["epochs"] == 3
    assert config["model"]["name"] == "mlp"
    again = TrainSettings.model_validate(config)
    for group, values in config.items():
        if isinstance(values, dict):
            known = set(type(getattr(again, group)).model_fields)
            optional = {n for n in known if getattr(getattr(again, group), n) is None}
            assert known - optional <= set(values), group


def test_manifest_says_on_what_the_run_was_made(houses_result: TrainResult) -> None:
    manifest = small_data.read_json(houses_result.folder / "manifest.json")
    assert {"deepwell", "python", "torch", "numpy", "polars"} <= set(manifest["versions"])
    assert {"processor", "cores", "memory_gib", "device"} <= set(manifest["hardware"])
    assert Path(manifest["data"]["path"]).is_absolute()
    assert manifest["data"]["rows"] == 200
    assert re.fullmatch(r"[0-9a-f]{64}", manifest["data"]["digest"])
    assert manifest["seed"] == 0


def test_metrics_have_a_line_an_epoch(houses_result: TrainResult) -> None:
    lines = houses_result.folder.read_metrics()
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [line["epoch"] for line in epochs] == [1, 2, 3]
    for line in epochs:
        assert {"step", "seconds", "train", "val", "learning_rate", "best"} <= set(line)
    best = max(line["epoch"] for line in epochs if line["best"])
    assert best == houses_result.summary["training"]["best_epoch"]


def test_layers_add_up(houses_result: TrainResult) -> None:
    layers = small_data.read_json(houses_result.folder / "layers.json")
    assert sum(row["parameters"] for row in layers["rows"]) == layers["parameters"] > 0
    assert layers["model"] == "mlp"


def test_evaluation_has_what_the_report_tells(houses_result: TrainResult) -> None:
    told = small_data.read_json(houses_result.folder / "evaluation.json")
    assert told["metrics"] == houses_result.summary["metrics"]
    assert told["baselines"] == houses_result.summary["baselines"]
    assert len(told["comparisons"]) == 3
    diagnosis = small_data.read_json(houses_result.folder / "diagnosis.json")
    assert set(diagnosis) == {"findings", "measured"}
    assert diagnosis["measured"]["scores"]["train"]["value"] > 0
    ids = set(houses_result.folder.read_splits()["test"].tolist())
    assert {mistake["id"] for mistake in told["mistakes"]} <= ids


def test_report_loads_nothing_from_elsewhere(houses_result: TrainResult) -> None:
    page = houses_result.report.read_text(encoding="utf-8")
    sources = re.findall(r"""(?:src|href)=["']([^"']+)""", page)
    assert not [s for s in sources if not s.startswith(("#", "data:"))]
    assert "<script" not in page


def test_names_count_upwards_when_none_is_given(tmp_path: Path, houses_file: Path) -> None:
    for expected in ("houses-linear", "houses-linear-2"):
        result = deepwell.train(
            houses_file, "price", model="linear", runs=tmp_path, settings=small_data.FAST
        )
        assert result.folder.path.name == expected


@pytest.mark.parametrize(
    "name", ["status.json", "manifest.json", "config.toml", "splits.parquet", "data.json"]
)
def test_a_damaged_file_is_named(houses_result: TrainResult, tmp_path: Path, name: str) -> None:
    folder = small_data.copy_tree(houses_result.folder.path, tmp_path / "run")
    if name != "status.json":
        RunFolder(folder).set_state("interrupted")
    (folder / name).write_bytes(b"\x00not this")
    if name == "data.json":
        from deepwell.evaluation import report

        with pytest.raises(RunError, match=re.escape(name)):
            report.write(folder)
    else:
        with pytest.raises(RunError, match=re.escape(name)):
            deepwell.resume(folder)


def test_a_torn_line_of_metrics_is_passed_over(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    lines = [{"kind": "step", "step": 1}, {"kind": "step", "step": 2}]
    run.metrics.write_text("\n".join(map(json.dumps, lines)) + '\n{"kind": "st', encoding="utf-8")
    assert run.read_metrics() == lines


def test_a_folder_that_is_no_run_is_refused_with_a_hint(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "houses", fallback="").set_state("running")
    with pytest.raises(RunError, match=r'no run folder .*/housse. Did you mean ".*/houses"'):
        RunFolder.open(tmp_path / "housse")


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "x" * 300])
def test_a_name_that_is_no_name_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="cannot be the name of a folder"):
        RunFolder.create(tmp_path, name, fallback="run")
    assert list(tmp_path.iterdir()) == []
