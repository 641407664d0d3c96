"""The first look at data that are read piece by piece: how many rows, and a sample of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.cells import Locate
from deepwell.data.content import endings, existing
from deepwell.data.memory import PARQUET
from deepwell.data.settings import DataSettings
from deepwell.data.sides import uniform_of
from deepwell.data.stream import CELLS_AT_ONCE, Stream
from deepwell.data.stream_parquet import ParquetStream
from deepwell.data.stream_pictures import PictureStream
from deepwell.data.stream_text import TextStream
from deepwell.data.table import Table
from deepwell.errors import ColumnError, did_you_mean, listing

SAMPLE_ROWS = 200_000
"""Rows of the sample, fewer of tables with many columns."""
SAMPLE_PICTURES = 2_000
RARE_ROWS = 20
"""Of each target value, at least so many of its first rows are in the sample."""
_MOST_VALUES = 1_000
_SAMPLE_STREAM = 7
"""Added to the seed, so that sample and split do not draw the same numbers."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What is known after one pass.

    Args:
        sample: Rows drawn at random, typed, in the order of the file; their ids are their numbers.
        num_rows: Rows of the whole.
        digest: SHA-256 over the content, hexadecimal.
    """

    sample: Table
    num_rows: int
    digest: str


def open_stream(data: str | Path, settings: DataSettings) -> Stream:
    """Open a file or folder that can be read piece by piece (see `memory.is_streamable`).

    Raises:
        FileFormatError: It is missing, empty or damaged.
    """
    path = existing(data)
    if path.is_dir():
        return PictureStream(path, settings)
    if endings(path)[0] in PARQUET:
        return ParquetStream(path, settings)
    return TextStream(path, settings)


def survey(stream: Stream, targets: Sequence[str], *, seed: int) -> Survey:
    """Read all rows once, and keep a sample from which schema and encoders are made.

    The sample holds each row with the same chance, and beyond that the first rows of rare target
    values, so that no class is unknown.

    Args:
        stream: The data.
        targets: The target columns.
        seed: Same seed, same sample.

    Raises:
        DataError: The data cannot be read, or a target does not exist.
    """
    is_folder = stream.path.is_dir()
    collector, rare, num_rows = _Collector(SAMPLE_ROWS, seed), _RareValues(), 0
    for chunk in stream.chunks():
        frame = chunk.frame
        if not num_rows:
            _require(targets, frame.columns)
            most = SAMPLE_PICTURES if is_folder else CELLS_AT_ONCE * 4 // frame.width
            collector.most = min(SAMPLE_ROWS, max(most, 1_000))
        collector.add(frame, chunk.start, rare.of(frame, targets))
        num_rows = chunk.start + frame.height
    frame, ids = collector.result()
    table = stream.settle(frame, _place(ids, stream.path.name))
    # pictures that cannot be read are gone: their positions are the table's ids
    ids = ids[table.ids] if is_folder else ids
    return Survey(Table(table.columns, ids=ids), num_rows, stream.digest())


class _Collector:
    """Keeps about `most` rows of a table of unknown length, each with the same chance."""

    def __init__(self, most: int, seed: int) -> None:
        self.most = most
        self._seed = seed + _SAMPLE_STREAM
        self._limit = 1.0
        self._parts: list[pl.DataFrame] = []
        self._ids: list[NDArray[np.int64]] = []
        self._draws: list[NDArray[np.float64]] = []

    def add(self, frame: pl.DataFrame, start: int, always: NDArray[np.bool_]) -> None:
        """Look at further rows; those of `always` are kept in any case."""
        ids = np.arange(start, start + frame.height, dtype=np.int64)
        draws = uniform_of(ids, self._seed)
        draws[always] = -1.0
        keep = draws < self._limit
        self._parts.append(frame.filter(pl.Series(keep)))
        self._ids.append(ids[keep])
        self._draws.append(draws[keep])
        if sum(len(part) for part in self._ids) > 2 * self.most:
            self._shrink()

    def _shrink(self) -> None:
        draws = np.concatenate(self._draws)
        if len(draws) <= self.most:
            return
        self._limit = max(float(np.partition(draws, self.most)[self.most]), 1e-12)
        keep = draws < self._limit
        self._parts = [pl.concat(self._parts).filter(pl.Series(keep))]
        self._ids = [np.concatenate(self._ids)[keep]]
        self._draws = [draws[keep]]

    def result(self) -> tuple[pl.DataFrame, NDArray[np.int64]]:
        """Return the rows that were kept, and their numbers."""
        self._shrink()
        return pl.concat(self._parts), np.concatenate(self._ids)


@dataclass(slots=True)
class _RareValues:
    """Finds the first rows of each target value, while there are few values."""

    counts: dict[str, dict[object, int]] = field(default_factory=dict[str, dict[object, int]])
    given_up: set[str] = field(default_factory=set[str])

    def of(self, frame: pl.DataFrame, targets: Sequence[str]) -> NDArray[np.bool_]:
        """Return a mask of the first `RARE_ROWS` rows of each target value."""
        mask = np.zeros(frame.height, dtype=np.bool_)
        for name in targets:
            if name in frame.columns and name not in self.given_up:
                mask |= self._of(frame[name])
        return mask

    def _of(self, column: pl.Series) -> NDArray[np.bool_]:
        counts = self.counts.setdefault(column.name, {})
        mask = np.zeros(len(column), dtype=np.bool_)
        if column.n_unique() > _MOST_VALUES or column.dtype.is_nested():
            self.given_up.add(column.name)
            return mask
        found = list(column.value_counts(name="how many").iter_rows())
        few = [v for v, _ in found if v is not None and counts.get(v, 0) < RARE_ROWS]
        for value in few:
            rows = (column == value).arg_true()[: RARE_ROWS - counts.get(value, 0)]
            mask[rows.to_numpy()] = True
        for value, count in found:
            counts[value] = min(RARE_ROWS, counts.get(value, 0) + int(count))
        if len(counts) > _MOST_VALUES:
            self.given_up.add(column.name)
        return mask


def _require(targets: Sequence[str], names: Sequence[str]) -> None:
    for name in targets:
        if name not in names:
            raise ColumnError(
                f'There is no column "{name}".{did_you_mean(name, names)} '
                f"Columns: {listing(names)}."
            )


def _place(ids: NDArray[np.int64], name: str) -> Locate:
    return lambda row: f"row {int(ids[row]) + 1} of {name}"
