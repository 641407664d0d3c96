"""Categories: few values that repeat."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.kinds.base import Blocks, Description, Layout, State, is_type, scalars, shorten
from deepwell.data.schema import KindName
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.data.target_encoding import look_up
from deepwell.errors import ColumnError

FEW_VALUES = 20
"""Up to so many different texts are categories, if they repeat."""
FEW_SHARE = 0.1
"""More texts than that are categories if they are at most this share of the rows."""
TEXT_WORDS = 3
"""Texts of at least so many words on average are free text, unless few of them repeat."""
ONE_HOT_VALUES = 64
"""Up to so many values, "auto" gives each value a number of its own."""
MANY_VALUES = 100
"""From so many values on, a person should look whether the column is a category."""


class Category:
    """Values without order, encoded as codes or as one number for each value.

    Codes: 0 = missing; then the known values by falling frequency; then, only if training had
    values rarer than `min_frequency` or beyond `max_categories`, one code that these share. A value
    that training never saw takes that shared code, or 0 if there is none: to the network, a value
    seen once and a value never seen are the same kind of surprise.
    """

    name: KindName = "category"

    def recognise(self, column: Column) -> str | None:
        """Recognise text with few different values, or short text that repeats."""
        if not isinstance(column, pl.Series):
            return None
        if is_type(column, pl.Categorical, pl.Enum):
            return "the column is stored as categories"
        if column.dtype != pl.String:
            return None
        values = column.drop_nulls()
        rows, distinct = len(values), values.n_unique()
        found = f"{distinct} different texts in {rows} rows"
        is_few = distinct <= FEW_VALUES and 2 * distinct <= rows
        if rows and (is_few or distinct <= FEW_SHARE * rows):
            return f"{found}, so a category"
        if rows and mean_words(values) < TEXT_WORDS and distinct < rows:
            return f"{found}, short and repeated, so a category"
        return None

    def parse(self, name: str, column: Column) -> pl.Series:
        """Return text; whole numbers are written without a decimal point."""
        return as_text(name, scalars(name, column))

    def describe(self, column: Column) -> Description:
        """Give the most common values; warn of rare and of many values."""
        counts = count_values(scalars("", column))
        if not len(counts):
            return Description("no values")
        shown = [f"{shorten(value, 24)} ({count})" for value, count in counts.head(3).rows()]
        more = ", …" if len(counts) > 3 else ""
        once = int((counts["count"] == 1).sum())
        warnings: list[str] = []
        if len(counts) >= MANY_VALUES:
            warnings.append(f"{len(counts)} different values")
        if once:
            warnings.append(f"{once} value{'s occur' if once > 1 else ' occurs'} once")
        return Description(", ".join(shown) + more, tuple(warnings))

    def fit(self, column: Column, settings: EncodeSettings) -> State:
        """Learn the values, the most frequent first."""
        series = scalars("", column)
        counts = count_values(series)
        kept = counts.filter(pl.col("count") >= settings.min_frequency)
        kept = kept.head(settings.max_categories)
        mode = settings.categories
        if mode == "auto":
            mode = "onehot" if len(kept) <= ONE_HOT_VALUES else "codes"
        values = kept["value"].to_list()
        return {
            "mode": mode,
            "values": _in_order(values) if mode == "ordinal" else values,
            "rare": len(kept) < len(counts),
            "missing": series.null_count() > 0,
        }

    def layout(self, name: str, state: State) -> Layout:
        """Codes: one code column. One-hot: a feature for each code that training has seen."""
        if state["mode"] == "codes":
            return Layout(cardinality=1 + len(state["values"]) + state["rare"])
        flag = (f"{name} (missing)",) if state["missing"] else ()
        if state["mode"] == "ordinal":
            return Layout(features=(f"{name} (order)", *flag))
        if state["mode"] == "target":
            width = len(state["means"][0])
            plural = [f"{name} (target {index + 1})" for index in range(width)]
            return Layout(features=(*(plural if width > 1 else [f"{name} (target)"]), *flag))
        features = [f"{name}={value}" for value in state["values"]]
        features += [f"{name}=(rare)"] * state["rare"] + [f"{name} (missing)"] * state["missing"]
        return Layout(features=tuple(features))

    def encode(self, column: Column, state: State) -> Blocks:
        """Return codes, shape (rows,), or numbers, shape (rows, features)."""
        codes = category_codes(column, state)
        if state["mode"] == "codes":
            return Blocks(categories=codes)
        if state["mode"] == "ordinal":
            return with_flag(_places(codes, len(state["values"])), column, state)
        if state["mode"] == "target":
            return with_flag(look_up(codes, state), column, state)
        width = len(state["values"]) + state["rare"]
        out = np.zeros((len(codes), width + state["missing"]), dtype=np.float32)
        known = np.flatnonzero(codes)
        out[known, codes[known] - 1] = 1.0
        if state["missing"]:
            out[:, width] = scalars("", column).is_null().to_numpy()
        return Blocks(numbers=out)


def as_text(name: str, series: pl.Series) -> pl.Series:
    """Write values as text, so that 3, 3.0, "3" and " 3" are the same category.

    Raises:
        ColumnError: Lists and other nested values.

    Example:
        >>> as_text("x", pl.Series([3.0, None, 2.5])).to_list()
        ['3', None, '2.5']
    """
    if series.dtype.is_float():
        series = series.fill_nan(None)
        whole = series.drop_nulls()
        if (whole == whole.round()).all() and (whole.abs() < 2**53).all():
            series = series.cast(pl.Int64)
    if series.dtype.is_float():
        # in one column, whole numbers lose their ".0" even beside broken ones
        return series.cast(pl.String).str.strip_suffix(".0")
    if series.dtype.is_nested() or is_type(series, pl.Object, pl.Binary):
        raise ColumnError(
            f'Column "{name}" holds values of type {series.dtype}; '
            "write them as numbers or text, or ignore the column."
        )
    text = series.cast(pl.String)
    return text.str.strip_chars() if series.dtype == pl.String else text


def count_values(series: pl.Series) -> pl.DataFrame:
    """Count the values: columns value and count, most frequent first, then by name."""
    counts = series.drop_nulls().alias("value").value_counts(name="count")
    return counts.sort(["count", "value"], descending=[True, False])


def mean_words(texts: pl.Series) -> float:
    """Return the mean number of words over a sample of the texts."""
    sample = texts.drop_nulls().gather_every(max(1, len(texts) // 1000))
    mean = sample.str.count_matches(r"\S+").mean()
    return float(mean) if isinstance(mean, float) else 0.0


def with_flag(numbers: NDArray[np.float64], column: Column, state: State) -> Blocks:
    """Return numbers (rows, features), and a flag for missing values if training had some."""
    if state["missing"]:
        is_missing = scalars("", column).is_null().to_numpy()
        numbers = np.concatenate([numbers, is_missing[:, None]], axis=1)
    return Blocks(numbers=numbers.astype(np.float32))


def _in_order(values: list[str]) -> list[str]:
    """Sort values by number if all are numbers, else by name."""
    numbers = pl.Series(values, dtype=pl.String).cast(pl.Float64, strict=False)
    if values and not numbers.null_count():
        return [values[place] for place in numbers.arg_sort()]
    return sorted(values)


def _places(codes: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """Return −1 for the first value … 1 for the last, 0 for any other, shape (rows, 1)."""
    known = (codes > 0) & (codes <= count)
    places = 2.0 * (codes - 1) / max(count - 1, 1) - 1
    return np.where(known, places, 0.0)[:, None]


def category_codes(column: Column, state: State) -> NDArray[np.int64]:
    """Return the code of each row, shape (rows,): see `Category`."""
    series = scalars("", column)
    values: list[str] = state["values"]
    known = series.cast(pl.Enum(values), strict=False).to_physical()
    codes = known.cast(pl.Int64) + 1
    if state["rare"]:
        unseen = codes.is_null() & series.is_not_null()
        codes = codes.set(unseen, len(values) + 1)
    return codes.fill_null(0).to_numpy(writable=True)
