"""Folds: rows divided so that each is held out once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from deepwell.config import Settings
from deepwell.data.schema import Schema
from deepwell.data.split import SplitSettings, split, times_of
from deepwell.data.table import Table
from deepwell.errors import SplitError

Positions = NDArray[np.int64]
_DAY = 86_400_000_000
"""Microseconds, in which dates are counted."""


class FoldSettings(Settings):
    """Cross-validation: the rows outside the test rows are divided so that each judges once.

    Example:
        >>> FoldSettings(count=5, repeats=3).count
        5
    """

    count: int = Field(default=0, ge=0)
    """Folds, and so models; 0 = one training on the training rows."""
    repeats: int = Field(default=1, ge=1, le=100)
    """How often the rows are dealt anew."""
    nested: bool = False
    """Whether the whole choice is made again inside each of as many outer folds, which gives the
    honest score of the way in which the model is chosen."""
    embargo: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Rows in time: what must lie between the last row learned from and the first that judges, in
    days for dates, else in units of the time column."""

    @model_validator(mode="after")
    def _fit_together(self) -> FoldSettings:
        if self.count == 1:
            raise ValueError("folds are at least 2, as in --folds 5")
        if not self.count and (self.repeats > 1 or self.nested or self.embargo):
            raise ValueError("repeats, nested and embargo need folds: add --folds 5")
        return self


def folds(
    table: Table,
    schema: Schema,
    settings: SplitSettings,
    *,
    count: int,
    seed: int,
    stratify: NDArray[np.int64] | None = None,
) -> list[NDArray[np.int64]]:
    """Divide rows into folds of like size; copies and groups stay together, classes keep shares.

    Args:
        table: Rows that may be trained on.
        schema: Says which column groups.
        settings: `method` is taken over.
        count: Number of folds, at least 2.
        seed: Of the order.
        stratify: Class of each row, (rows,), or None.

    Returns:
        For each fold the positions of its rows, ascending; together they are all rows.

    Raises:
        SplitError: Fewer than 2 folds, fewer rows or groups than folds, or rows in time.

    Example:
        >>> import polars as pl
        >>> from deepwell.data.infer import infer_schema
        >>> table = Table({"x": pl.Series([0.5, 1.5, 2.5, 3.5]), "y": pl.Series([1, 2, 3, 4])})
        >>> schema = infer_schema(table, targets=["y"])
        >>> parts = folds(table, schema, SplitSettings(min_rows=1), count=2, seed=0)
        >>> sorted(np.concatenate(parts).tolist()), [len(part) for part in parts]
        ([0, 1, 2, 3], [2, 2])
    """
    if count < 2:
        raise SplitError(f"Folds are at least 2. Got: {count}.")
    if count > len(table):
        raise SplitError(
            f"{count} folds need at least {count} rows, and there are {len(table)} outside the "
            f"test rows: ask for {len(table)} folds at the most."
        )
    if schema.name_of("time") is not None or settings.method == "time":
        raise SplitError("Rows in time are not dealt to folds: the future would teach the past.")
    _require_groups(table, schema, settings, count)
    left = np.arange(len(table))
    parts: list[NDArray[np.int64]] = []
    for remaining in range(count, 1, -1):
        shares = settings.model_copy(update={"val": 1 / remaining, "min_rows": 1})
        sides = split(
            table.take(left),
            schema,
            shares,
            seed=seed + remaining,
            stratify=None if stratify is None else stratify[left],
            has_test=True,
        )
        parts.append(np.sort(left[sides.val]))
        left = left[sides.train]
    return [*parts, np.sort(left)]


def _require_groups(table: Table, schema: Schema, settings: SplitSettings, count: int) -> None:
    name = schema.name_of("group")
    if name is None or settings.method not in ("auto", "group"):
        return
    found = table.series(name).n_unique()
    if found < count:
        raise SplitError(
            f'{count} folds need at least {count} groups, and column "{name}" has {found} outside '
            "the test rows: ask for fewer folds."
        )


def time_folds(
    table: Table, schema: Schema, *, count: int, embargo: float = 0.0
) -> list[tuple[Positions, Positions]]:
    """Return expanding windows: each fold is judged by later rows than those it learns from.

    The rows are cut into one block more than folds; the first is never held out. Rows of one
    moment are never on both sides, and rows nearer than the embargo are left out.

    Args:
        table: Rows that may be trained on.
        schema: Names the time column.
        count: Number of folds, at least 2.
        embargo: Least time between the two sides, in days for dates, else in its own units.

    Returns:
        For each fold the positions to learn from and those held out, ascending.

    Raises:
        SplitError: Fewer than 2 folds, too few moments, or an embargo that leaves nothing.

    Example:
        >>> import polars as pl
        >>> from deepwell.data.infer import infer_schema
        >>> from deepwell.data.settings import DataSettings
        >>> table = Table({"hour": pl.Series(range(9)), "y": pl.Series(range(9))})
        >>> schema = infer_schema(table, targets=["y"], settings=DataSettings(time="hour"))
        >>> [(len(past), held_out.tolist()) for past, held_out in
        ...  time_folds(table, schema, count=2, embargo=1.5)]
        [(2, [3, 4, 5]), (5, [6, 7, 8])]
    """
    if count < 2:
        raise SplitError(f"Folds are at least 2. Got: {count}.")
    times = times_of(table, schema)
    moments = np.unique(times)
    if len(moments) <= count:
        raise SplitError(
            f"{count} folds in time need at least {count + 1} moments, and there are "
            f"{len(moments)} outside the test rows: ask for fewer folds."
        )
    is_date = schema[schema.name_of("time") or ""].kind == "date"
    gap = embargo * (_DAY if is_date else 1)
    ordered = np.sort(times)
    cuts = ordered[[round(len(times) * part / (count + 1)) for part in range(1, count + 1)]]
    ends = [*cuts[1:], None]
    found: list[tuple[Positions, Positions]] = []
    for number, (start, end) in enumerate(zip(cuts, ends, strict=True)):
        is_later = times >= start
        held_out = np.flatnonzero(is_later if end is None else is_later & (times < end))
        past = np.flatnonzero((times < start) & (times <= start - gap))
        if not len(past) or not len(held_out):
            raise SplitError(
                f"Fold {number + 1} of {count} has {len(past)} rows to learn from and "
                f"{len(held_out)} to judge: ask for fewer folds, or a shorter folds.embargo."
            )
        found.append((past, held_out))
    return found
