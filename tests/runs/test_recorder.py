"""Notes and metrics are written as they come, and once."""

import json
from pathlib import Path

from deepwell.engine import TrainState
from deepwell.runs.recorder import Recorder


def _state(step: int) -> TrainState:
    return TrainState(
        epoch=1, epochs=2, step=step, total_steps=9, micro_step=step, samples=step, seconds=0.1,
        learning_rate=0.1, loss=0.5, record=None, best_epoch=None, best_value=None,
        monitor="loss", precision="", device="cpu", stopped=None, notes=("Look here.",),
    )  # fmt: skip


def _lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_notes_are_written_once_however_often_a_training_begins(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    note = {"kind": "note", "step": 0, "text": "Look here."}
    for step in (0, 0):
        recorder = Recorder(path)
        recorder.on_fit_started(_state(step))
        assert _lines(path) == [note]
    recorder.on_step_logged(_state(3))
    recorder.on_step_logged(_state(4))
    resumed = Recorder(path)
    resumed.on_fit_started(_state(3))
    assert [line["step"] for line in _lines(path)] == [0, 3]
    assert _lines(path)[0] == note
