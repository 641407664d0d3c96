"""Numbers: whole or not, durations, and texts that read as numbers."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.kinds.base import (
    Blocks,
    Description,
    Layout,
    State,
    compact,
    is_marker,
    is_textual,
    is_type,
    refuse_unread,
    scalars,
)
from deepwell.data.schema import KindName
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.errors import ColumnError

STANDARD_LIMIT = 30.0
"""Standardised values are clipped here, so that one absurd value cannot ruin a prediction."""
SMOOTH_LIMIT = 3.0
"""Bound of the smooth squash of robust scaling."""
NUM_QUANTILES = 1000
"""How many quantiles of the training rows are stored at the most."""
SKEW_RATIO = 100
"""From this ratio of the largest value to the median, a column is called skewed."""


class Number:
    """Numbers, kept as float64; not-a-number is missing, infinity is refused."""

    name: KindName = "number"

    def recognise(self, column: Column) -> str | None:
        """Recognise number types, durations, and texts that all read as numbers."""
        if not isinstance(column, pl.Series):
            return None
        count = len(column) - column.null_count()
        if column.dtype.is_numeric():
            kind = "whole numbers" if column.dtype.is_integer() else "numbers"
            return f"all {_present(column)} are {kind}"
        if is_type(column, pl.Duration, pl.Time):
            return f"all {_present(column)} are times, read as seconds"
        if column.dtype == pl.String and count and _all_numbers(column):
            return f"all {_present(column)} are texts that read as numbers"
        return None

    def parse(self, name: str, column: Column) -> pl.Series:
        """Return float64; refuse text that is no number, and infinite values."""
        raw = scalars(name, column)
        hint = f", or read the column as categories (--kind {name}=category)"
        if is_textual(raw):
            raw = raw.cast(pl.String)
            parsed = _from_text(raw)
        elif raw.dtype == pl.Duration:
            parsed = raw.dt.total_microseconds(fractional=True) / 1e6
        elif raw.dtype == pl.Time:
            parsed = raw.cast(pl.Int64).cast(pl.Float64) / 1e9
        elif raw.dtype.is_numeric() or is_type(raw, pl.Boolean, pl.Null):
            parsed = raw.cast(pl.Float64)
        else:
            raise ColumnError(
                f'Column "{name}" holds values of type {raw.dtype}, which are not numbers.'
            )
        refuse_unread(name, raw, parsed, "a number", hint)
        parsed = parsed.fill_nan(None)
        infinite = parsed.is_infinite().fill_null(False)
        if infinite.any():
            raise ColumnError(
                f'Column "{name}": row {int(infinite.arg_max() or 0) + 1} is infinite. '
                "Correct it, or leave it empty if the value is not known."
            )
        return parsed

    def describe(self, column: Column) -> Description:
        """Give range and mean; warn of a heavy tail."""
        values = scalars("", column).drop_nulls().to_numpy()
        if not len(values):
            return Description("no values")
        low, high, median = values.min(), values.max(), float(np.median(values))
        summary = f"{compact(low)} … {compact(high)}, mean {compact(_moments(values)[0])}"
        skewed = median > 0 and high > SKEW_RATIO * median
        warning = f"skewed: the largest value is {high / max(median, 1e-300):.0f} times the median"
        return Description(summary, (warning,) if skewed else ())

    def fit(self, column: Column, settings: EncodeSettings) -> State:
        """Learn median, spread or quantiles from the training rows."""
        series = scalars("", column)
        values = series.drop_nulls().to_numpy()
        state: State = {"mode": settings.numbers, "missing": series.null_count() > 0}
        if settings.numbers == "raw":
            return state | {"missing": False}
        if not len(values):
            values = np.zeros(1)
        state["median"] = float(np.median(values))
        if settings.numbers == "quantile":
            return state | _fit_quantiles(values)
        center, scale = (
            _robust(values) if settings.numbers == "robust" else _standard(_moments(values))
        )
        return state | {"center": center, "scale": scale}

    def layout(self, name: str, state: State) -> Layout:
        """One feature, and a flag if values were missing in training."""
        return Layout(features=(name, f"{name} (missing)") if state["missing"] else (name,))

    def encode(self, column: Column, state: State) -> Blocks:
        """Scale the values; shape (rows, 1 or 2)."""
        series = scalars("", column)
        out = np.empty((len(series), 2 if state["missing"] else 1), dtype=np.float32)
        if state["missing"]:
            out[:, 1] = series.is_null().to_numpy()
        if state["mode"] == "raw":
            largest = float(np.finfo(np.float32).max)
            out[:, 0] = series.clip(-largest, largest).cast(pl.Float64).to_numpy()
        else:
            out[:, 0] = _scale(series.fill_null(state["median"]).to_numpy(), state)
        return Blocks(numbers=out)


def _present(column: pl.Series) -> str:
    missing = column.null_count()
    return f"{len(column) - missing} values{' that are present' if missing else ''}"


def _from_text(texts: pl.Series) -> pl.Series:
    parsed = texts.str.strip_chars().cast(pl.Float64, strict=False)
    return parsed.fill_nan(None)


def _all_numbers(texts: pl.Series) -> bool:
    """Say whether all texts are numbers; codes such as "01234" are not."""
    head = texts.drop_nulls().head(100)
    for part in (head, texts.drop_nulls()):
        real = part.filter(~is_marker(part)).str.strip_chars()
        if not len(real) or real.cast(pl.Float64, strict=False).null_count():
            return False
        if real.str.contains(r"^[+-]?0\d").any():
            return False
    return True


def _moments(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return mean and standard deviation, safe for huge values."""
    unit = float(np.abs(values).max())
    if unit < 1e100:
        unit = 1.0
    scaled = values / unit
    return float(scaled.mean() * unit), float(scaled.std() * unit)


