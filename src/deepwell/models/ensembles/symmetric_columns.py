"""What symmetric trees ask about: numbers, and the mean targets of categories."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.models.ensembles.borders import LOWEST, MOST_BINS, bins_of, borders_of
from deepwell.types import InputSpec

COMMON = 50
"""Rows of a category from which its mean is known: one row of it is a fiftieth of it."""
STATISTIC_BINS = 32
"""Bins of a statistic: what tells neighbours in it apart is mostly the order of the rows."""

Floats = NDArray[np.float64]
Bins = NDArray[np.uint8]


class Columns:
    """What trees ask about: numbers, then the statistics of categories; and their bins."""

    def __init__(self, spec: InputSpec) -> None:
        self._spec = spec
        self.borders: list[NDArray[np.float32]] = []
        self.statistics: NDArray[np.float32] = np.zeros((0, 0, 0), dtype=np.float32)

    @property
    def sizes(self) -> list[int]:
        """Number of bins of each column."""
        return [len(borders) + 1 for borders in self.borders]

    def learn(self, inputs: NDArray[Any], known: Floats, weight: Floats | None, seed: int) -> Bins:
        """Find the borders; return the bins of the training rows, (columns, rows).

        Args:
            inputs: (rows, F + C).
            known: What categories learn the means of, (statistics, rows).
            weight: Of the rows, or None.
            seed: Of their order.
        """
        numbers, codes = self._parts(inputs)
        order = np.random.default_rng(seed).permutation(len(inputs))
        size = max(self._spec.cardinalities, default=0)
        means = OrderedMeans(known, weight, order, size)
        self.statistics = np.zeros((len(codes), size, len(known)), dtype=np.float32)
        for place, column in enumerate(codes):
            self.statistics[place] = means.of_all(column)
        seen = [
            np.where(_is_common(column), table[column].T, means.before(column))
            for column, table in zip(codes, self.statistics, strict=True)
        ]
        columns = [*numbers, *(row for one in seen for row in one)]
        self.borders = [_with_gaps(column) for column in numbers]
        self.borders += [
            borders_of(column, most_bins=STATISTIC_BINS) for column in columns[len(numbers) :]
        ]
        return self._binned(columns)

    def bins(self, inputs: NDArray[Any]) -> Bins:
        """Return the bins of other rows, (columns, rows)."""
        numbers, codes = self._parts(inputs)
        seen = [table[column].T for table, column in zip(self.statistics, codes, strict=True)]
        return self._binned([*numbers, *(row for one in seen for row in one)])

    def _parts(self, inputs: NDArray[Any]) -> tuple[list[NDArray[np.float32]], NDArray[np.int64]]:
        count = self._spec.num_numbers
        numbers = np.array(inputs[:, :count].T, dtype=np.float32)
        numbers[np.isnan(numbers)] = -np.inf
        return list(numbers), inputs[:, count:].T.astype(np.int64)

    def _binned(self, columns: list[NDArray[np.float32]]) -> Bins:
        rows = len(columns[0]) if columns else 0
        bins = np.zeros((len(columns), rows), dtype=np.uint8)
        for place, (column, borders) in enumerate(zip(columns, self.borders, strict=True)):
            bins[place] = bins_of(column, borders)
        return bins


def _with_gaps(column: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the borders of a column, with one between its gaps, which are -∞, and all others."""
    is_gap = np.isneginf(column)
    if not is_gap.any():
        return borders_of(column)
    borders = borders_of(column[~is_gap], most_bins=MOST_BINS - 1)
    return np.insert(borders, 0, np.float32(LOWEST)) if not is_gap.all() else borders


def _is_common(codes: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Tell of each row whether its category is so common that its own target hardly tells."""
    return (np.bincount(codes) >= COMMON)[codes]


class OrderedMeans:
    """Mean targets of categories, drawn towards the mean of all by one row of it.

    Args:
        known: Targets, (statistics, rows).
        weight: Of the rows, or None.
        order: In which the rows come.
        size: Codes of a category, at the most.
    """

    def __init__(
        self, known: Floats, weight: Floats | None, order: NDArray[np.int64], size: int
    ) -> None:
        self._weight = np.ones(known.shape[1]) if weight is None else weight
        self._prior = np.average(known, axis=1, weights=weight)[:, None]
        self._values = known * self._weight
        self._order = order
        self._size = size

    def before(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the mean of the rows of the same code that come before, (statistics, rows)."""
        places = self._order[np.argsort(codes[self._order], kind="stable")]
        sorted_codes = codes[places]
        first = np.searchsorted(sorted_codes, sorted_codes)
        table = np.concatenate([self._values, self._weight[None]])[:, places]
        until = np.cumsum(table, axis=1) - table
        sums = until - until[:, first]
        means = np.empty_like(self._values)
        means[:, places] = (sums[:-1] + self._prior) / (sums[-1] + 1)
        return means.astype(np.float32)

    def of_all(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the mean of all rows of each code, (codes, statistics)."""
        rows = np.bincount(codes, self._weight, self._size)
        sums = np.stack([np.bincount(codes, one, self._size) for one in self._values])
        return ((sums + self._prior) / (rows + 1)).T.astype(np.float32)
