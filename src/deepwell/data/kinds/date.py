"""Dates and moments."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.kinds.base import (
    Blocks,
    Description,
    Layout,
    State,
    is_marker,
    is_textual,
    is_type,
    refuse_unread,
    scalars,
)
from deepwell.data.kinds.number import STANDARD_LIMIT
from deepwell.data.schema import KindName
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.errors import ColumnError

PATTERN = (
    r"^\s*(\d{4}-\d{2}-\d{2}|\d{4}/\d{2}/\d{2}|\d{2}\.\d{2}\.\d{4})"
    r"([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})?\s*$"
)
"""Texts that read as a date: 2024-03-31, 2024/03/31, 31.03.2024, each with or without a time."""
ZONE = r"\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?\s*(Z|UTC|[+-]\d{2}:?\d{2})$"
"""The zone that follows a time of day."""
DAYS = ("%Y-%m-%d", "%d.%m.%Y")
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S%.f")
FEATURES = ("year", "month", "weekday", "day of year sin", "day of year cos", "days", "hour")
UNSCALED = ("day of year sin", "day of year cos")


class Date:
    """Dates, kept as local wall-clock time in microseconds (a time zone is dropped)."""

    name: KindName = "date"

    def recognise(self, column: Column) -> str | None:
        """Recognise date types, and texts that all read as a date."""
        if not isinstance(column, pl.Series):
            return None
        if is_type(column, pl.Date, pl.Datetime):
            return "the column is stored as dates"
        if column.dtype != pl.String:
            return None
        texts = column.drop_nulls()
        if not len(texts) or not texts.head(50).str.contains(PATTERN).all():
            return None
        is_date = texts.str.contains(PATTERN) | is_marker(texts)
        if not is_date.all() or _from_text(texts.filter(~is_marker(texts))).null_count():
            return None
        return f"all {len(texts)} values read as dates such as {texts[0].strip()}"

    def parse(self, name: str, column: Column) -> pl.Series:
        """Return moments; refuse text that is no date."""
        raw = scalars(name, column)
        if raw.dtype == pl.Datetime:
            return raw.dt.replace_time_zone(None).cast(pl.Datetime("us"))
        if is_type(raw, pl.Date, pl.Null):
            return raw.cast(pl.Datetime("us"))
        if not is_textual(raw):
            raise ColumnError(
                f'Column "{name}" holds values of type {raw.dtype}, which are not dates.'
            )
        raw = raw.cast(pl.String)
        parsed = _from_text(raw)
        refuse_unread(name, raw, parsed, "a date such as 2024-03-31", "")
        return parsed

    def describe(self, column: Column) -> Description:
        """Give the first and the last."""
        series = scalars("", column).drop_nulls()
        if not len(series):
            return Description("no values")
        form = "%Y-%m-%d %H:%M" if _has_hours(series) else "%Y-%m-%d"
        ends = pl.Series([series.min(), series.max()], dtype=pl.Datetime("us"))
        first, last = ends.dt.strftime(form).to_list()
        return Description(f"{first} … {last}")

    def fit(self, column: Column, settings: EncodeSettings) -> State:
        """Learn mean and spread of year, month, weekday, hour and the days that have passed."""
        series = scalars("", column)
        names = FEATURES if _has_hours(series.drop_nulls()) else FEATURES[:-1]
        matrix = _matrix(series.drop_nulls(), names)
        means, scales = [0.0] * len(names), [1.0] * len(names)
        for index, name in enumerate(names):
            if settings.numbers == "raw" or name in UNSCALED or not len(matrix):
                continue
            std = float(matrix[:, index].std())
            means[index] = float(matrix[:, index].mean())
            scales[index] = 1 / std if std > 0 else 0.0
        keeps_gaps = settings.numbers == "raw"
        return {
            "features": list(names),
            "means": means,
            "scales": scales,
            "missing": series.null_count() > 0 and not keeps_gaps,
            "keeps_gaps": keeps_gaps,
        }

    def layout(self, name: str, state: State) -> Layout:
        """One feature for each part of the date."""
        features = tuple(f"{name} {part}" for part in state["features"])
        return Layout(features=(*features, f"{name} (missing)") if state["missing"] else features)

    def encode(self, column: Column, state: State) -> Blocks:
        """Return the scaled parts, shape (rows, features); zeros and a flag where a date lacks."""
        series = scalars("", column)
        matrix = _matrix(series, tuple(state["features"]))
        scaled = (matrix - np.array(state["means"])) * np.array(state["scales"])
        if not state["keeps_gaps"]:
            scaled = np.clip(np.nan_to_num(scaled, nan=0.0), -STANDARD_LIMIT, STANDARD_LIMIT)
        if state["missing"]:
            scaled = np.column_stack([scaled, series.is_null().to_numpy()])
        return Blocks(numbers=scaled.astype(np.float32))


DATE = Date()


def moments(name: str, column: Column) -> pl.Series:
    """Return dates as moments that can be put in order: times of other zones become UTC.

    Where no value has a zone, the wall clock counts.

    Raises:
        ColumnError: A value is no date, or some have a time zone and others do not.

    Example:
        >>> moments("t", pl.Series(["2024-01-01T12:00+02:00", "2024-01-01 11:00Z"])).dt.hour()[0]
        10
    """
    raw = scalars(name, column)
    if isinstance(raw.dtype, pl.Datetime) and raw.dtype.time_zone is not None:
        return raw.dt.convert_time_zone("UTC").dt.replace_time_zone(None).cast(pl.Datetime("us"))
    parsed = DATE.parse(name, raw)
    if not is_textual(raw):
        return parsed
    zones = raw.cast(pl.String).str.strip_chars().str.extract(ZONE, 1)
    has_zone = zones.is_not_null() & parsed.is_not_null()
    if not has_zone.any():
        return parsed
    without = parsed.is_not_null() & ~has_zone
    if without.any():
        row = int(without.arg_max() or 0)
        raise ColumnError(
            f'Column "{name}": some times have a zone such as "{zones.drop_nulls()[0]}", but row '
            f"{row + 1} has none ({raw[row]}): give all of them a zone, or none."
        )
    hours = zones.str.extract(r"([+-]\d{2})", 1).cast(pl.Int64, strict=False).fill_null(0)
    minutes = zones.str.extract(r"(\d{2})$", 1).cast(pl.Int64, strict=False).fill_null(0)
    is_west = zones.str.starts_with("-").fill_null(False)
    ahead = hours * 60 + minutes * (1 - 2 * is_west.cast(pl.Int64))
    return parsed - (ahead * 60_000_000).cast(pl.Duration("us"))


def _from_text(texts: pl.Series) -> pl.Series:
    """Read texts as moments; null where that fails. A time zone is dropped."""
    clean = (
        texts.str.strip_chars()
        .str.replace(r"\s*(Z|UTC|[+-]\d{2}:?\d{2})$", "")
        .str.replace_all("/", "-", literal=True)
        .str.replace("T", " ", literal=True)
    )
    # "2024-03" ends like a time zone: only texts of the full pattern are read
    clean = clean.set(~texts.str.contains(PATTERN).fill_null(False), None)
    parsed = pl.Series(texts.name, [None] * len(texts), dtype=pl.Datetime("us"))
    for day in DAYS:
        for time in TIMES:
            if parsed.null_count() == clean.null_count():
                return parsed
            found = clean.str.to_datetime(day + time, strict=False, time_unit="us")
            parsed = parsed.zip_with(parsed.is_not_null(), found)
    return parsed


def _has_hours(series: pl.Series) -> bool:
    return bool((series.dt.epoch("us") % 86_400_000_000 != 0).any())


def _matrix(series: pl.Series, names: tuple[str, ...]) -> NDArray[np.float64]:
    """Take a date apart; shape (rows, len(names)), NaN where the date is missing."""
    days = series.dt.epoch("us").cast(pl.Float64) / 86_400e6
    angle = (series.dt.ordinal_day().cast(pl.Float64) - 1).to_numpy() * (2 * np.pi / 365.25)
    parts = {
        "year": series.dt.year(),
        "month": series.dt.month(),
        "weekday": series.dt.weekday(),
        "day of year sin": np.sin(angle),
        "day of year cos": np.cos(angle),
        "days": days,
        "hour": series.dt.hour(),
    }
    out = np.empty((len(series), len(names)), dtype=np.float64)
    for index, name in enumerate(names):
        part = parts[name]
        out[:, index] = part.cast(pl.Float64).to_numpy() if isinstance(part, pl.Series) else part
    return out
