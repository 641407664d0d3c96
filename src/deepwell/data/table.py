"""The table: named columns of equal length, and a stable id for each row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.errors import ColumnError, did_you_mean, listing

Column = pl.Series | NDArray[Any]
"""Scalars and strings are Polars series; images are dense uint8 arrays (rows, height, width, k)."""


class Table:
    """Rows of data in memory.

    Args:
        columns: Name to values. A Polars series holds numbers, booleans, dates or text; a NumPy
            array of uint8, shape (rows, height, width, channels), holds images.
        ids: A stable id for each row, shape (rows,), int64. Default: 0, 1, 2, …

    Raises:
        ColumnError: Columns differ in length.

    Example:
        >>> table = Table({"rooms": pl.Series([3, 4, 5])})
        >>> len(table), table.names
        (3, ['rooms'])
        >>> table.take([2, 0]).ids.tolist()
        [2, 0]
    """

    def __init__(
        self, columns: Mapping[str, Column], *, ids: NDArray[np.int64] | None = None
    ) -> None:
        # a series carries its column's name, so that messages about values can say it
        self.columns: dict[str, Column] = {
            name: column.alias(name) if isinstance(column, pl.Series) else column
            for name, column in columns.items()
        }
        lengths = {name: len(column) for name, column in self.columns.items()}
        if len(set(lengths.values())) > 1:
            raise ColumnError(f"Columns must have the same number of rows. Got: {lengths}.")
        num_rows = next(iter(lengths.values()), 0)
        self.ids = np.arange(num_rows, dtype=np.int64) if ids is None else ids

    @classmethod
    def from_frame(cls, frame: pl.DataFrame) -> Table:
        """Wrap a Polars frame."""
        return cls({series.name: series for series in frame.iter_columns()})

    @property
    def names(self) -> list[str]:
        """Column names in the order of the file."""
        return list(self.columns)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, name: str) -> Column:
        if name not in self.columns:
            hint = did_you_mean(name, self.columns)
            raise ColumnError(
                f'There is no column "{name}".{hint} Columns: {listing(self.columns)}.'
            )
        return self.columns[name]

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def series(self, name: str) -> pl.Series:
        """Return a column of scalars or text.

        Raises:
            ColumnError: There is no such column, or it holds images.
        """
        column = self[name]
        if not isinstance(column, pl.Series):
            raise ColumnError(f'Column "{name}" holds images, not values.')
        return column

    def take(self, rows: Iterable[int] | NDArray[Any]) -> Table:
        """Return the rows at these positions (integers or a mask), with their ids."""
        index = rows if isinstance(rows, np.ndarray) else np.asarray(list(rows), dtype=np.int64)
        if index.dtype == np.bool_:
            index = np.flatnonzero(index)
        columns: dict[str, Column] = {
            name: column.gather(index.tolist() if len(index) == 0 else index)
            if isinstance(column, pl.Series)
            else column[index]
            for name, column in self.columns.items()
        }
        return Table(columns, ids=self.ids[index])

    def concat(self, other: Table) -> Table:
        """Return these rows and behind them those of a table with the same columns."""
        columns: dict[str, Column] = {}
        for name, column in self.columns.items():
            more = other[name]
            if isinstance(column, pl.Series) and isinstance(more, pl.Series):
                columns[name] = pl.concat([column, more])
            else:
                columns[name] = np.concatenate([np.asarray(column), np.asarray(more)])
        return Table(columns, ids=np.concatenate([self.ids, other.ids]))

    def with_column(self, name: str, column: Column) -> Table:
        """Return a table with one column added or replaced."""
        return Table({**self.columns, name: column}, ids=self.ids)

    def without(self, names: Iterable[str]) -> Table:
        """Return a table without these columns."""
        gone = set(names)
        return Table({n: c for n, c in self.columns.items() if n not in gone}, ids=self.ids)

    def frame(self) -> pl.DataFrame:
        """Return the scalar and text columns as a Polars frame; images are left out."""
        return pl.DataFrame(
            [column for column in self.columns.values() if isinstance(column, pl.Series)]
        )
