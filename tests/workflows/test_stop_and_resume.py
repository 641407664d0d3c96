"""A training that is stopped, by whatever, leaves nothing half written and goes on exactly."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import small_data

import deepwell
from deepwell.engine import Callback
from deepwell.errors import OutputError, RunError
from deepwell.files import sha256
from deepwell.runs import RunFolder
from deepwell.workflows import TrainResult, finish

SETTINGS = small_data.settings(
    engine={"epochs": 4, "log_every": 2}, model={"name": "mlp", "dropout": 0.2}
)


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


class At(Callback):
    """Does something once, at an optimizer step (logged every second) or the end of an epoch."""

    def __init__(self, action: Callable[[], None], *, step: int = 0, epoch: int = 0) -> None:
        self.action, self.step, self.epoch = action, step, epoch

    def on_step_logged(self, state: Any) -> None:
        if state.step == self.step:
            self.action()

    def on_epoch_ended(self, state: Any) -> None:
        if state.epoch == self.epoch:
            self.action()


def train(source: Any, runs: Path, name: str, *callbacks: Callback) -> TrainResult:
    return deepwell.train(
        source, "price", name=name, runs=runs, settings=SETTINGS, callbacks=callbacks
    )


@pytest.fixture(scope="module")
def whole(houses_file: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    return train(houses_file, tmp_path_factory.mktemp("whole"), "whole")


def assert_same(resumed: TrainResult, whole: TrainResult) -> None:
    files = [run.folder.model / "model.safetensors" for run in (resumed, whole)]
    assert sha256(files[0]) == sha256(files[1])
    for part in ("metrics", "baselines", "verdict", "rows", "success", "model"):
        assert resumed.summary[part] == whole.summary[part]
    steps = [
        [(line["kind"], line["step"], line.get("loss")) for line in run.folder.read_metrics()]
        for run in (resumed, whole)
    ]
    assert steps[0] == steps[1]
    assert resumed.folder.state == "finished"


@pytest.mark.parametrize("moment", [{"step": 2}, {"step": 6}, {"epoch": 2}, {"step": 14}])
def test_ctrl_c_in_training(
    houses_file: Path, tmp_path: Path, whole: TrainResult, moment: dict[str, int]
) -> None:
    with pytest.raises(KeyboardInterrupt) as stop:
        train(houses_file, tmp_path, "stopped", At(press_ctrl_c, **moment))
    run = RunFolder(tmp_path / "stopped")
    assert f"The best model so far is in {run.model}" in str(stop.value)
    assert f"deepwell resume {run.path}" in str(stop.value)
    assert run.state == "interrupted"
    assert not (run / "result.json").exists()
    assert deepwell.load(run.path).predict(small_data.houses(3))["prediction"].is_finite().all()
    assert_same(deepwell.resume(run.path), whole)


def test_ctrl_c_twice_stops_at_once_and_can_be_resumed(
    houses_file: Path, tmp_path: Path, whole: TrainResult
) -> None:
    def press_twice() -> None:
        press_ctrl_c()
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt, match="deepwell resume"):
        train(houses_file, tmp_path, "stopped", At(press_twice, step=12))
    assert RunFolder(tmp_path / "stopped").state == "interrupted"
    assert_same(deepwell.resume(tmp_path / "stopped"), whole)


def test_ctrl_c_twice_before_the_first_checkpoint_leaves_nothing(
    houses_file: Path, tmp_path: Path
) -> None:
    def press_twice() -> None:
        press_ctrl_c()
        press_ctrl_c()

    with pytest.raises(KeyboardInterrupt):
        train(houses_file, tmp_path, "stopped", At(press_twice, step=2))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("where", ["fit_baselines", "evaluate", "write_answers"])
def test_ctrl_c_while_scoring(
    houses_file: Path,
    tmp_path: Path,
    whole: TrainResult,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
) -> None:
    def stop(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(finish, where, stop)
        with pytest.raises(KeyboardInterrupt, match=r"while scoring.*deepwell resume"):
            train(houses_file, tmp_path, "stopped")
    run = RunFolder(tmp_path / "stopped")
    assert run.state == "interrupted"
    assert len(deepwell.predict(run.path, houses_file)) == 200
    assert not (run / "result.json").exists()
    assert_same(deepwell.resume(run.path), whole)


def test_a_crash_is_marked_and_can_be_resumed(
    houses_file: Path, tmp_path: Path, whole: TrainResult
) -> None:
    def crash() -> None:
        raise ValueError("a fault of a callback")

    with pytest.raises(ValueError, match="a fault"):
        train(houses_file, tmp_path, "stopped", At(crash, epoch=3))
    run = RunFolder(tmp_path / "stopped")
    assert run.state == "failed"
    assert "a fault of a callback" in small_data.read_json(run / "status.json")["reason"]
    assert_same(deepwell.resume(run.path), whole)


def test_a_disk_that_is_full_while_checkpointing(
    houses_file: Path, tmp_path: Path, whole: TrainResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from deepwell.engine import checkpoint

    def refuse(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        fill = At(lambda: patch.setattr(checkpoint, "_write", refuse), epoch=2)
        with pytest.raises(OutputError) as failure:
            train(houses_file, tmp_path, "stopped", fill)
    assert str(failure.value).startswith("No space left on the disk")
    run = RunFolder(tmp_path / "stopped")
    assert f"deepwell resume {run.path}" in str(failure.value)
    assert run.state == "failed"
    assert not [p for p in run.path.rglob("*") if ".tmp" in p.name]
    assert_same(deepwell.resume(run.path), whole)


def test_a_disk_that_is_full_at_the_start_leaves_nothing(
    houses_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from deepwell.engine import checkpoint

    def refuse(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "_write", refuse)
    with pytest.raises(OutputError, match="No space left"):
        train(houses_file, tmp_path, "stopped")
    assert list(tmp_path.iterdir()) == []


def test_resume_of_a_finished_run_is_refused(whole: TrainResult) -> None:
    with pytest.raises(RunError, match="is finished: there is nothing to resume"):
        deepwell.resume(whole.folder.path)


def interrupted(houses_file: Path, tmp_path: Path) -> RunFolder:
    with pytest.raises(KeyboardInterrupt):
        train(houses_file, tmp_path, "stopped", At(press_ctrl_c, step=6))
    return RunFolder(tmp_path / "stopped")


def test_resume_finds_moved_data_and_refuses_changed_ones(
    houses_file: Path, tmp_path: Path, whole: TrainResult
) -> None:
    source = tmp_path / "a.csv"
    source.write_bytes(houses_file.read_bytes())
    run = interrupted(source, tmp_path)
    moved = source.rename(tmp_path / "b.csv")
    with pytest.raises(deepwell.errors.DataError, match=r"a\.csv"):
        deepwell.resume(run.path)
    changed = tmp_path / "c.csv"
    changed.write_bytes(moved.read_bytes().replace(b"2010", b"2011", 1))
    if changed.read_bytes() == moved.read_bytes():
        changed.write_bytes(moved.read_bytes().rpartition(b"\n")[0].rpartition(b"\n")[0])
    with pytest.raises(RunError, match="data have changed"):
        deepwell.resume(run.path, changed)
    assert run.state == "interrupted"
    assert_same(deepwell.resume(run.path, moved), whole)


def test_resume_of_a_frame_needs_the_frame(houses_file: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt, match=r'deepwell.resume\(".*stopped", data\)'):
        train(small_data.houses(), tmp_path, "stopped", At(press_ctrl_c, step=6))
    with pytest.raises(RunError, match="object of Python"):
        deepwell.resume(tmp_path / "stopped")
    assert deepwell.resume(tmp_path / "stopped", small_data.houses()).folder.state == "finished"


def test_resume_without_a_checkpoint_is_refused(houses_file: Path, tmp_path: Path) -> None:
    run = interrupted(houses_file, tmp_path)
    for path in run.checkpoints.iterdir():
        path.unlink()
    with pytest.raises(RunError, match="has no checkpoint"):
        deepwell.resume(run.path)


def test_resume_passes_over_a_torn_checkpoint(
    houses_file: Path, tmp_path: Path, whole: TrainResult, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(houses_file, tmp_path, "stopped", At(press_ctrl_c, step=12))
    newest = sorted((tmp_path / "stopped" / "checkpoints").iterdir())[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    assert_same(deepwell.resume(tmp_path / "stopped"), whole)
    assert "is damaged or incomplete" in caplog.text


def test_early_stopping_survives_a_resume(houses_file: Path, tmp_path: Path) -> None:
    settings = small_data.settings(engine={"epochs": 40, "patience": 2, "learning_rate": 0.02})
    first = deepwell.train(houses_file, "price", name="a", runs=tmp_path, settings=settings)
    assert first.summary["training"]["epochs"] < 40
    with pytest.raises(KeyboardInterrupt):
        deepwell.train(
            houses_file,
            "price",
            name="b",
            runs=tmp_path,
            settings=settings,
            callbacks=[At(press_ctrl_c, epoch=first.summary["training"]["epochs"] - 1)],
        )
    second = deepwell.resume(tmp_path / "b")
    assert second.summary["training"]["best_epoch"] == first.summary["training"]["best_epoch"]
    assert_same(second, first)
