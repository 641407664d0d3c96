"""Checkpoints are written behind the training's back, one at a time, and never lost silently."""

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from pathlib import Path

import pytest
import torch
from engine_fakes import Classify, Listener, engine, mlp, same, train_rows, val_rows, weights

from deepwell.engine import Callback, Checkpoints, checkpoint, fit
from deepwell.engine.background import Background
from deepwell.errors import OutputError


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Generator[threading.Event]:
    """Lets a write go on only when it is set."""
    event, write = threading.Event(), checkpoint._write

    def wait_and_write(*args: object) -> None:
        assert event.wait(20)
        write(*args)

    monkeypatch.setattr(checkpoint, "_write", wait_and_write)
    yield event
    event.set()


def test_what_is_saved_is_the_state_at_the_call(tmp_path: Path, gate: threading.Event):
    checkpoints, weight = Checkpoints(tmp_path), torch.ones(3)
    checkpoints.begin(1, {"weight": weight}, {"step": 1})
    weight.zero_()
    assert checkpoints.is_writing
    assert not checkpoints.is_due
    assert checkpoints.paths() == []
    gate.set()
    checkpoints.wait()
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.tensors["weight"].tolist() == [1, 1, 1]


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path: Path, gate: threading.Event):
    steps_meanwhile: list[int] = []

    class Watch(Callback):
        def on_step_logged(self, state: object) -> None:
            if checkpoints.is_writing:
                steps_meanwhile.append(state.step)  # type: ignore[attr-defined]
            if state.step == 7:  # type: ignore[attr-defined]
                gate.set()  # the next checkpoint, at step 8, waits for this one

    checkpoints, listener, model = Checkpoints(tmp_path, keep=9), Listener(), mlp()
    fit(
        model, Classify(), train_rows(), settings=engine(epochs=3, checkpoint_every=4),
        callbacks=[Watch(), listener], checkpoints=checkpoints,
    )  # fmt: skip
    assert {5, 6, 7} <= set(steps_meanwhile)
    other = mlp()
    fit(other, Classify(), train_rows(), settings=engine(epochs=3))
    assert same(weights(model), weights(other))
    told = [(s.step, p.name) for (e, s), p in zip(
        [pair for pair in listener.events if pair[0] == "checkpoint_saved"], listener.paths,
        strict=True,
    )]  # fmt: skip
    assert told
    assert all(name == f"step-{step:010d}.safetensors" for step, name in told)
    assert [path.name for path in checkpoints.paths()] == [name for _, name in told]
    assert listener.events[-1][0] == "fit_ended"


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_of_the_writer_ends_the_training_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checkpoint, "_write", _full)
    listener = Listener()
    with pytest.raises(OutputError, match="No space left"):
        fit(
            mlp(), Classify(), train_rows(), settings=engine(epochs=50, checkpoint_every=2),
            callbacks=[listener], checkpoints=Checkpoints(tmp_path),
        )  # fmt: skip
    # the next checkpoint is the last moment at which it can stay unnoticed
    assert max(state.step for _, state in listener.events) <= 4
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_the_last_checkpoint_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(checkpoint, "_write", _full)
    with pytest.raises(OutputError, match="No space left"):
        fit(
            mlp(), Classify(), train_rows(), settings=engine(epochs=1),
            checkpoints=Checkpoints(tmp_path),
        )  # fmt: skip


def test_another_error_goes_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    gate = threading.Event()

    def wait_and_fail(*_: object) -> None:
        assert gate.wait(20)
        _full()

    class Fail(Callback):
        def on_checkpoint_saved(self, state: object, path: Path) -> None:
            raise AssertionError("nothing was saved")

        def on_step_logged(self, state: object) -> None:
            if state.step == 2:  # type: ignore[attr-defined]
                gate.set()
                raise ValueError("a fault of a callback")

    monkeypatch.setattr(checkpoint, "_write", wait_and_fail)
    with pytest.raises(ValueError, match="a fault"):
        fit(
            mlp(), Classify(), train_rows(), settings=engine(checkpoint_every=1),
            callbacks=[Fail()], checkpoints=Checkpoints(tmp_path),
        )  # fmt: skip
    assert "No space left" in caplog.text


def test_background_raises_once_and_goes_on():
    background, done = Background(), []
    background.start(_full)
    with pytest.raises(OSError, match="No space"):
        background.wait()
    background.wait()
    background.start(lambda: done.append(1))
    background.wait()
    assert done == [1]


KILLED = """
import os, signal, sys, torch
from deepwell.engine import Checkpoints, checkpoint
checkpoints = Checkpoints(sys.argv[1])
checkpoints.save(1, {"w": torch.ones(4)}, {"step": 1})
def half(tensors, path, metadata):
    path.write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
checkpoint._write = half
checkpoints.begin(2, {"w": torch.zeros(4)}, {"step": 2})
checkpoints.wait()
"""


def test_a_kill_while_writing_leaves_the_one_before(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)], env=os.environ, check=False
    )
    assert done.returncode == -signal.SIGKILL
    latest = Checkpoints(tmp_path).latest()
    assert latest is not None
    assert latest.state == {"step": 1}


def test_the_best_weights_are_in_each_checkpoint(tmp_path: Path):
    checkpoints = Checkpoints(tmp_path, keep=3)
    settings = engine(epochs=6, learning_rate=0.5, optimizer="sgd", checkpoint_every=4)
    result = fit(
        mlp(), Classify(), train_rows(), val_batches=val_rows(), settings=settings,
        checkpoints=checkpoints,
    )  # fmt: skip
    assert len(checkpoints.paths()) == 3
    latest = checkpoints.latest()
    assert latest is not None
    assert latest.state["best"] == {
        "epoch": result.best_epoch,
        "value": result.history[result.best_epoch - 1]["val"]["loss"],
        "is_kept": True,
    }
