"""Writing: follows the checkpoint that a thread writes, and tells callbacks when it is complete."""

from __future__ import annotations

import logging
from pathlib import Path

from deepwell.engine.callbacks import Callbacks, TrainState
from deepwell.engine.checkpoint import Checkpoints
from deepwell.errors import OutputError

_log = logging.getLogger(__name__)


class Writing:
    """The checkpoint of a training that is under way, if any.

    Args:
        checkpoints: Of the training, or None.
        callbacks: Told in the training's own thread when a checkpoint is complete.

    Example:
        >>> writing = Writing(None, Callbacks(()))
        >>> writing.end()
    """

    def __init__(self, checkpoints: Checkpoints | None, callbacks: Callbacks) -> None:
        self._checkpoints = checkpoints
        self._callbacks = callbacks
        self._pending: tuple[TrainState, Path] | None = None

    def begin(self, state: TrainState, path: Path) -> None:
        """Remember what is being written."""
        self._pending = (state, path)

    def look(self) -> None:
        """Do what `end` does if the checkpoint is over; do not wait for it."""
        if self._pending is not None and self._checkpoints and not self._checkpoints.is_writing:
            self.end()

    def end(self) -> None:
        """Wait for the checkpoint, and tell the callbacks that it is complete.

        Raises:
            OutputError: It could not be written.
        """
        pending, self._pending = self._pending, None
        if pending is not None and self._checkpoints is not None:
            self._checkpoints.wait()
            self._callbacks.checkpoint_saved(*pending)

    def give_up(self) -> None:
        """Wait for the checkpoint where another error ends the training and matters more."""
        try:
            self.end()
        except OutputError as error:
            _log.warning("%s", error)
