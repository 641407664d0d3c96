"""Rows that equal each other, pictures included."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import ColumnSpec
from deepwell.data.table import Column

ORDINARY_REPEATS = 10
"""With so many rows for each possible combination of inputs, equal rows are no copies."""
BY_CHANCE = 0.5
"""If so large a share of the pairs of equal rows is due to chance, equal rows are no copies."""
FEWEST_PAIRS = 20
"""Of fewer pairs, it cannot be said how many are due to chance."""
COARSE = 3
"""Each column must hold so many times more equal pairs than the rows do: one that is equal hardly
more often than whole rows are says nothing about chance, as its values come from the copies."""


def row_groups(columns: Mapping[str, Column] | Sequence[Column]) -> NDArray[np.int64]:
    """Return for each row the position of the first row that equals it in all columns.

    Args:
        columns: Of equal length, at least one. Missing values equal each other.

    Example:
        >>> row_groups([pl.Series([1, 2, 1]), pl.Series(["a", "b", "a"])]).tolist()
        [0, 1, 0]
    """
    values = columns.values() if isinstance(columns, Mapping) else columns
    keys = [key_series(column).alias(f"key {index}") for index, column in enumerate(values)]
    frame = pl.DataFrame(keys).with_row_index("position")
    first = frame.select(pl.col("position").min().over([key.name for key in keys]))
    return first["position"].cast(pl.Int64).to_numpy()


def key_series(column: Column) -> pl.Series:
    """Return a series that is equal where the rows are: pictures become their digest."""
    if isinstance(column, pl.Series):
        return column.fill_nan(None) if column.dtype.is_float() else column
    return pl.Series([_digest(row) for row in column], dtype=pl.Binary)


def count_copies(groups: NDArray[np.int64]) -> int:
    """Return how many rows equal an earlier row."""
    return int((groups != np.arange(len(groups))).sum())


def repeats_are_ordinary(inputs: Iterable[ColumnSpec], num_rows: int) -> bool:
    """Say whether equal rows must occur: far fewer combinations of inputs exist than rows.

    Three columns with 4, 2 and 2 values allow 16 different rows; among a thousand people, equal
    ones are different people and not copies.
    """
    combinations = 1
    for column in inputs:
        combinations *= max(1, column.distinct + (column.missing > 0))
        if combinations * ORDINARY_REPEATS > num_rows:
            return False
    return True


def repeats_by_chance(columns: Sequence[Column], groups: NDArray[np.int64]) -> bool:
    """Say whether at least half of the pairs of equal rows are what chance alone brings.

    Chance is that of columns which know nothing of each other: the share of pairs of rows that
    are equal in a column, multiplied over the columns. Columns that depend on each other bring
    more, so what is called chance here is chance.

    Args:
        columns: Of equal length.
        groups: For each row the position of the first row that equals it; see `row_groups`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> people = [pl.Series(rng.integers(0, 12, 400)) for _ in range(3)]
        >>> repeats_by_chance(people, row_groups(people))
        True
        >>> sizes = [pl.Series(np.tile(rng.normal(size=200), 2)) for _ in range(3)]
        >>> repeats_by_chance(sizes, row_groups(sizes))
        False
    """
    pairs = _equal_pairs(np.bincount(groups))
    if pairs < FEWEST_PAIRS or not all(isinstance(column, pl.Series) for column in columns):
        return False  # pictures are not equal by chance
    all_pairs = _equal_pairs(np.array([len(groups)]))
    expected = all_pairs
    for column in columns:
        counts = key_series(column).alias("value").value_counts(name="rows")["rows"]
        alike = _equal_pairs(counts.to_numpy())
        expected *= alike / all_pairs
        if alike < COARSE * pairs or expected < BY_CHANCE * pairs:
            return False
    return True


def _equal_pairs(counts: NDArray[Any]) -> float:
    sizes = counts.astype(np.float64)
    return float((sizes * (sizes - 1)).sum() / 2)


def join_groups(one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join two groupings: rows end up together if a chain of either connects them.

    Args:
        one: For each row the position of the first row of its group, shape (rows,).
        other: The same for a second grouping.

    Example:
        >>> join_groups(np.array([0, 0, 2, 2, 4]), np.array([0, 1, 1, 3, 4])).tolist()
        [0, 0, 0, 0, 4]
    """
    labels = one
    while True:
        previous = labels
        for grouping in (other, one):
            smallest = np.full(len(labels), len(labels), dtype=np.int64)
            np.minimum.at(smallest, grouping, labels)
            labels = smallest[grouping]
        labels = labels[labels]  # a label is a row of the same chain: take the label of that row
        if np.array_equal(labels, previous):
            return labels


def _digest(picture: NDArray[Any]) -> bytes:
    return hashlib.blake2b(picture.tobytes(), digest_size=16).digest()
