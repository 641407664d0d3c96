"""Folds: rows divided so that each is held out once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.split import SplitSettings, split
from deepwell.data.table import Table
from deepwell.errors import SplitError


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
        raise SplitError(f"{count} folds need at least {count} rows. Got: {len(table)}.")
    if schema.name_of("time") is not None or settings.method == "time":
        raise SplitError("Rows in time are not dealt to folds: the future would teach the past.")
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
