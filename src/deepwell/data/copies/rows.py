"""Rows of a table that equal each other but for an identifier, a moment, or rounding."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.copies.edges import Edges
from deepwell.data.roles import counts_up, is_id_name
from deepwell.data.schema import ColumnSpec

RARE = 1000
"""Rows are compared without some of their values only if what is left allows so many times more
combinations than there are rows: else equal rows are chance."""
NEARLY_ALL = 0.95
"""A column with so large a share of different values can be an identifier or a moment."""
FINE = 0.01
"""Rounding counts as rounding up to this share of the spread of a column."""
DECIMALS = range(7)
DIGITS = range(3, 8)

_Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Cells:
    """One column to compare rows by.

    Args:
        spec: What the column is.
        values: In the type of its kind.
    """

    spec: ColumnSpec
    values: pl.Series

    @property
    def is_number(self) -> bool:
        """Whether its values may be rounded."""
        return self.spec.kind == "number" and self.values.dtype.is_numeric()


def row_copies(cells: Sequence[Cells]) -> Edges:
    """Return the pairs of rows that are equal but for an identifier, a moment, or rounding.

    Rows that are wholly equal should have been left out before. Numbers are equal but for rounding
    if one row, rounded to a number of decimals or digits that keeps a hundredth of the spread of
    each column, or to single precision, is the other row.

    Args:
        cells: The columns, of equal length.

    Example:
        >>> spec = ColumnSpec(name="x", kind="number", role="input", reason="")
        >>> rng = np.random.default_rng(0)
        >>> columns = [np.append(x, x[0].round(2)) for x in rng.normal(size=(4, 50))]
        >>> row_copies([Cells(spec, pl.Series(x)) for x in columns]).how
        ('rows, with numbers rounded',)
    """
    kept = [cell for cell in cells if not _names_a_row(cell)]
    left_out = [cell.spec.name for cell in cells if _names_a_row(cell)]
    if not kept or not _is_telling(kept):
        kept, left_out = list(cells), []
    parts: list[Edges] = []
    if left_out:
        parts.append(_equal([cell.values for cell in kept], None, _but_for(left_out)))
    if _is_telling(kept):
        how = "rows, with numbers rounded" + (f", {_but_for(left_out)[6:]}" if left_out else "")
        parts += [_equal(rounded, is_rounded, how) for rounded, is_rounded in _roundings(kept)]
    return Edges.all_of(parts)


def _but_for(names: Sequence[str]) -> str:
    return "rows, equal but for " + ", ".join(f'"{name}"' for name in names)


def _names_a_row(cell: Cells) -> bool:
    """Say whether a column may only number or date the rows."""
    values, num = cell.values, len(cell.values)
    if values.n_unique() < NEARLY_ALL * num:
        return False
    if values.dtype.is_temporal():
        return True
    if values.dtype.is_integer():
        return is_id_name(cell.spec.name) or counts_up(values)
    if cell.spec.kind == "text" and values.dtype == pl.String:
        return not values.str.strip_chars().str.contains(r"\s").any()
    return False


def _is_telling(cells: Sequence[Cells]) -> bool:
    """Say whether equal values in all these columns are hardly chance."""
    combinations = math.prod(max(1, cell.values.n_unique()) for cell in cells)
    return bool(cells) and combinations >= RARE * len(cells[0].values)


def _equal(columns: Sequence[pl.Series], is_rounded: _Mask | None, how: str) -> Edges:
    """Pair each row with the first of its equals; of rounded rows, with the first rounded one."""
    keys = [f"key {index}" for index in range(len(columns))]
    frame = pl.DataFrame([c.alias(key) for c, key in zip(columns, keys, strict=True)])
    frame = frame.with_row_index("row")
    anchors = frame if is_rounded is None else frame.filter(pl.Series(is_rounded))
    first = anchors.group_by(keys).agg(pl.col("row").min().alias("first"))
    pairs = frame.join(first, on=keys, nulls_equal=True).filter(pl.col("row") != pl.col("first"))
    pairs = pairs.sort("row")
    one, other = pairs["first"].to_numpy(), pairs["row"].to_numpy()
    low, high = np.minimum(one, other), np.maximum(one, other)
    return Edges(low.astype(np.int64), high.astype(np.int64), (how,) * len(pairs))


def _roundings(cells: Sequence[Cells]) -> list[tuple[list[pl.Series], _Mask]]:
    """Return the columns in each rounding that some rows already have, and which rows these are."""
    found: list[tuple[list[pl.Series], _Mask]] = []
    numbers = {i: cell.values.cast(pl.Float64) for i, cell in enumerate(cells) if cell.is_number}
    limits = {index: FINE * _spread(values) for index, values in numbers.items()}
    ways: list[dict[int, pl.Series]] = [
        {index: values.cast(pl.Float32).cast(pl.Float64) for index, values in numbers.items()}
    ]
    for decimals in DECIMALS:
        step = 10.0**-decimals
        fine = {i: v for i, v in numbers.items() if step <= limits[i]}
        ways.append({index: values.round(decimals) for index, values in fine.items()})
    for digits in DIGITS:
        fine = {i: v for i, v in numbers.items() if _digit_step(v, digits) <= limits[i]}
        ways.append({index: values.round_sig_figs(digits) for index, values in fine.items()})
    for way in ways:
        is_rounded = np.ones(len(cells[0].values), dtype=np.bool_)
        for index, rounded in way.items():
            is_rounded &= (numbers[index] == rounded).fill_null(True).to_numpy()
        if way and 0 < is_rounded.sum() < len(is_rounded):
            found.append(([way.get(i, cell.values) for i, cell in enumerate(cells)], is_rounded))
    return found


def _spread(values: pl.Series) -> float:
    """Return the distance of the quartiles, or twice the standard deviation if it is 0."""
    present = values.drop_nulls()
    if not len(present):
        return 0.0
    low, high = np.quantile(present.to_numpy(), [0.25, 0.75])
    return float(high - low) or 2 * float(present.to_numpy().std())


def _digit_step(values: pl.Series, digits: int) -> float:
    """Return the step that so many digits leave at the usual size of the values."""
    sizes = np.abs(values.drop_nulls().to_numpy())
    usual = float(np.median(sizes)) if len(sizes) else 0.0
    return 10.0 ** (math.floor(math.log10(usual)) - digits + 1) if usual > 0 else math.inf
