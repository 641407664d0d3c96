"""TensorBoard: curves in a folder that `tensorboard --logdir runs` shows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepwell.engine.loggers.base import End, Logger, Subject, flat


class TensorBoardLogger(Logger):
    """Writes event files into the folder ``tensorboard`` of a run.

    Args:
        subject: What is logged.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        self._writer: Any = None
        name = "tensorboard"
        if subject.is_whole:  # no run folder: each training gets a place of its own
            name = f"{subject.name}-{time.strftime('%Y%m%d-%H%M%S')}"
        self.folder = subject.folder / name

    def place(self) -> dict[str, Any]:
        """Return the folder and the command that shows it."""
        shown = f"tensorboard --logdir {self.subject.folder}"
        return {"folder": str(self.folder), "show": shown}

    def open(self, step: int) -> None:
        """Begin; events of steps that are made again are dropped."""
        from torch.utils.tensorboard import SummaryWriter  # pyright: ignore

        self._writer = SummaryWriter(str(self.folder), purge_step=step + 1 if step else None)
        if step == 0:
            rows = [f"| {name} | {value} |" for name, value in flat(self.subject.settings).items()]
            table = "\n".join(["| setting | value |", "| --- | --- |", *rows])
            self._writer.add_text("settings", table)

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def log_results(self, values: Mapping[str, float], artifacts: Sequence[Path] = ()) -> None:
        """Write the scores on the test rows; files stay where they are, in the run folder."""
        for name, value in values.items():
            self._writer.add_scalar(f"test/{name}", value)
        self._writer.flush()

    def end(self, how: End) -> None:
        """Close the files."""
        self._writer.close()
