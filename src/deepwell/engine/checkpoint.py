"""Checkpoints: the whole state of a training in one file, written whole or not at all."""

from __future__ import annotations

import json
import logging
import re
import time
import zlib
from collections.abc import Callable, Mapping
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
VERSION = 2
"""Of the files that are written; 1, whose checksum was of the tensors' bytes alone, is read too."""
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
        self._is_swept = False
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
            "checksum": str(_checksum(tensors, state)),
            "state": state,
        }
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise explain_os_error(error, path) from error
        self._sweep()
        with atomic_path(path) as temporary:
            _write(tensors, temporary, metadata)
        # later ones are of another training, and were passed over
        known = [known for known in self.paths() if known <= path]
        for old in known[: -self.keep]:
            old.unlink(missing_ok=True)
        self._saved_at = time.monotonic()
        self._save_seconds = self._saved_at - began

    def _sweep(self) -> None:
        """Delete once what a process left half written that was killed here before."""
        if not self._is_swept:
            for half in self.folder.glob(".step-*.tmp.safetensors"):
                half.unlink(missing_ok=True)
        self._is_swept = True

    def latest(
        self, fits: Callable[[Checkpoint], object] | None = None, *, tells: bool = True
    ) -> Checkpoint | None:
        """Return the newest checkpoint that is whole and fits, or None if the folder has none.

        Args:
            fits: Raises a `RunError` for a checkpoint of another training; None: all fit.
            tells: Warn of those that were passed over; of several processes one does.

        Raises:
            RunError: There are files, but not one of them can be used: what is wrong with the
                newest.
        """
        failure: RunError | None = None
        for path in reversed(self.paths()):
            try:
                checkpoint = read_checkpoint(path)
                if fits is not None:
                    fits(checkpoint)
            except RunError as error:
                failure = failure or error
                continue
            if failure is not None and tells:
                _log.warning("%s The checkpoint before it, %s, is used.", failure, path.name)
            return checkpoint
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
    version = metadata.get("version")
    if version not in ("1", str(VERSION)):
        raise RunError(
            f"The checkpoint {path} has format {version}, and this version of Deepwell reads "
            f"format {VERSION}: resume with the version that wrote it."
        )
    state = metadata.get("state", "")
    checksum = _checksum_of_bytes(tensors) if version == "1" else _checksum(tensors, state)
    try:
        if metadata.get("checksum") == str(checksum):
            return Checkpoint(tensors=tensors, state=json.loads(state))
    except ValueError:  # in a file of format 1
        pass
    raise RunError(f"The checkpoint {path} is damaged: its checksum does not fit.")


def _copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous copies on the processor, which share no memory with anything."""
    return {
        name: tensor.detach().to("cpu", copy=True).contiguous() for name, tensor in tensors.items()
    }


def _checksum(tensors: Mapping[str, Tensor], state: str) -> int:
    """Sum up all that a reader believes: numbers, their types and shapes, and the state."""
    outline = {name: [str(t.dtype), list(t.shape)] for name, t in sorted(tensors.items())}
    text = json.dumps([outline, state])
    return zlib.crc32(text.encode(), _checksum_of_bytes(tensors))


def _checksum_of_bytes(tensors: Mapping[str, Tensor]) -> int:
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
