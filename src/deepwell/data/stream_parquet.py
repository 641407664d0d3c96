"""Parquet piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from deepwell.data.cells import Locate
from deepwell.data.column_names import clean_names
from deepwell.data.declared import row_of, tidy
from deepwell.data.settings import DataSettings
from deepwell.data.stream import CELLS_AT_ONCE, Chunk, Types, as_settled, guarded
from deepwell.data.table import Table
from deepwell.errors import FileFormatError
from deepwell.files import sha256


class ParquetStream:
    """A Parquet file.

    Args:
        path: The file.
        settings: Kinds, ignored columns.
        rows: Rows that are read at once; None: about two million values.

    Raises:
        FileFormatError: Not a Parquet file, or without columns or rows.
    """

    def __init__(self, path: Path, settings: DataSettings, *, rows: int | None = None) -> None:
        self.path = path
        self.notes: list[str] = []
        self.target: tuple[str, ...] | None = None
        self._settings = settings
        self._types: Types = {}
        self._lazy = pl.scan_parquet(path)
        try:
            columns = self._lazy.collect_schema().names()
            self._count = int(self._lazy.select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _damaged(path, error) from error
        if not columns or not self._count:
            lacking = "rows" if columns else "columns"
            raise FileFormatError(f"{path.name} has no {lacking}: there is nothing to learn from.")
        clean_names(columns, path.name)
        self._rows = rows or max(1, CELLS_AT_ONCE // len(columns))

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return sha256(self.path)

    def chunks(self) -> Iterator[Chunk]:
        """Return all rows.

        Raises:
            FileFormatError: The file is damaged.
        """
        for start in range(0, self._count, self._rows):
            try:
                # slices, not batches: readers that run ahead keep whole groups of rows in memory
                frame = self._lazy.slice(start, self._rows).collect()
            except (pl.exceptions.PolarsError, OSError) as error:
                raise _damaged(self.path, error) from error
            frame.columns = clean_names(frame.columns, self.path.name)
            yield Chunk(frame, start, _place(self.path.name, start))

    def settle(self, sample: pl.DataFrame, locate: Locate) -> Table:
        """Find the types of the columns on a sample."""
        frame = tidy(sample, self._settings, self.path.name, locate=locate)
        self._types = dict(frame.schema)
        return Table.from_frame(frame)

    def read(self, frame: pl.DataFrame, locate: Locate) -> Table:
        """Return rows with the types that were settled."""
        settings = guarded(self._settings, self._types)
        typed = tidy(frame, settings, self.path.name, locate=locate)
        return Table.from_frame(as_settled(typed, self._types, locate))


def _place(name: str, start: int) -> Locate:
    locate = row_of(name)
    return lambda row: locate(start + row)


def _damaged(path: Path, error: Exception) -> FileFormatError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return FileFormatError(f'"{path}" cannot be read as Parquet ({reason}): copy it again.')
