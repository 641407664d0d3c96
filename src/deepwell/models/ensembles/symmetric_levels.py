"""The best question of a level, found by histograms: which column, and at which border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepwell.models.ensembles.symmetric_columns import Bins, Floats

TINY = 1e-12
"""Stands for the rows of parts without any."""
_GROUP = 2**17
"""Rows × columns that are counted at once."""


class Levels:
    """Finds the best question of a level.

    Args:
        bins: Of the training rows, (columns, rows).
        sizes: Number of bins of each column.
        weight: Of the rows, or None.
    """

    def __init__(self, bins: Bins, sizes: list[int], weight: Floats | None) -> None:
        self._rows = bins.shape[1]
        self._weight = weight
        kept = np.flatnonzero(np.array(sizes) > 1)
        width = max(1, _GROUP // max(self._rows, 1))
        self._groups = [
            _Group.of(bins, kept[start : start + width], sizes)
            for start in range(0, len(kept), width)
        ]
        width = min(width, len(kept))
        self._width = width
        self._values: list[Floats | None] = []
        self._counted: list[Floats] = []
        self._at_root = np.zeros(self._rows, dtype=np.int64)
        self._root_weights = self._count(self._at_root, [weight], 1)

    @property
    def can_split(self) -> bool:
        """Whether there is a column with more than one bin."""
        return bool(self._groups)

    def begin(self, gradients: Floats) -> None:
        """Set what the questions of the next tree are about, (H, rows)."""
        self._gradients = gradients
        self._values = [*gradients, self._weight]
        counted = self._count(self._at_root, list(gradients), 1)
        pairs = zip(counted, self._root_weights, strict=True)
        self._counted = [np.concatenate(pair) for pair in pairs]

    def descend(self, places: NDArray[np.int64], nodes: int) -> None:
        """Go to the next level: each node has become two, with even and odd numbers.

        Only the smaller side is counted; the other one is what it lacks of the nodes above.

        Args:
            places: Node of each row, on the new level.
            nodes: How many there are.
        """
        is_odd = (places & 1).astype(bool)
        odd = int(2 * np.count_nonzero(is_odd) <= self._rows)
        rows = np.flatnonzero(is_odd if odd else ~is_odd)
        values = [None if one is None else one[rows] for one in self._values]
        small = self._count(places[rows] >> 1, values, nodes // 2, rows)
        for place, (part, above) in enumerate(zip(small, self._counted, strict=True)):
            both = np.empty((len(part), nodes, part.shape[2]))
            both[:, odd::2] = part
            np.subtract(above, part, out=both[:, 1 - odd :: 2])
            self._counted[place] = both

    def _count(
        self,
        places: NDArray[np.int64],
        values: list[Floats | None],
        nodes: int,
        rows: NDArray[np.int64] | None = None,
    ) -> list[Floats]:
        """Return the sums of values in each bin, then the weights, (H + 1, nodes, bins) a group."""
        tiled = [None if one is None else np.tile(one, self._width) for one in values]
        found: list[Floats] = []
        for group in self._groups:
            keys = group.keys if rows is None else group.keys.take(rows, axis=1)
            keys = (keys + places * group.bins if nodes > 1 else keys).ravel()
            sums = np.empty((len(values), nodes, group.bins))
            for place, one in enumerate(tiled):
                given = None if one is None else one[: len(keys)]
                counts = np.bincount(keys, given, nodes * group.bins)
                sums[place] = counts.reshape(nodes, group.bins)
            found.append(sums)
        return found

    def best(self, places: NDArray[np.int64], nodes: int, l2: float) -> tuple[int, int]:
        """Return the column, and the highest bin that lies below the border.

        Args:
            places: Node of each row.
            nodes: How many there are.
            l2: Pull of the answers towards zero.
        """
        totals = sums_by_place(places, self._gradients, nodes)[:, :, None]
        weight = np.bincount(places, self._weight, nodes).astype(np.float64)[:, None]
        found = [
            group.best(counted.copy(), totals, weight, l2)
            for group, counted in zip(self._groups, self._counted, strict=True)
        ]
        _, column, below = max(found, key=lambda one: one[0])
        return column, below


@dataclass(frozen=True, slots=True)
class _Group:
    """Columns that are counted together, their bins side by side.

    Args:
        columns: Which ones, (G,).
        keys: Bin of each row in each column, counted through, (G, rows).
        starts: First bin of each column, (G,).
        place: Which of these columns each bin is of, (bins,).
        is_last: Whether a bin is the last of its column: nothing lies above it.
    """

    columns: NDArray[np.int64]
    keys: NDArray[np.int32]
    starts: NDArray[np.int64]
    place: NDArray[np.int64]
    is_last: NDArray[np.bool_]

    @classmethod
    def of(cls, bins: Bins, columns: NDArray[np.int64], sizes: list[int]) -> _Group:
        """Count the bins of some columns through."""
        counts = np.array([sizes[column] for column in columns])
        starts = np.cumsum(counts) - counts
        keys = bins[columns].astype(np.int32) + starts[:, None].astype(np.int32)
        place = np.repeat(np.arange(len(columns)), counts)
        is_last = np.zeros(len(place), dtype=bool)
        is_last[starts + counts - 1] = True
        return cls(columns, keys, starts, place, is_last)

    @property
    def bins(self) -> int:
        """Bins of all columns."""
        return len(self.place)

    def best(
        self, histograms: Floats, totals: Floats, weight: Floats, l2: float
    ) -> tuple[float, int, int]:
        """Return the best score with its column and the highest bin below the border.

        Args:
            histograms: Of each output's gradients, then of the weights, (H + 1, nodes, bins);
                they are lost.
            totals: Sums of the gradients of each output in each node, (H, nodes, 1).
            weight: Sums of the weights in each node, (nodes, 1).
            l2: Pull of the answers towards zero.
        """
        *sums, rows = histograms
        low, high = self._sides(rows, weight)
        low += l2 + TINY
        high += l2 + TINY
        score = np.zeros(self.bins)
        for histogram, total in zip(sums, totals, strict=True):
            below, above = self._sides(histogram, total)
            for side, weights in ((below, low), (above, high)):
                np.multiply(side, side, out=side)
                side /= weights
            below += above
            score += below.sum(axis=0)
        score[self.is_last] = -np.inf
        best = int(np.argmax(score))
        place = int(self.place[best])
        return float(score[best]), int(self.columns[place]), best - int(self.starts[place])

    def _sides(self, histogram: Floats, total: Floats) -> tuple[Floats, Floats]:
        """Return the sums up to each bin of a column, and beyond it; the histogram is lost."""
        # a column begins at zero again if what the columns before it sum up to is taken off
        histogram[:, self.starts[1:]] -= total
        below = np.cumsum(histogram, axis=1, out=histogram)
        return below, total - below


def sums_by_place(places: NDArray[np.int64], values: Floats, size: int) -> Floats:
    """Return the sums of values by place, (K, size), from values (K, rows)."""
    sums = [np.bincount(places, one, size).astype(np.float64, copy=False) for one in values]
    return np.stack(sums)
