"""Batches out of files: rows that do not fit in memory, read ahead in large pieces."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepwell.engine.batches import AUGMENT_STREAM, ORDER_STREAM, Augmentation, seeded
from deepwell.engine.read_ahead import ReadAhead
from deepwell.errors import DataError
from deepwell.types import Batch, StoredBlock, StoredRows

WINDOW_BYTES = 48 << 20
"""Rows that are in memory at once and dealt among each other; another such piece is read ahead."""
PIECES = 16
"""Places of the files from which a window is put together."""


class MappedBatches:
    """Batches out of ``.npy`` files, for data larger than memory.

    Rows are read in windows. With `shuffle` a window is put together from pieces at random places
    of the files, and its rows are dealt anew; both depend on (seed, epoch) alone, so an epoch can
    be entered at any batch. If all rows fit in one window the order is that of `TensorBatches`, and
    so are the batches, bit for bit. A thread reads the next window while one is used: two are in
    memory. Files are read, not mapped: pages of a map would count as memory of the process.

    Args:
        rows: The files.
        batch_size: Rows in a batch.
        shuffle: Whether to deal the rows anew in each epoch.
        seed: Of order and augmentation.
        augment: Changes the inputs of each batch, see `TensorBatches`.
        window_bytes: Size of a window; None: 48 MiB.

    Raises:
        DataError: No rows, lengths that differ, or a file that is no array.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name, array in (("x", np.ones((5, 2), np.float32)), ("y", np.arange(5))):
        ...     np.save(folder / f"{name}.npy", array)
        >>> block = StoredBlock(paths=(folder / "x.npy",), dtype="float32")
        >>> rows = StoredRows(inputs=(block,), targets=folder / "y.npy", ids=folder / "y.npy")
        >>> [batch.targets.tolist() for batch in MappedBatches(rows, batch_size=2)]
        [[0, 1], [2, 3, 4]]
    """

    def __init__(
        self,
        rows: StoredRows,
        *,
        batch_size: int = 128,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augmentation | None = None,
        window_bytes: int | None = None,
    ) -> None:
        self._stored = rows
        self._files = _open(rows)
        self.rows = self._files["targets"].rows
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.augment = augment
        self.window_bytes = WINDOW_BYTES if window_bytes is None else window_bytes
        self._check()
        left_over = self.rows % batch_size
        joins = left_over == 1 and self.rows > 1
        self._num_batches = self.rows // batch_size + (1 if left_over and not joins else 0)
        row_bytes = sum(file.row_bytes for file in self._files.values())
        self._batches_in_window = max(1, self.window_bytes // max(1, row_bytes * batch_size))
        self._device = torch.device("cpu")
        self._is_channels_last = False

    def _check(self) -> None:
        if self.rows == 0:
            raise DataError("There is no row to make batches of.")
        if self.batch_size < 1:
            raise DataError(f"A batch needs at least one row. Got: batch_size={self.batch_size}.")
        if self.seed < 0:
            raise DataError(f"A seed must be 0 or more. Got: seed={self.seed}.")
        for name, file in self._files.items():
            if file.rows != self.rows:
                raise DataError(
                    "Inputs, targets, weight and ids must have the same number of rows. "
                    f"Got: {self.rows} targets and {file.rows} rows of {name}."
                )

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def to(self, device: torch.device | str, *, channels_last: bool = False) -> MappedBatches:
        """Return the same batches for another device.

        Args:
            device: Where windows are put once they are read.
            channels_last: Whether 4-dimensional inputs come out in the layout that
                convolutions like best. Shapes and numbers do not change.
        """
        moved = MappedBatches(
            self._stored,
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            augment=self.augment,
            window_bytes=self.window_bytes,
        )
        moved._device = torch.device(device)
        moved._is_channels_last = channels_last or self._is_channels_last
        return moved

    def epoch(self, epoch: int, *, start: int = 0) -> Generator[Batch]:
        """Yield the batches of one epoch from position `start` on.

        Args:
            epoch: 0, 1, …
            start: How many batches to leave out.
        """
        size = self._batches_in_window
        plan = _Plan(self, epoch)
        numbers = range(start // size, -(-len(self) // size))
        with ReadAhead(plan.read, numbers) as windows:
            for number, window in zip(numbers, windows, strict=True):
                parts = {n: part.to(self._device, non_blocking=True) for n, part in window.items()}
                first = number * size
                for index in range(max(start, first), min(first + size, len(self))):
                    yield self._batch(parts, epoch, index, first)
                del parts, window  # before the thread begins the one after the next

    def _batch(self, parts: dict[str, Tensor], epoch: int, index: int, first: int) -> Batch:
        begin = (index - first) * self.batch_size
        # the last batch of the epoch takes all that is left
        end = begin + self.batch_size if index < len(self) - 1 else None
        taken = parts["order"][begin:end] if "order" in parts else slice(begin, end)
        inputs = tuple(
            self._block(parts, number, block, taken)
            for number, block in enumerate(self._stored.inputs)
        )
        weight = _rows(parts["weight"], taken).float() if "weight" in parts else None
        targets, ids = _rows(parts["targets"], taken), _rows(parts["ids"], taken)
        if self.augment is not None:
            generator = seeded(self.seed, epoch, AUGMENT_STREAM, index)
            inputs = self.augment(inputs, generator)
        return Batch(inputs, targets, weight, ids)

    def _block(
        self, parts: dict[str, Tensor], number: int, block: StoredBlock, taken: slice | Tensor
    ) -> Tensor:
        dtype = _DTYPES[block.dtype]
        pieces = [
            _rows(parts[f"input {number}.{piece}"], taken).to(dtype)
            for piece in range(len(block.paths))
        ]
        joined = pieces[0] if len(pieces) == 1 else torch.cat(pieces, dim=1)
        if block.order is not None:
            joined = joined.index_select(1, torch.tensor(block.order, device=joined.device))
        if self._is_channels_last and joined.ndim == 4:
            joined = joined.contiguous(memory_format=torch.channels_last)
        return joined

    def window_rows(self, number: int) -> range:
        """Return the places in the order of an epoch that a window holds."""
        size = self._batches_in_window * self.batch_size
        is_last = (number + 1) * self._batches_in_window >= len(self)
        return range(number * size, self.rows if is_last else (number + 1) * size)

    @property
    def files(self) -> dict[str, ArrayFile]:
        """The files, by the part of a batch that they hold."""
        return self._files


class _Plan:
    """Where the rows of one epoch stand in the files."""

    def __init__(self, batches: MappedBatches, epoch: int) -> None:
        self._batches = batches
        self._epoch = epoch
        window = len(batches.window_rows(0))
        self._is_whole = window == batches.rows
        if batches.shuffle and not self._is_whole:
            piece = max(1, window // PIECES)
            starts = torch.arange(0, batches.rows, piece)
            generator = seeded(batches.seed, epoch, ORDER_STREAM)
            starts = starts[torch.randperm(len(starts), generator=generator)].numpy()
        else:
            piece, starts = batches.rows, np.zeros(1, dtype=np.int64)
        self._starts = starts
        self._lengths = np.minimum(piece, batches.rows - starts)
        self._ends = np.cumsum(self._lengths)

    def read(self, number: int) -> dict[str, Tensor]:
        """Read one window: the rows of each file as they stand, and the order to take them in."""
        batches, rows = self._batches, self._batches.window_rows(number)
        places = self._places(rows)
        window = {
            name: torch.from_numpy(file.read(places, len(rows)))
            for name, file in batches.files.items()
        }
        if batches.shuffle:
            # one window: the very order of TensorBatches
            which = () if self._is_whole else (1 + number,)
            generator = seeded(batches.seed, self._epoch, ORDER_STREAM, *which)
            window["order"] = torch.randperm(len(rows), generator=generator)
        return window

    def _places(self, rows: range) -> list[tuple[int, int]]:
        """Return (first row, number of rows) of each piece of the files."""
        places: list[tuple[int, int]] = []
        index = int(np.searchsorted(self._ends, rows.start, side="right"))
        at = rows.start
        while at < rows.stop:
            before = int(self._ends[index] - self._lengths[index])
            stop = min(rows.stop, int(self._ends[index]))
            places.append((int(self._starts[index]) + at - before, stop - at))
            at, index = stop, index + 1
        return places


@dataclass(frozen=True, slots=True)
class ArrayFile:
    """An ``.npy`` file that is read in pieces."""

    path: Path
    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]

    @classmethod
    def open(cls, path: Path) -> ArrayFile:
        """Read the header.

        Raises:
            DataError: It is missing, or no array.
        """
        try:
            with path.open("rb") as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read = np.lib.format.read_array_header_2_0
                shape, is_fortran, dtype = read(stream)
                offset = stream.tell()
        except (OSError, ValueError) as error:
            raise DataError(
                f"{path} is missing or damaged: start again to write it anew."
            ) from error
        if is_fortran or not shape or dtype.hasobject:
            raise DataError(f"{path} is no array of rows: start again to write it anew.")
        return cls(path, offset, dtype, shape)

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.shape[0]

    @property
    def row_bytes(self) -> int:
        """Size of a row."""
        return self.dtype.itemsize * int(np.prod(self.shape[1:]))

    def read(self, places: list[tuple[int, int]], rows: int) -> NDArray[Any]:
        """Return the rows at several places one after the other.

        Args:
            places: First row and number of rows of each.
            rows: Their sum.

        Raises:
            DataError: The file is shorter than its header says, or gone.
        """
        out = np.empty((rows, *self.shape[1:]), dtype=self.dtype)
        room, at = out.reshape(-1).view(np.uint8).data, 0
        try:
            with self.path.open("rb", buffering=0) as stream:
                for first, count in places:
                    stream.seek(self.offset + first * self.row_bytes)
                    end = at + count * self.row_bytes
                    while at < end:
                        read = stream.readinto(room[at:end])
                        if not read:
                            raise DataError(f"{self.path} is torn: start again to write it anew.")
                        at += read
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise DataError(f"{self.path} cannot be read: {reason}.") from error
        return out


_DTYPES = {"float32": torch.float32, "int64": torch.int64, "uint8": torch.uint8}


def _open(rows: StoredRows) -> dict[str, ArrayFile]:
    files = {
        f"input {number}.{piece}": ArrayFile.open(path)
        for number, block in enumerate(rows.inputs)
        for piece, path in enumerate(block.paths)
    }
    files |= {"targets": ArrayFile.open(rows.targets), "ids": ArrayFile.open(rows.ids)}
    if rows.weight is not None:
        files["weight"] = ArrayFile.open(rows.weight)
    return files


def _rows(part: Tensor, taken: slice | Tensor) -> Tensor:
    return part[taken] if isinstance(taken, slice) else part.index_select(0, taken)
