"""Checkpoints: the whole state of a training in one file, written whole or not at all."""

from __future__ import annotations

import json
import logging
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from deepwell.engine.background import Background
from deepwell.errors import RunError
from deepwell.files import atomic_path, explain_os_error

FORMAT = "deepwell checkpoint"
VERSION = 1
_NAME = re.compile(r"step-(\d+)\.safetensors")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a file holds.

    Args:
        tensors: Name to tensor, on the processor: weights, best weights, optimizer, random state.
        state: Plain JSON: counters, history, running sums, settings.
    """

    tensors: dict[str, Tensor]
    state: dict[str, Any]


class Checkpoints:
    """The checkpoints of one training in a folder: the newest few, each complete in itself.

    Each file holds the last weights and the best ones, the optimizer, random states and counters,
    as tensors and JSON; there is no pickle in it. A damaged newest file is passed over in favour
    of the one before. A training only copies its state; a thread writes the copy, one at a time.

    Args:
        folder: Made when the first checkpoint is saved.
        keep: How many files stay.
        resume: Whether `fit` goes on from the latest file. Without it, a folder that holds
            checkpoints already is refused.

    Example:
        >>> import tempfile
        >>> checkpoints = Checkpoints(tempfile.mkdtemp())
        >>> path = checkpoints.save(7, {"weight": torch.ones(2)}, {"epoch": 1})
        >>> path.name
        'step-0000000007.safetensors'
        >>> checkpoints.latest().state
        {'epoch': 1}
    """

    def __init__(self, folder: str | Path, *, keep: int = 2, resume: bool = False) -> None:
        self.folder = Path(folder)
        self.resume = resume
        self.keep = max(1, keep)
        self._saved_at = float("-inf")
        self._save_seconds = 0.0
        self._background = Background()

    @property
    def is_due(self) -> bool:
        """Whether saving now would take at most 5 % of the time since the last time, or a minute.

        Short epochs would otherwise spend more time on the disk than on learning. Nothing is due
        while a checkpoint is being written.
        """
        if self._background.is_busy:
            return False
        since = time.monotonic() - self._saved_at
        return since >= min(20 * self._save_seconds, 60.0)

    def paths(self) -> list[Path]:
        """Return the files, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if _NAME.fullmatch(path.name))

    def save(
        self,
        step: int,
        tensors: Mapping[str, Tensor],
        state: Mapping[str, Any],
        *,
        is_writer: bool = True,
    ) -> Path:
        """Write a checkpoint and delete those that are too old.

        Args:
            step: Optimizer steps done; names the file.
            tensors: May lie on any device and in any layout.
            state: Plain JSON.
            is_writer: Whether this process writes; of several, only one does.

        Raises:
            OutputError: No permission, or the disk is full. Earlier checkpoints stay.
        """
        path = self.begin(step, tensors, state, is_writer=is_writer)
        self.wait()
        return path

    def begin(
        self,
        step: int,
        tensors: Mapping[str, Tensor],
        state: Mapping[str, Any],
        *,
        is_writer: bool = True,
    ) -> Path:
        """Copy a state, let a thread write it, and return where the checkpoint will be.

        What is trained may change as soon as this returns. The checkpoint before is waited for.

        Args:
            step: Optimizer steps done; names the file.
            tensors: May lie on any device and in any layout.
            state: Plain JSON.
            is_writer: Whether this process writes; of several, only one does.

        Raises:
            OutputError: The checkpoint before could not be written.
        """
        self.wait()
        began = time.monotonic()
        path = self.folder / f"step-{step:010d}.safetensors"
        if not is_writer:
            return path
        copies, text = _copies(tensors), json.dumps(state)
        self._background.start(lambda: self._finish(path, copies, text, began))
        return path

    @property
    def is_writing(self) -> bool:
        """Whether a checkpoint is being written right now."""
        return self._background.is_busy

    def wait(self) -> None:
        """Wait until the checkpoint that is being written is complete.

        Raises:
            OutputError: It could not be written. Earlier checkpoints stay.
        """
        self._background.wait()

    def _finish(self, path: Path, tensors: dict[str, Tensor], state: str, began: float) -> None:
        """Write what was copied; runs in the thread."""
        metadata = {
            "format": FORMAT,
            "version": str(VERSION),
            "checksum": str(_checksum(tensors)),
            "state": state,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, path) from error
        with atomic_path(path) as temporary:
            _write(tensors, temporary, metadata)
        for old in self.paths()[: -self.keep]:
            old.unlink(missing_ok=True)
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def latest(self) -> Checkpoint | None:
        """Return the newest checkpoint that is whole, or None if the folder has none.

        Raises:
            RunError: There are files, but not one of them can be used.
        """
        failure: RunError | None = None
        for path in reversed(self.paths()):
            try:
                return read_checkpoint(path)
            except RunError as error:
                _log.warning("%s The checkpoint before it is used.", error)
                failure = failure or error
        if failure is not None:
            raise failure
        return None


def read_checkpoint(path: Path) -> Checkpoint:
    """Read one file, and check that it is whole.

    Raises:
        RunError: The file is torn, changed, of a newer format, or no checkpoint at all.
    """
    try:
        with safe_open(path, framework="pt", device="cpu") as file:
            metadata = dict(file.metadata() or {})
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"The checkpoint {path} is damaged or incomplete: {error}.") from error
    if metadata.get("format") != FORMAT:
        raise RunError(f"{path} was not written by Deepwell: it is no checkpoint of a training.")
    if metadata.get("version") != str(VERSION):
        raise RunError(
            f"The checkpoint {path} has format {metadata.get('version')}, and this version of "
            f"Deepwell reads format {VERSION}: resume with the version that wrote it."
        )
    if metadata.get("checksum") != str(_checksum(tensors)):
        raise RunError(f"The checkpoint {path} is damaged: its checksum does not fit.")
    return Checkpoint(tensors=tensors, state=json.loads(metadata["state"]))


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous copies on the processor, which share no memory with anything."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }


def _checksum(tensors: Mapping[str, Tensor]) -> int:
    checksum = 0
    for name in sorted(tensors):
        checksum = zlib.crc32(name.encode(), checksum)
        data = tensors[name].reshape(-1).view(torch.uint8).numpy().data
        checksum = zlib.crc32(data, checksum)
    return checksum


def _write(tensors: dict[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    try:
        save_file(tensors, path, metadata=metadata)
    except SafetensorError as error:
        # the writer hides the number of the operating system's error in its text
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else 0, str(error)) from error
