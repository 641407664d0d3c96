"""What a kind of column is: recognise it, read it strictly, describe it, turn it into arrays."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import KindName
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.errors import ColumnError

State = dict[str, Any]
"""What a kind learned from the training rows: plain JSON."""

MISSING_MARKERS = ("", "na", "n/a", "#n/a", "nan", "null", "none", "?", "-", "--")
"""Texts that stand for "no value" in a column of numbers, dates or yes/no (case is ignored)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocks:
    """The arrays of one column; each part is None where the kind has none.

    Args:
        numbers: float32, shape (rows, features).
        categories: int64 codes, shape (rows,).
        images: uint8, shape (rows, channels, height, width).
    """

    numbers: NDArray[np.float32] | None = None
    categories: NDArray[np.int64] | None = None
    images: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which arrays a fitted column will give.

    Args:
        features: Names of its columns in the number block.
        cardinality: Number of codes (code 0 included), or None if it is no code column.
        image_shape: (channels, height, width), or None.
    """

    features: tuple[str, ...] = ()
    cardinality: int | None = None
    image_shape: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class Description:
    """A column in words.

    Args:
        summary: A range, or the most common values.
        warnings: What a person should look at.
    """

    summary: str
    warnings: tuple[str, ...] = ()


class Kind(Protocol):
    """A kind of column. Has no state of its own: what `fit` learns is plain JSON."""

    @property
    def name(self) -> KindName:
        """The name in the schema."""
        ...

    def recognise(self, column: Column) -> str | None:
        """Return why this column is of this kind, in words, or None if it is not."""
        ...

    def parse(self, name: str, column: Column) -> Column:
        """Return the values in the kind's own type; a missing value is null.

        Raises:
            ColumnError: A value does not fit; the message names its row.
        """
        ...

    def describe(self, column: Column) -> Description:
        """Put a parsed column in words."""
        ...

    def fit(self, column: Column, settings: EncodeSettings) -> State:
        """Learn from the parsed column of the training rows."""
        ...

    def layout(self, name: str, state: State) -> Layout:
        """Say which arrays `encode` will return."""
        ...

    def encode(self, column: Column, state: State) -> Blocks:
        """Turn a parsed column into arrays."""
        ...


def scalars(name: str, column: Column) -> pl.Series:
    """Return a column that must hold values, not pictures.

    Raises:
        ColumnError: It holds images.
    """
    if isinstance(column, pl.Series):
        return column
    raise ColumnError(f'Column "{name}" holds images, not values: give it the kind image.')


def is_type(column: Column, *types: object) -> bool:
    """Say whether a column is a series of one of these Polars types."""
    return isinstance(column, pl.Series) and column.dtype in types


def is_textual(column: Column) -> bool:
    """Say whether a column holds text, as such or as categories."""
    return is_type(column, pl.String, pl.Categorical, pl.Enum)


def count_missing(column: Column) -> int:
    """Return the number of rows without a value: null or not a number."""
    if not isinstance(column, pl.Series):
        return 0
    nans = int(column.is_nan().sum()) if column.dtype.is_float() else 0
    return column.null_count() + nans


def is_marker(texts: pl.Series) -> pl.Series:
    """Return a mask of the texts that stand for "no value"."""
    return texts.str.strip_chars().str.to_lowercase().is_in(list(MISSING_MARKERS))


def refuse_unread(name: str, raw: pl.Series, parsed: pl.Series, wanted: str, hint: str) -> None:
    """Raise if a value that is present could not be read.

    Args:
        name: Name of the column.
        raw: Values as they came.
        parsed: The same rows after reading; null where that failed.
        wanted: What was expected ("a number").
        hint: How to mend it, or an empty string.

    Raises:
        ColumnError: Names the first row, counted from 1, and its value.
    """
    failed = (raw.is_not_null() & parsed.is_null()).fill_null(False)
    if raw.dtype == pl.String:
        failed &= ~is_marker(raw).fill_null(False)
    if failed.any():
        row = int(failed.arg_max() or 0)
        count = int(failed.sum())
        more = f" ({count} such values)" if count > 1 else ""
        raise ColumnError(
            f'Column "{name}": {wanted} is expected, but row {row + 1} holds '
            f'"{shorten(str(raw[row]))}"{more}. Correct the value{hint}.'
        )


def shorten(text: str, limit: int = 40) -> str:
    """Cut a long text for a message.

    Example:
        >>> shorten("a very long text indeed", limit=11)
        'a very lon…'
    """
    return text if len(text) <= limit else text[: limit - 1] + "…"


def compact(value: float) -> str:
    """Write a number for people: four significant digits, whole numbers in full.

    Example:
        >>> compact(215000.0), compact(0.123456), compact(12345.678), compact(3e-9)
        ('215000', '0.1235', '12346', '3e-09')
    """
    if value == 0 or not math.isfinite(value):
        return str(0 if value == 0 else value)
    size = abs(value)
    if size >= 1e15 or size < 1e-4:
        return f"{value:.4g}"
    if value == int(value):
        return str(int(value))
    digits = max(0, 3 - math.floor(math.log10(size)))
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def share(count: int, total: int) -> str:
    """Write a share in percent.

    Example:
        >>> share(38, 100), share(995, 1000), share(9999, 10000)
        ('38 %', '99.5 %', '99.99 %')
    """
    percent = 100 * count / max(total, 1)
    digits = 0 if percent == round(percent) else 2 if percent > 99.9 else 1
    return f"{percent:.{digits}f} %"