def _standard(moments: tuple[float, float]) -> tuple[float, float]:
    mean, std = moments
    # a constant gives 0, also where rounding leaves a spread of the order of its last digit
    return mean, 1 / std if std > 1e-12 * abs(mean) and std > 1e-300 else 0.0


def _robust(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return median and 1 / spread, the spread being that between the quartiles.

    Where most values are the same, quartiles are no measure. Half of the range, which the paper
    takes then, is decided by the largest value and presses all others together: what counts here is
    how far the values that differ lie from the median, in the median.

    Reference:
        Holzmüller, Grinsztajn, Steinwart (2024), "Better by default: strong pre-tuned MLPs and
        boosted trees on tabular data", section 3 (robust scaling and smooth clipping).
    """
    quarter, median, three_quarters = np.quantile(values, [0.25, 0.5, 0.75])
    spread = three_quarters - quarter
    if spread <= 1e-300:
        distances = np.abs(values - median)
        others = distances[distances > 1e-300]
        spread = np.median(others) if len(others) else 0.0
    return float(median), float(1 / spread) if spread > 0 else 0.0


def _fit_quantiles(values: NDArray[np.float64]) -> State:
    """Store quantiles and the normal score of each; equal quantiles share their mean rank."""
    count = min(NUM_QUANTILES, len(values))
    ranks = (np.arange(count) + 0.5) / count
    quantiles, first, ties = np.unique(
        np.quantile(values, ranks, method="nearest"), return_index=True, return_counts=True
    )
    middles = ranks[first] + (ties - 1) / (2 * count)
    normal = NormalDist()
    return {
        "quantiles": quantiles.tolist(),
        "scores": [normal.inv_cdf(rank) for rank in middles.tolist()],
    }


def _scale(values: NDArray[np.float64], state: State) -> NDArray[np.float64]:
    if state["mode"] == "quantile":
        return np.interp(values, state["quantiles"], state["scores"])
    if not state["scale"]:
        return np.zeros(len(values))
    # huge values overflow to infinity, which the bounds below bring back
    with np.errstate(over="ignore"):
        scaled = (values - state["center"]) * state["scale"]
    if state["mode"] == "robust":
        scaled = np.clip(scaled, -1e100, 1e100)
        return scaled / np.sqrt(1 + np.square(scaled / SMOOTH_LIMIT))
    return np.clip(scaled, -STANDARD_LIMIT, STANDARD_LIMIT)
