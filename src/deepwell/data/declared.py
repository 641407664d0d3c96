"""Columns whose types are declared: Parquet, Arrow, JSON lines, Excel, frames of Python."""

from __future__ import annotations

import polars as pl

from deepwell.data.cells import Locate, as_date, refuse_infinite
from deepwell.data.column_names import clean_names
from deepwell.data.settings import DataSettings
from deepwell.errors import ColumnError, FileFormatError


def tidy(
    frame: pl.DataFrame, settings: DataSettings, source: str, *, locate: Locate | None = None
) -> pl.DataFrame:
    """Bring a frame to the few types that a table holds, and refuse what cannot be learned from.

    Numbers, booleans, dates and text stay. Categoricals become text, decimals and durations
    (in seconds) floats, times of the day text, text that is a date throughout dates; moments
    with a time zone become UTC; NaN is missing.

    Args:
        frame: As a reader returned it.
        settings: Ignored columns are not refused.
        source: The file or object, for messages.
        locate: Says where a row stands; None: the rows of the frame are those of the source.

    Raises:
        FileFormatError: There are no columns or no rows.
        ColumnError: Doubled names, nested or binary values, infinite values.

    Example:
        >>> frame = pl.DataFrame({" size ": pl.Series(["S", "L"], dtype=pl.Categorical)})
        >>> tidy(frame, DataSettings(), "the frame").to_dict(as_series=False)
        {'size': ['S', 'L']}
    """
    if frame.width == 0:
        raise FileFormatError(f"{source} has no columns: there is nothing to learn from.")
    frame = frame.rename(dict(zip(frame.columns, clean_names(frame.columns, source), strict=True)))
    if frame.height == 0:
        raise FileFormatError(f"{source} has columns and no rows: there is nothing to learn from.")

    locate = locate or row_of(source)
    return pl.DataFrame([_tidy_column(c, settings, locate) for c in frame.iter_columns()])


def row_of(source: str) -> Locate:
    """Return a function that says where a row of an object without lines stands.

    Example:
        >>> row_of("the frame")(16)
        'row 17 of the frame'
    """

    def locate(row: int) -> str:
        return f"row {row + 1} of {source}"

    return locate


def _tidy_column(column: pl.Series, settings: DataSettings, locate: Locate) -> pl.Series:
    ignored = column.name in settings.ignore
    column = _plain(column)
    if column.dtype.is_nested() or column.dtype.base_type() in (pl.Binary, pl.Object):
        if not ignored:
            raise _nested(column)
        words = [None if value is None else str(value) for value in column.to_list()]
        return pl.Series(column.name, words, dtype=pl.String)
    if column.dtype == pl.String and not ignored:
        meant = settings.kinds.get(column.name) in ("category", "text", "image")
        dates = None if meant or column.count() == 0 else as_date(column)
        return column if dates is None else dates
    if column.dtype.is_float():
        column = column.fill_nan(None)
        if not ignored:
            refuse_infinite(column, locate)
    return column


def _plain(column: pl.Series) -> pl.Series:
    """Cast the types that have a plain equivalent."""
    dtype = column.dtype
    if dtype.base_type() in (pl.Null, pl.Categorical, pl.Enum, pl.Time):
        return column.cast(pl.String)
    if dtype.is_decimal() or dtype.base_type() in (pl.Int128, pl.UInt128):
        return column.cast(pl.Float64)
    if dtype == pl.Duration:
        return (column.dt.total_microseconds() / 1e6).alias(column.name)
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column


def _nested(column: pl.Series) -> ColumnError:
    if column.dtype.base_type() in (pl.Binary, pl.Object):
        what, mend = "binary values or Python objects", "store plain values"
    else:
        what, mend = "a list or a record in each row", "write each part to a column of its own"
    return ColumnError(
        f'Column "{column.name}" holds {what}, which is not a number, date or text: '
        f"{mend}, or pass --ignore {column.name}."
    )
