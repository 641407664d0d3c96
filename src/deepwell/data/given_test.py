"""A test file that the user gives: its columns must be those of the rows to learn from."""

from __future__ import annotations

import numpy as np
import polars as pl

from deepwell.data.settings import DataSettings
from deepwell.data.table import Column, Table
from deepwell.errors import ColumnError, did_you_mean, listing


def match_columns(
    table: Table, test: Table, source: str, settings: DataSettings
) -> tuple[Table, list[str]]:
    """Return the test rows with the columns of the table, in its order and types, and notes.

    Columns that only the test file has are left out with a note; ignored ones may be missing.

    Args:
        table: The rows to learn from.
        test: The rows of the test file.
        source: Its name, for messages.
        settings: Which columns are ignored.

    Raises:
        ColumnError: A column is missing, or holds text where the other has numbers.

    Example:
        >>> table = Table({"a": pl.Series([1.5])})
        >>> other = Table({"a": pl.Series([2])})
        >>> match_columns(table, other, "test.csv", DataSettings())[0]["a"].dtype
        Float64
    """
    missing = [name for name in table.names if name not in test and name not in settings.ignore]
    extra = [name for name in test.names if name not in table]
    if missing:
        hint = did_you_mean(missing[0], extra)
        raise ColumnError(
            f'The test file "{source}" lacks the column{"s" if len(missing) > 1 else ""} '
            f"{listing(missing)}, which the other file has.{hint}"
        )
    columns: dict[str, Column] = {
        name: _matched(name, column, test[name], source)
        for name, column in table.columns.items()
        if name in test
    }
    for name in (n for n in table.names if n not in test):
        columns[name] = pl.Series(name, [None] * len(test), dtype=table.series(name).dtype)
    ordered = {name: columns[name] for name in table.names}
    note = f'Columns that only the test file "{source}" has were left out: {listing(extra)}.'
    return Table(ordered), [note] if extra else []


def _matched(name: str, column: Column, other: Column, source: str) -> Column:
    if isinstance(column, np.ndarray) or isinstance(other, np.ndarray):
        if isinstance(column, np.ndarray) and isinstance(other, np.ndarray):
            return other
        raise ColumnError(f'Column "{name}" holds pictures in only one of the data and "{source}".')
    if column.dtype == other.dtype:
        return other
    if column.null_count() == len(column):  # nothing to compare with
        return other
    if column.dtype == pl.String:
        return other.cast(pl.String)
    cast = other.cast(column.dtype, strict=False)
    if column.dtype.is_integer() and other.dtype.is_float():
        return other
    lost = cast.is_null() & other.is_not_null()
    if lost.any():
        row = lost.arg_max() or 0
        raise ColumnError(
            f'Column "{name}" holds {_noun(column)}, but "{source}" has "{other[row]}" in row '
            f"{row + 1} of the data: both files need the same kind of values."
        )
    return cast


def _noun(column: pl.Series) -> str:
    if column.dtype.is_numeric():
        return "numbers"
    if column.dtype.is_temporal():
        return "dates"
    return "true and false" if column.dtype == pl.Boolean else "text"
