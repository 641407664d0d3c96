"""The recorder: a callback that writes metrics as they come."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deepwell.engine.callbacks import Callback, TrainState
from deepwell.files import explain_os_error, write_text


class Recorder(Callback):
    """Writes one JSON object a logged step and an epoch; every line is complete when written.

    Lines have a `kind`: a step has `step`, `epoch`, `loss` and `learning_rate`; an epoch has what
    `FitResult.history` says about it; a look at the layers (kind "health") what `FitResult.health`
    says; a note has `step` and `text`. A resumed training drops the
    lines of steps that it makes again, and goes on below the others.

    Args:
        path: The file, one JSON object a line.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._health_until = 0

    def on_fit_started(self, state: TrainState) -> None:
        """Forget what a resumed training will do again, and write the notes of a new one."""
        if self.path.is_file():
            kept = _lines_until(self.path, state.step)
            write_text(self.path, "".join(kept))
            self._health_until = _last_look(kept)
        if state.step == 0:
            for note in state.notes:
                self.append({"kind": "note", "step": 0, "text": note})

    def on_step_logged(self, state: TrainState) -> None:
        """Write the running loss."""
        self._write_health(state)
        self.append(
            {
                "kind": "step",
                "step": state.step,
                "epoch": state.epoch,
                "loss": state.loss,
                "learning_rate": state.learning_rate,
            }
        )

    def on_epoch_ended(self, state: TrainState) -> None:
        """Write the scores of the epoch."""
        self._write_health(state)
        if state.record is not None:
            self.append({"kind": "epoch", **state.record})

    def on_fit_ended(self, state: TrainState) -> None:
        """Write what was seen since the last event."""
        self._write_health(state)

    def _write_health(self, state: TrainState) -> None:
        for line in state.health:
            if line["step"] > self._health_until:
                self.append(dict(line))
                self._health_until = line["step"]

    def append(self, line: dict[str, Any]) -> None:
        """Write a line."""
        try:
            with self.path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            raise explain_os_error(error, self.path) from error


def _last_look(lines: Sequence[str]) -> int:
    """Return the step of the last look at the layers."""
    found = [json.loads(line) for line in lines]
    return max((line["step"] for line in found if line["kind"] == "health"), default=0)


def _lines_until(path: Path, step: int) -> list[str]:
    """Return the complete lines of steps that are done."""
    kept: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            found = json.loads(line)
            is_done = found["step"] <= step and (step > 0 or found["kind"] != "note")
        except (json.JSONDecodeError, KeyError):
            break
        if is_done:
            kept.append(line + "\n")
    return kept
