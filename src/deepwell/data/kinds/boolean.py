"""Yes or no: true/false, or the whole numbers 0 and 1."""

from __future__ import annotations

import numpy as np
import polars as pl

from deepwell.data.kinds.base import (
    Blocks,
    Description,
    Layout,
    State,
    is_textual,
    is_type,
    refuse_unread,
    scalars,
    share,
)
from deepwell.data.schema import KindName
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.errors import ColumnError

WORDS = {
    **dict.fromkeys(("true", "t", "yes", "y", "1", "1.0"), True),
    **dict.fromkeys(("false", "f", "no", "n", "0", "0.0"), False),
}
"""Texts that can be read as yes or no when a column is asked to be boolean."""


class Boolean:
    """Yes or no, encoded as 1 and 0."""

    name: KindName = "boolean"

    def recognise(self, column: Column) -> str | None:
        """Recognise booleans, numbers that are only 0 and 1, and the texts true and false."""
        if not isinstance(column, pl.Series):
            return None
        if column.dtype == pl.Boolean:
            return "all values are true or false"
        if column.dtype.is_numeric():
            values = column.fill_nan(None) if column.dtype.is_float() else column
            values = values.drop_nulls()
            # both must occur: a column of ones alone is a constant number
            if len(values) and values.min() == 0 and values.max() == 1 and values.n_unique() == 2:
                return "all values are 0 or 1"
        if column.dtype == pl.String and len(column) > column.null_count():
            words = column.drop_nulls().head(100).str.to_lowercase()
            if words.is_in(["true", "false"]).all():
                words = column.drop_nulls().str.to_lowercase()
                return (
                    "all values are true or false" if words.is_in(["true", "false"]).all() else None
                )
        return None

    def parse(self, name: str, column: Column) -> pl.Series:
        """Return booleans; refuse anything that is not yes or no."""
        raw = scalars(name, column)
        if is_type(raw, pl.Boolean, pl.Null):
            return raw.cast(pl.Boolean)
        if is_textual(raw):
            raw = raw.cast(pl.String)
            words = raw.str.strip_chars().str.to_lowercase()
            parsed = words.replace_strict(WORDS, default=None, return_dtype=pl.Boolean)
        elif raw.dtype.is_numeric():
            raw = raw.cast(pl.Float64).fill_nan(None)
            parsed = raw.replace_strict(
                {0.0: False, 1.0: True}, default=None, return_dtype=pl.Boolean
            )
        else:
            raise ColumnError(
                f'Column "{name}" holds values of type {raw.dtype}, which are not true or false.'
            )
        hint = f", or read the column as categories (--kind {name}=category)"
        refuse_unread(name, raw, parsed, "true or false (or 0 or 1)", hint)
        return parsed

    def describe(self, column: Column) -> Description:
        """Give the share of true."""
        series = scalars("", column)
        present = len(series) - series.null_count()
        return Description(
            f"true in {share(int(series.sum() or 0), present)}" if present else "no values"
        )

    def fit(self, column: Column, settings: EncodeSettings) -> State:
        """Learn the share of true, which stands for a missing value."""
        series = scalars("", column).cast(pl.Float64)
        keeps_gaps = settings.numbers == "raw"
        mean = series.mean()
        return {
            "fill": None if keeps_gaps else float(mean) if isinstance(mean, float) else 0.5,
            "missing": series.null_count() > 0 and not keeps_gaps,
        }

    def layout(self, name: str, state: State) -> Layout:
        """One feature, and a flag if values were missing in training."""
        return Layout(features=(name, f"{name} (missing)") if state["missing"] else (name,))

    def encode(self, column: Column, state: State) -> Blocks:
        """Return 0 and 1; shape (rows, 1 or 2)."""
        series = scalars("", column).cast(pl.Float64)
        out = np.empty((len(series), 2 if state["missing"] else 1), dtype=np.float32)
        if state["missing"]:
            out[:, 1] = series.is_null().to_numpy()
        filled = series if state["fill"] is None else series.fill_null(state["fill"])
        out[:, 0] = filled.to_numpy()
        return Blocks(numbers=out)
