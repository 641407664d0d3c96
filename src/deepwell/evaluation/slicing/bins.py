"""The values of a column as a few named parts: categories as they are, numbers by quantiles."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.kinds import KINDS
from deepwell.data.schema import KindName, Schema
from deepwell.data.table import Table
from deepwell.errors import DataError
from deepwell.evaluation.mistakes import short_text

MISSING = "missing"
OTHERS = "other values"
MOST_TEXTS = 50


@dataclass(frozen=True, slots=True)
class Binned:
    """A column whose rows are in parts.

    Args:
        name: Of the column.
        codes: Part of each row, shape (rows,).
        labels: Name of each part, such as "Rome" or "1,200 to 1,500".
    """

    name: str
    codes: NDArray[np.int64]
    labels: tuple[str, ...]


def part_text(name: str, label: str) -> str:
    """Name a part together with its column.

    Example:
        >>> part_text("city", "Rome"), part_text("age", "above 60")
        ('city = Rome', 'age above 60')
    """
    is_range = label.startswith(("above ", "up to ")) or label in (MISSING, OTHERS)
    return f"{name} {label}" if is_range else f"{name} = {label}"


def group_kind(table: Table, schema: Schema, name: str) -> KindName:
    """Return as what a column is read that shall form groups.

    A column that nothing learns from was not looked at closely: texts of which there are few are
    categories.
    """
    column = table.columns.get(name)
    kind = schema[name].kind
    if not isinstance(column, pl.Series) or kind != "text":
        return kind
    if column.dtype.is_numeric():
        return "number"
    return "category" if column.n_unique() <= MOST_TEXTS else "text"


def bin_column(
    table: Table, name: str, kind: KindName, *, bins: int = 5, most: int = 20
) -> Binned | None:
    """Put the rows of a column into parts; None where it has no values that a part could name.

    Args:
        table: The rows.
        name: The column.
        kind: What it holds; text and pictures have no parts.
        bins: Parts of numbers and dates, of about equal size.
        most: Categories beyond this many, the rarest, are one part.

    Example:
        >>> table = Table({"x": pl.Series([1.5, 2.5, None, 3.5, 4.5])})
        >>> found = bin_column(table, "x", "number", bins=2)
        >>> found.labels, found.codes.tolist()
        (('up to 2.5', 'above 2.5', 'missing'), [0, 0, 2, 1, 1])
    """
    if kind in ("text", "image") or name not in table or not len(table):
        return None
    series = _parsed(table, name, kind)
    if kind in ("number", "date") and series.dtype != pl.String and not _is_short(series, bins):
        return _by_quantiles(name, series, bins)
    return _by_value(name, series, most)


def _parsed(table: Table, name: str, kind: KindName) -> pl.Series:
    column = table.series(name)
    try:
        parsed = KINDS[kind].parse(name, column)
    except DataError:
        return column.cast(pl.String)  # a column that nothing learns from may hold anything
    return parsed if isinstance(parsed, pl.Series) else column


def _is_short(series: pl.Series, bins: int) -> bool:
    return series.n_unique() <= bins + 1


def _by_quantiles(name: str, series: pl.Series, bins: int) -> Binned:
    is_date = series.dtype.is_temporal()
    physical = series.cast(pl.Datetime("us")).to_physical() if is_date else series
    values = physical.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    known = np.sort(values[np.isfinite(values)])
    # an edge is a value of the data, so that "up to" says exactly who is meant
    edges = np.unique(known[[len(known) * part // bins - 1 for part in range(1, bins)]])
    edges = edges[edges < known.max()]
    codes = np.searchsorted(edges, values, side="left").astype(np.int64)
    is_whole = not is_date and bool(np.all(known == np.round(known)))
    texts = [_edge_text(edge, is_date=is_date, is_whole=is_whole) for edge in edges]
    labels = _range_labels(texts)
    is_known = np.isfinite(values)
    if not is_known.all():
        codes[~is_known] = len(labels)
        labels = [*labels, MISSING]
    return Binned(name, codes, tuple(labels))


def _edge_text(edge: float, *, is_date: bool, is_whole: bool) -> str:
    if is_date:
        return str(np.datetime64(int(edge), "us").astype("datetime64[D]"))
    return short_text(int(edge) if is_whole else float(edge))


def _range_labels(edges: list[str]) -> list[str]:
    if not edges:
        return ["any value"]
    between = [f"above {a}, up to {b}" for a, b in itertools.pairwise(edges)]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}"]


def _by_value(name: str, series: pl.Series, most: int) -> Binned:
    raw = [short_text(value) if value is not None else MISSING for value in series.to_list()]
    texts = np.array(raw, dtype=object)
    found, codes, counts = np.unique(texts.astype(str), return_inverse=True, return_counts=True)
    if len(found) <= most:
        return Binned(name, codes.astype(np.int64), tuple(str(text) for text in found))
    kept = np.sort(np.argsort(-counts, kind="stable")[: most - 1])
    new = np.full(len(found), len(kept), dtype=np.int64)
    new[kept] = np.arange(len(kept))
    return Binned(name, new[codes], (*(str(found[index]) for index in kept), OTHERS))
