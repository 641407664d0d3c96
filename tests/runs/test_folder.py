from pathlib import Path

import numpy as np
import pytest

from deepwell.engine.callbacks import TrainState
from deepwell.errors import OutputError, RunError
from deepwell.runs import Recorder, RunFolder


def state(step: int, **changes: object) -> TrainState:
    values: dict[str, object] = {
        "epoch": 1, "epochs": 2, "step": step, "total_steps": 10, "micro_step": step,
        "samples": step, "seconds": 1.0, "learning_rate": 0.1, "loss": 0.5, "record": None,
        "best_epoch": None, "best_value": None, "monitor": "loss", "precision": "", "device": "cpu",
        "stopped": None,
    }  # fmt: skip
    return TrainState(**{**values, **changes})


def test_fallback_names_are_numbered_and_made_safe(tmp_path: Path) -> None:
    names = [RunFolder.create(tmp_path, None, fallback="a b/c").path.name for _ in range(3)]
    assert names == ["a-b-c", "a-b-c-2", "a-b-c-3"]


def test_a_chosen_name_must_be_free(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "mine", fallback="x")
    with pytest.raises(RunError, match="exists already"):
        RunFolder.create(tmp_path, "mine", fallback="x")


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_a_name_must_be_a_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(RunError, match="cannot be the name"):
        RunFolder.create(tmp_path, name, fallback="x")


def test_runs_below_a_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        RunFolder.create(tmp_path / "file", None, fallback="x")


def test_open_suggests_a_neighbour(tmp_path: Path) -> None:
    RunFolder.create(tmp_path, "houses", fallback="x").set_state("running")
    with pytest.raises(RunError, match=r'Did you mean ".*houses"'):
        RunFolder.open(tmp_path / "huoses")
    assert RunFolder.open(tmp_path / "houses").state == "running"


def test_splits_and_config_round_trip(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "r", fallback="x")
    ids = {"train": np.array([5, 1]), "val": np.array([7]), "test": np.array([], dtype=np.int64)}
    run.write_splits(ids)
    assert {n: r.tolist() for n, r in run.read_splits().items()} == {
        "train": [5, 1],
        "val": [7],
        "test": [],
    }
    run.write_config({"a": None, "b": {"c": (1, 2), "d": None}})
    assert run.read_config() == {"b": {"c": [1, 2]}}


def test_a_resumed_recorder_drops_what_is_done_again(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path, "r", fallback="x")
    recorder = Recorder(run.metrics)
    for step in (2, 4, 6):
        recorder.on_step_logged(state(step))
    recorder.on_epoch_ended(state(6, record={"epoch": 1, "step": 6, "best": True}))
    with run.metrics.open("a") as stream:
        stream.write('{"torn')
    assert len(run.read_metrics()) == 4
    recorder.on_fit_started(state(4))
    recorder.on_step_logged(state(6, loss=0.25))
    lines = run.read_metrics()
    assert [(line["kind"], line["step"]) for line in lines] == [
        ("step", 2),
        ("step", 4),
        ("step", 6),
    ]
    assert lines[-1]["loss"] == 0.25
