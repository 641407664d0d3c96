"""Cells of text become numbers, booleans, dates or text, by what the whole column holds.

Missing, in every column: an empty cell, ``NA``, ``N/A``, ``n/a``, ``#N/A``, ``#NA``, ``<NA>``,
``NaN``, ``nan``, ``-nan``, ``NULL``, ``null``, ``?``. Missing in columns of numbers or dates only,
because they may be genuine categories elsewhere: ``None``, ``none``, ``missing``, ``unknown``,
``-``, ``--``, ``.``, ``*`` and the error values of spreadsheets (``#DIV/0!``, ``#REF!``, …).
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from deepwell.data.settings import DataSettings
from deepwell.errors import ColumnError

Locate = Callable[[int], str]
"""From the position of a row (0, 1, …) to words such as "line 18 of houses.csv"."""

MISSING = (
    *("", "NA", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan"),
    *("NULL", "null", "Null", "?"),
)
SOFT_MISSING = (
    *("None", "none", "missing", "Missing", "unknown", "Unknown", "-", "--", "---", ".", "*"),
    *("#DIV/0!", "#REF!", "#VALUE!", "#NUM!", "#NAME?", "#NULL!"),
)
_MOSTLY = 0.9
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y")
_TIMES = (
    *("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"),
    *("%Y/%m/%d %H:%M:%S%.f", "%Y/%m/%d %H:%M", "%d.%m.%Y %H:%M:%S%.f", "%d.%m.%Y %H:%M"),
)
_ZONED = ("%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M:%S%.f%#z")
_COMMA = r"^[+-]?(\d+,\d+|\d{1,3}(,\d{3})+(\.\d+)?)$"
_DATE_SHAPE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"


def is_number(text: str) -> bool:
    """Tell whether one cell reads as a number, infinity and NaN included.

    Example:
        >>> is_number("3e-4"), is_number("three")
        (True, False)
    """
    try:
        float(text)
    except ValueError:
        return False
    return True


def type_cells(frame: pl.DataFrame, settings: DataSettings, locate: Locate) -> pl.DataFrame:
    """Give every column of text the type of its values.

    Args:
        frame: Columns of strings, as a text file has them. Columns of other types stay.
        settings: `kinds` and `ignore` say which columns are taken as they are.
        locate: Says where a row stands, for messages.

    Raises:
        ColumnError: A column of numbers or dates holds a few other values, or infinity, or the
            numbers have commas.

    Example:
        >>> cells = pl.DataFrame({"age": ["31", "NA"], "town": ["Bonn", "None"]})
        >>> type_cells(cells, DataSettings(), str).to_dict(as_series=False)
        {'age': [31, None], 'town': ['Bonn', 'None']}
    """
    stripped = pl.col(pl.String).str.strip_chars()
    frame = frame.with_columns(
        pl.when(stripped.is_in(MISSING)).then(None).otherwise(stripped).name.keep()
    )
    return frame.with_columns(
        [
            _type_column(column, settings, locate)
            for column in frame.iter_columns()
            if column.dtype == pl.String
        ]
    )


def _type_column(column: pl.Series, settings: DataSettings, locate: Locate) -> pl.Series:
    kind = settings.kinds.get(column.name)
    if kind in ("category", "text", "image"):
        return column
    ignored = column.name in settings.ignore
    if column.null_count() == len(column):
        return column
    if not ignored:
        refuse_mixed(column, settings, locate)
        _refuse_comma(column, locate)
    if kind != "number" and _is_code(column):
        return column
    for reader in (_as_number, _as_boolean, as_date):
        typed = reader(column)
        if typed is not None:
            return column if ignored and _has_infinite(typed) else typed
    return column


def refuse_mixed(column: pl.Series, settings: DataSettings, locate: Locate) -> None:
    """Refuse a column of text in which nearly all values are numbers or dates, or an infinity.

    Args:
        column: Strings; missing cells are null.
        settings: An override in `kinds` says that the column is meant as it is.
        locate: Says where a row stands, for messages.

    Raises:
        ColumnError: At least 90 % of the values are numbers (or dates), but not all; or all
            values are numbers and one is infinite.
    """
    kind = settings.kinds.get(column.name)
    if kind in ("category", "text", "image") or column.name in settings.ignore:
        return
    numbers = _numbers(column)
    _refuse_few(column, numbers, ("a number", "number"), locate, forced=kind == "number")
    values = len(column) - column.null_count()
    if numbers.is_not_null().sum() >= _MOSTLY * values > 0:
        refuse_infinite(numbers, locate)
        return
    dates = _dates(column)
    if dates is not None:
        _refuse_few(column, dates, ("a date", "date"), locate, forced=False)


def refuse_infinite(column: pl.Series, locate: Locate) -> None:
    """Refuse a column of floats that holds infinity.

    Raises:
        ColumnError: Names the column and the first such row.
    """
    if not column.dtype.is_float() or not column.is_infinite().any():
        return
    row = column.is_infinite().fill_null(False).arg_max()
    raise ColumnError(
        f'Column "{column.name}" holds an infinite value in {locate(row or 0)}: '
        "put the true number there or leave it empty."
    )


def _refuse_few(
    column: pl.Series, parsed: pl.Series, noun: tuple[str, str], locate: Locate, *, forced: bool
) -> None:
    wrong = parsed.is_null() & column.is_not_null() & ~column.is_in(SOFT_MISSING)
    values, good = len(column) - column.null_count(), int(parsed.is_not_null().sum())
    if not wrong.any() or (not forced and good < _MOSTLY * values):
        return
    row = wrong.arg_max() or 0
    sentence, kind = noun
    if forced:
        raise ColumnError(
            f'Column "{column.name}" is taken for {sentence}, but {locate(row)} holds '
            f'"{_short(column[row])}": mend the value or leave it empty.'
        )
    raise ColumnError(
        f'Column "{column.name}" is {sentence} in {good} of {values} rows, but {locate(row)} '
        f'holds "{_short(column[row])}": mend the value or leave it empty, or pass '
        f"--kind {column.name}={'text' if kind == 'date' else 'category'} "
        f"(or --ignore {column.name})."
    )


def _refuse_comma(column: pl.Series, locate: Locate) -> None:
    """Refuse numbers written with a comma, which would be taken for text in silence."""
    has_comma = column.str.contains(_COMMA)
    values = len(column) - column.null_count()
    if not has_comma.any() or (has_comma | _numbers(column).is_not_null()).sum() < _MOSTLY * values:
        return
    row = has_comma.arg_max() or 0
    raise ColumnError(
        f'Column "{column.name}" holds numbers with a comma, such as "{_short(column[row])}" in '
        f"{locate(row)}: write 1234.5 for them, or pass --kind {column.name}=category."
    )


def _short(value: str, limit: int = 40) -> str:
    return value if len(value) <= limit else value[: limit - 1] + "…"


def _numbers(column: pl.Series) -> pl.Series:
    return column.cast(pl.Float64, strict=False).fill_nan(None)


def _complete(column: pl.Series, parsed: pl.Series) -> bool:
    """Return whether every value was read; the soft words for "missing" do not count."""
    left = parsed.is_null() & column.is_not_null()
    if not left.any():
        return True
    return bool(column.filter(left).is_in(SOFT_MISSING).all()) and parsed.null_count() < len(parsed)


def _as_number(column: pl.Series) -> pl.Series | None:
    numbers = _numbers(column)
    if not _complete(column, numbers):
        return None
    whole = column.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == numbers.null_count() else numbers


def _is_code(column: pl.Series) -> bool:
    """Return whether the values are codes such as 01067: digits, one width, a leading zero."""
    widths = column.str.len_bytes().drop_nulls().unique()
    if len(widths) != 1 or widths[0] < 3:
        return False
    return bool(column.str.contains(r"^0\d+$").any() and column.str.contains(r"^\d+$").all())


def _as_boolean(column: pl.Series) -> pl.Series | None:
    words = column.unique().drop_nulls()
    if len(words) > 6 or not words.str.to_lowercase().is_in(["true", "false"]).all():
        return None
    return column.str.to_lowercase() == "true"


def as_date(column: pl.Series) -> pl.Series | None:
    """Return a column of text as dates or moments if all its values are, else None.

    Example:
        >>> as_date(pl.Series(["2024-02-29", None])).dtype, as_date(pl.Series(["soon"]))
        (Date, None)
    """
    dates = _dates(column)
    return dates if dates is not None and _complete(column, dates) else None


def _dates(column: pl.Series) -> pl.Series | None:
    """Read as dates by the format that fits most of the first values, or return None."""
    probe = column.drop_nulls().head(20)
    if not probe.str.contains(_DATE_SHAPE).any():
        return None
    formats = (*_DATES, *_TIMES, *_ZONED)
    scores = [_strptime(probe, text).is_not_null().sum() for text in formats]
    best = max(range(len(formats)), key=scores.__getitem__)
    return _strptime(column, formats[best]) if scores[best] else None


def _strptime(column: pl.Series, text: str) -> pl.Series:
    if text in _DATES:
        return column.str.to_date(text, strict=False)
    if text in _ZONED:
        zoned = column.str.to_datetime(text, strict=False, time_zone="UTC", time_unit="us")
        return zoned.dt.replace_time_zone(None)
    return column.str.to_datetime(text, strict=False, time_unit="us")


def _has_infinite(column: pl.Series) -> bool:
    return column.dtype.is_float() and bool(column.is_infinite().any())
