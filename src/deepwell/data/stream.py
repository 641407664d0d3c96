"""Reading piece by piece: tables that need not fit in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import polars as pl

from deepwell.data.cells import Locate, as_date
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import ColumnError

CELLS_AT_ONCE = 2_000_000
"""Values of a table that are read at once."""

Types = Mapping[str, pl.DataType]
"""Column → type, as found on a sample of the rows."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Rows of a file that follow each other, as they stand there.

    Args:
        frame: Text cells of a text file; typed columns of Parquet; labels and paths of pictures.
        start: Rows of the file before the first of these.
        locate: From a row of the chunk (0, 1, …) to words such as "line 18 of houses.csv".
    """

    frame: pl.DataFrame
    start: int
    locate: Locate


class Stream(Protocol):
    """A file or folder that is read piece by piece, as often as wanted."""

    @property
    def path(self) -> Path:
        """Where the data are."""
        ...

    @property
    def notes(self) -> list[str]:
        """What a person should know, in words."""
        ...

    @property
    def target(self) -> tuple[str, ...] | None:
        """The target columns, where the format knows them."""
        ...

    def digest(self) -> str:
        """Return the SHA-256 over the content, hexadecimal."""
        ...

    def chunks(self) -> Iterator[Chunk]:
        """Return all rows, in the order of the file."""
        ...

    def settle(self, sample: pl.DataFrame, locate: Locate) -> Table:
        """Find the types of the columns on a sample, remember them, and return the sample typed.

        Raises:
            DataError: A value or a column that cannot be learned from.
        """
        ...

    def read(self, frame: pl.DataFrame, locate: Locate) -> Table:
        """Return rows with the types that were settled; call `settle` first.

        Raises:
            DataError: A value that contradicts the type of its column; the row is named.
        """
        ...


def guarded(settings: DataSettings, types: Types) -> DataSettings:
    """Return settings under which every piece of a file is read with the types of the sample."""
    kinds = dict(settings.kinds)
    for name, dtype in types.items():
        if dtype == pl.String:
            kinds.setdefault(name, "category")
        elif dtype.is_numeric():
            kinds[name] = "number"
    return settings.model_copy(update={"kinds": kinds})


def as_settled(frame: pl.DataFrame, types: Types, locate: Locate) -> pl.DataFrame:
    """Check that a piece has the types of the sample.

    Args:
        frame: Read with the settings of `guarded`.
        types: As they were settled.
        locate: Says where a row stands.

    Raises:
        ColumnError: A column holds text in place of a date or a boolean; the row is named.
    """
    columns = [_settled(column, types[column.name], locate) for column in frame.iter_columns()]
    return pl.DataFrame(columns)


def _settled(column: pl.Series, dtype: pl.DataType, locate: Locate) -> pl.Series:
    if column.dtype == dtype or (column.dtype.is_numeric() and dtype.is_numeric()):
        return column
    if column.null_count() == len(column):
        return pl.Series(column.name, [None] * len(column), dtype=dtype)
    if column.dtype.is_temporal() and dtype.is_temporal():
        return column.cast(dtype)
    if dtype == pl.String:
        return column.cast(pl.String)
    row = next(row for row in range(len(column)) if not _fits(column[row : row + 1], dtype))
    noun = "dates" if dtype.is_temporal() else "true and false"
    raise ColumnError(
        f'Column "{column.name}" holds {noun}, but {locate(row)} holds "{column[row]}": mend the '
        f"value or leave it empty, or pass --kind {column.name}=category."
    )


def _fits(value: pl.Series, dtype: pl.DataType) -> bool:
    if value.null_count() or value.dtype != pl.String:
        return True
    if dtype.is_temporal():
        return as_date(value) is not None
    return bool(value.str.to_lowercase().is_in(["true", "false"]).all())
