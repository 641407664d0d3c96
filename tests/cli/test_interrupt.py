"""Ctrl-C and kill -9 on a real process, and what `deepwell resume` makes of it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import pytest
import small_data

import deepwell
from deepwell.files import sha256
from deepwell.workflows import TrainResult

COMMAND = [sys.executable, "-m", "deepwell"]
SETTINGS = small_data.settings(engine={"epochs": 60, "batch_size": 16, "checkpoint_every": 7})
OPTIONS = [
    *("--epochs=60", "--batch-size=16", "--set=engine.checkpoint_every=7"),
    *small_data.FAST_OPTIONS[2:],
]
SCORING = "Scoring the test rows"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    folder = tmp_path_factory.mktemp("whole")
    source = small_data.write_houses(folder)
    return deepwell.train(source, "price", name="whole", runs=folder / "runs", settings=SETTINGS)


@pytest.fixture
def training(tmp_path: Path) -> Generator[subprocess.Popen[str]]:
    """Start a training in a process of its own."""
    small_data.write_houses(tmp_path)
    process = start(tmp_path, "train", "houses.csv", "-t", "price", "--name", "r", *OPTIONS)
    yield process
    process.kill()
    process.wait()


def start(folder: Path, *args: str) -> subprocess.Popen[str]:
    paths = [str(Path(deepwell.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [*COMMAND, *args],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell without job control lets its children ignore Ctrl-C
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def wait_for(process: subprocess.Popen[str], words: str) -> str:
    """Read standard error up to a line with some words."""
    seen = ""
    for line in process.stderr or ():
        seen += line
        if words in line:
            return seen
    raise AssertionError(f"{words} never came: {seen}")


def end(process: subprocess.Popen[str]) -> tuple[int, str]:
    try:
        _, errors = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, errors


def assert_resumes_to(whole: TrainResult, folder: Path) -> None:
    code, errors = end(start(folder, "resume", "runs/r"))
    assert code == 0, errors
    run = folder / "runs" / "r"
    files = [run / "model" / "model.safetensors", whole.folder.model / "model.safetensors"]
    assert sha256(files[0]) == sha256(files[1])
    result = small_data.read_json(run / "result.json")
    for part in ("metrics", "baselines", "verdict", "rows"):
        assert result[part] == whole.summary[part]


def test_ctrl_c_in_training_keeps_the_best_model_and_goes_on_exactly(
    training: subprocess.Popen[str], tmp_path: Path, whole: TrainResult
) -> None:
    wait_for(training, "epoch 3/60")
    training.send_signal(signal.SIGINT)
    code, errors = end(training)
    assert code == 130
    assert "Traceback" not in errors
    last = errors.rstrip().split("\n")[-1]
    assert last.startswith("Stopped after ")
    assert last.endswith(
        "The best model so far is in runs/r/model; go on with `deepwell resume runs/r`."
    )
    assert small_data.read_json(tmp_path / "runs/r/status.json")["state"] == "interrupted"
    assert len(deepwell.predict(tmp_path / "runs/r", tmp_path / "houses.csv")) == 200
    assert_resumes_to(whole, tmp_path)


def test_ctrl_c_while_scoring(
    training: subprocess.Popen[str], tmp_path: Path, whole: TrainResult
) -> None:
    wait_for(training, SCORING)
    training.send_signal(signal.SIGINT)
    code, errors = end(training)
    assert "Traceback" not in errors
    if code == 0:
        pytest.skip("the scoring was done before the signal came")
    assert code == 130
    assert "deepwell resume runs/r" in errors
    assert len(deepwell.predict(tmp_path / "runs/r", tmp_path / "houses.csv")) == 200
    assert_resumes_to(whole, tmp_path)


@pytest.mark.parametrize("seconds", [0.4, 0.9])
def test_ctrl_c_while_importing_or_reading_leaves_nothing(
    training: subprocess.Popen[str], tmp_path: Path, seconds: float
) -> None:
    time.sleep(seconds)
    training.send_signal(signal.SIGINT)
    code, errors = end(training)
    assert code in (130, -signal.SIGINT)
    if code == 130 and "deepwell resume" not in errors:
        assert "Traceback" not in errors
        assert "Stopped; nothing was written." in errors
        assert not (tmp_path / "runs").exists()


def test_kill_in_training_can_be_resumed(
    training: subprocess.Popen[str], tmp_path: Path, whole: TrainResult
) -> None:
    wait_for(training, "epoch 6/60")
    training.kill()
    assert end(training)[0] == -signal.SIGKILL
    assert small_data.read_json(tmp_path / "runs/r/status.json")["state"] == "running"
    assert_resumes_to(whole, tmp_path)


def test_ctrl_c_while_predicting_writes_nothing(tmp_path: Path, whole: TrainResult) -> None:
    frame = small_data.houses()
    import polars as pl

    pl.concat([frame] * 500).write_csv(tmp_path / "many.csv")
    process = start(tmp_path, "predict", str(whole.folder.path), "many.csv", "-o", "out.csv")
    time.sleep(1.5)
    process.send_signal(signal.SIGINT)
    code, errors = end(process)
    assert "Traceback" not in errors
    names = {path.name for path in tmp_path.iterdir()}
    if code == 0:
        assert names == {"many.csv", "out.csv"}
    else:
        assert code in (130, -signal.SIGINT)  # the latter while it still imports
        assert names == {"many.csv"}


@pytest.mark.slow
def test_ctrl_c_in_a_race_keeps_the_models_that_are_done(tmp_path: Path) -> None:
    """Slow: five models are trained on five folds."""
    small_data.write_houses(tmp_path, rows=700)
    options = [*small_data.FAST_OPTIONS, "--time-limit=10m"]
    process = start(tmp_path, "train", "houses.csv", "-t", "price", "--name", "r", *options)
    try:
        wait_for(process, "boosted_trees: RMSE")
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        code, errors = end(process)
    finally:
        process.kill()
        process.wait()
    assert code == 130
    assert "Traceback" not in errors
    last = errors.rstrip().split("\n")[-1]
    # how many it is depends on how quick the trees are
    assert re.fullmatch(
        r"Stopped after [1-9] of the competing models\. The best model so far is in runs/r/model; "
        "go on with `deepwell resume runs/r`.",
        last,
    )
    assert len(deepwell.predict(tmp_path / "runs/r", tmp_path / "houses.csv")) == 700
    assert list((tmp_path / "runs/r/members").glob("boosted-trees-*/manifest.json"))
    resumed = start(tmp_path, "resume", "runs/r")
    out, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 0, errors
    assert "Models that competed" in out
    assert not (tmp_path / "runs/r/members").exists()
