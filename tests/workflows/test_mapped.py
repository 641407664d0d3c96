"""Data larger than memory: stored once, trained from the disk, resumed, predicted in pieces."""

import errno
import os
import signal
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.data import storing
from deepwell.data.stored import ArrayWriter, whole_folder
from deepwell.engine import Callback
from deepwell.errors import ConfigError, DeepwellError, OutputError, SplitError
from deepwell.files import sha256
from deepwell.workflows import TrainResult
from deepwell.workflows.predict_stream import predict_to_file


def train(
    source: Any, folder: Path, name: str, *callbacks: Callback, **changes: Any
) -> TrainResult:
    data = {"memory": "mapped", "cache": str(folder / "cache"), **changes.pop("data", {})}
    return deepwell.train(
        source,
        changes.pop("target", "spent"),
        name=name,
        runs=folder / "runs",
        settings=small_data.settings(data=data, **changes),
        callbacks=callbacks,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mapped")
    small_data.visitors(366).drop("household", "day").write_csv(folder / "visits.csv")
    return folder


@pytest.fixture(scope="module")
def whole(place: Path) -> TrainResult:
    return train(place / "visits.csv", place, "whole", engine={"epochs": 4, "log_every": 2})


def weights(result: TrainResult) -> str:
    return sha256(result.folder.model / "model.safetensors")


def test_a_run_from_the_disk_is_a_run_like_others(place: Path, whole: TrainResult):
    summary = whole.summary
    assert sum(summary["rows"].values()) == 366
    assert summary["rows"]["train"] == len(np.load(next((place / "cache").glob("*/ids.npy"))))
    assert whole.report.is_file()
    assert whole.folder.read("manifest.json")["data"]["rows"] == 366
    assert whole.folder.read_config()["data"]["memory"] == "mapped"
    splits = whole.folder.read_splits()
    assert len(splits["test"]) == summary["rows"]["test"]
    train_ids = np.load(next((place / "cache").glob("*/ids.npy")))
    every = np.sort(np.concatenate([train_ids, splits["val"], splits["test"]]))
    np.testing.assert_array_equal(every, np.arange(366))
    loaded = deepwell.load(whole.folder.path)
    frame = pl.read_csv(place / "visits.csv").head(5)
    assert loaded.predict(frame)["prediction"].is_finite().all()
    assert "hash of the inputs" in whole.folder.read("data.json")["split"]["reason"]


def test_the_stored_rows_are_those_of_the_encoders(place: Path, whole: TrainResult):
    folder = next((place / "cache").glob("*/"))
    frame = pl.read_csv(place / "visits.csv")
    ids = np.load(folder / "ids.npy")
    table = whole.predictor.read(frame[ids.tolist()])
    expected = whole.predictor.encoders.encode(table)[0]
    blocks = small_data.read_json(folder / "cache.json")["blocks"]
    parts = [np.load(folder / name).astype(np.float32) for name in blocks[0]["files"]]
    assert len(parts) == 2  # numbers, and a byte for each word of a category
    np.testing.assert_array_equal(np.concatenate(parts, axis=1)[:, blocks[0]["order"]], expected)


def test_the_second_run_finds_the_rows_and_is_the_same(place: Path, whole: TrainResult):
    before = [(path, path.stat().st_mtime_ns) for path in sorted((place / "cache").rglob("*"))]
    said: list[str] = []
    again = deepwell.train(
        place / "visits.csv",
        "spent",
        runs=place / "runs",
        settings=small_data.settings(
            data={"memory": "mapped", "cache": str(place / "cache")},
            engine={"epochs": 4, "log_every": 2},
        ),
        say=said.append,
    )
    assert weights(again) == weights(whole)
    assert any("rows found" in text and str(place / "cache") in text for text in said)
    after = [(path, path.stat().st_mtime_ns) for path in sorted((place / "cache").rglob("*"))]
    assert after == before


def test_small_windows_change_the_order_and_not_the_rows(
    place: Path, whole: TrainResult, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deepwell.engine.mapped.WINDOW_BYTES", 4000)
    one = train(place / "visits.csv", place, "windows-1", engine={"epochs": 2})
    two = train(place / "visits.csv", place, "windows-2", engine={"epochs": 2})
    assert weights(one) == weights(two) != weights(whole)
    assert one.summary["rows"] == whole.summary["rows"]


class CtrlC(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_logged(self, state: Any) -> None:
        if state.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("is_torn", [False, True])
def test_stopped_in_an_epoch_and_resumed_is_the_same(
    place: Path, monkeypatch: pytest.MonkeyPatch, is_torn: bool
):
    monkeypatch.setattr("deepwell.engine.mapped.WINDOW_BYTES", 4000)
    engine = {"epochs": 3, "log_every": 2}
    name = f"torn-{is_torn}"
    unstopped = train(place / "visits.csv", place, f"{name}-whole", engine=engine)
    with pytest.raises(KeyboardInterrupt, match="deepwell resume"):
        train(place / "visits.csv", place, name, CtrlC(6), engine=engine)
    assert [t for t in threading.enumerate() if t.name == "read-ahead"] == []
    if is_torn:  # the rows are written anew, the same as before
        for file in (place / "cache").glob("*/targets.npy"):
            os.truncate(file, file.stat().st_size - 4)
    resumed = deepwell.resume(place / "runs" / name)
    assert weights(resumed) == weights(unstopped)
    assert resumed.metrics == unstopped.metrics


@pytest.mark.parametrize(
    ("target", "data"),
    [
        ("level", {"weight": "importance"}),
        ("bought,opened", {}),
        ("bought", {"group": "household"}),
    ],
)
def test_other_questions(tmp_path: Path, target: str, data: dict[str, Any]):
    path = tmp_path / "visits.parquet"
    frame = small_data.visitors(360)
    frame.write_parquet(path)
    result = train(path, tmp_path, "run", target=target.split(","), data=data)
    assert result.metrics
    if "group" in data:
        sides = result.folder.read_splits()
        groups = [set(frame["household"].gather(sides[name])) for name in ("val", "test")]
        assert not groups[0] & groups[1]


def test_a_folder_of_pictures_is_decoded_to_the_disk(tmp_path: Path):
    folder = small_data.draw_pictures(tmp_path / "pictures", each=40)
    result = train(folder, tmp_path, "run", target=(), model={"name": "cnn"})
    stored = np.load(next((tmp_path / "cache").glob("*/images.npy")))
    assert stored.dtype == np.uint8
    assert len(stored) == result.summary["rows"]["train"]
    resident = deepwell.load(result.folder.path).predict(folder)
    assert len(resident) == 80


@pytest.mark.parametrize(
    ("row", "column", "value", "said"),
    [
        (2999, "age", "old", r'Column "age".*line 3001 of visits\.csv'),
        (2999, "spent", "much", r'Column "spent".*line 3001 of visits\.csv'),
    ],
)
def test_a_bad_row_far_down_is_named_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, row: int, column: str, value: str, said: str
):
    monkeypatch.setattr("deepwell.data.survey.SAMPLE_ROWS", 1000)
    frame = pl.concat([small_data.visitors(366).drop("day", "household", "score")] * 10)
    frame = frame.with_columns(spent=pl.col("spent") + pl.int_range(pl.len()) / 1000)
    lines = frame.write_csv().split("\n")
    cells = lines[row + 1].split(",")
    cells[0 if column == "age" else -1] = value  # between them, texts hold commas
    lines[row + 1] = ",".join(cells)
    (tmp_path / "visits.csv").write_text("\n".join(lines))
    with pytest.raises(DeepwellError, match=said):
        train(tmp_path / "visits.csv", tmp_path, "run")
    assert not list((tmp_path / "cache").glob("*")) or not (tmp_path / "cache").exists()
    assert not (tmp_path / "runs").exists()


def test_a_class_that_nobody_has_seen_names_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deepwell.data.survey._MOST_VALUES", 1)
    monkeypatch.setattr("deepwell.data.survey.SAMPLE_ROWS", 1000)
    frame = pl.concat([small_data.visitors(366).drop("day", "household")] * 10)
    kinds = frame["level"].to_list()
    kinds[3333] = "enormous"
    frame = frame.with_columns(level=pl.Series(kinds))
    frame.write_parquet(tmp_path / "visits.parquet")
    with pytest.raises(DeepwellError, match=r"row 3334 of visits\.parquet"):
        train(tmp_path / "visits.parquet", tmp_path, "run", target="level")


def _endless(recipe: storing.Recipe) -> int:
    return len(recipe.key) << 50


def test_ctrl_c_and_a_full_disk_leave_nothing_half_written(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def press(*_: Any) -> None:
        raise KeyboardInterrupt

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for what, error in ((press, KeyboardInterrupt), (full, OutputError)):
        with monkeypatch.context() as patch:
            patch.setattr(ArrayWriter, "append", what)
            with pytest.raises(error):
                train(place / "visits.csv", tmp_path, "run")
        assert list((tmp_path / "cache").iterdir()) == []
        assert not (tmp_path / "runs").exists()
    with monkeypatch.context() as patch:
        patch.setattr(storing, "_row_bytes", _endless)
        with pytest.raises(OutputError, match=r"data\.cache=FOLDER"):
            train(place / "visits.csv", tmp_path, "run")


def test_what_a_killed_process_left_is_removed(tmp_path: Path):
    dead, alive = tmp_path / ".key.999999999.abc", tmp_path / f".key.{os.getpid()}.abc"
    for folder in (dead, alive):
        folder.mkdir()
    with whole_folder(tmp_path / "key", needed=0) as folder:
        (folder / "a").write_text("a")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["key", alive.name])


def test_what_needs_all_rows_is_refused(place: Path, tmp_path: Path):
    for changes, error, said in (
        ({"engine": {"optimizer": "gradient_descent"}}, ConfigError, "all rows at once"),
        ({"split": {"test": 0.0}}, SplitError, "no test rows"),
        ({"data": {"test": "b.csv"}}, ConfigError, "--test"),
    ):
        with pytest.raises(error, match=said):
            train(place / "visits.csv", tmp_path, "run", **changes)
    pictures = small_data.picture_table(tmp_path / "pictures")
    with pytest.raises(ConfigError, match="paths of pictures"):
        train(pictures, tmp_path, "run", target="tone")


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet", ".jsonl", ".arrow"])
def test_predictions_in_pieces_are_the_predictions(
    place: Path, whole: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
):
    monkeypatch.setattr("deepwell.data.survey.TextStream", _small_blocks)
    model, output = whole.folder.path, tmp_path / f"out{ending}"
    assert predict_to_file(model, place / "visits.csv", output, memory="mapped") == 366
    readers: dict[str, Any] = {
        ".csv": pl.read_csv,
        ".tsv": partial(pl.read_csv, separator="\t"),
        ".parquet": pl.read_parquet,
        ".jsonl": pl.read_ndjson,
        ".arrow": pl.read_ipc,
    }
    found, expected = readers[ending](output), deepwell.predict(model, place / "visits.csv")
    assert found.columns == expected.columns
    np.testing.assert_allclose(found["prediction"], expected["prediction"], rtol=1e-5)
    assert found["city"].to_list() == expected["city"].to_list()


def _small_blocks(path: Path, settings: Any) -> Any:
    from deepwell.data.stream_text import TextStream

    return TextStream(path, settings, block=3000)


def test_predicting_in_pieces_names_what_is_wrong(
    place: Path, whole: TrainResult, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("deepwell.data.survey.TextStream", _small_blocks)
    lines = (place / "visits.csv").read_text().split("\n")
    lines[300] = "old," + lines[300].partition(",")[2]
    broken = tmp_path / "broken.csv"
    broken.write_text("\n".join(lines))
    for ending in (".csv", ".parquet"):
        with pytest.raises(DeepwellError, match=r"line 301 of broken\.csv"):
            predict_to_file(whole.folder.path, broken, tmp_path / f"out{ending}", memory="mapped")
    pl.read_csv(place / "visits.csv").drop("city", "age").write_csv(broken)
    with pytest.raises(DeepwellError, match=r'"age", "city"|"city", "age"'):
        predict_to_file(whole.folder.path, broken, tmp_path / "out.csv", memory="mapped")
    assert [path.name for path in tmp_path.iterdir()] == ["broken.csv"]
