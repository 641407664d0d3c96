"""Pairs of rows that are copies of each other, and the groups that they form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Edges:
    """Pairs of rows, each with what they share.

    Args:
        first: Positions of rows, shape (pairs,).
        second: Positions of the other rows, shape (pairs,).
        how: What equals what, for people: one text a pair.
    """

    first: Rows
    second: Rows
    how: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.how)

    @classmethod
    def none(cls) -> Edges:
        """Return no pair."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), ())

    @classmethod
    def all_of(cls, parts: list[Edges]) -> Edges:
        """Put pairs of several origins behind each other."""
        if not parts:
            return cls.none()
        return cls(
            np.concatenate([part.first for part in parts]),
            np.concatenate([part.second for part in parts]),
            tuple(text for part in parts for text in part.how),
        )

    def take(self, wanted: NDArray[np.bool_]) -> Edges:
        """Return the pairs where the mask is true."""
        how = tuple(text for text, keep in zip(self.how, wanted, strict=True) if keep)
        return Edges(self.first[wanted], self.second[wanted], how)

    def renamed(self, rows: Rows) -> Edges:
        """Return the pairs with each position replaced by that of a larger table."""
        return Edges(rows[self.first], rows[self.second], self.how)


def connected(num_rows: int, first: Rows, second: Rows) -> Rows:
    """Return for each row the smallest row that a chain of pairs connects it with.

    Example:
        >>> connected(5, np.array([3, 1]), np.array([1, 0])).tolist()
        [0, 0, 2, 0, 4]
    """
    labels = np.arange(num_rows, dtype=np.int64)
    while len(first):
        smaller = np.minimum(labels[first], labels[second])
        previous = labels.copy()
        for ends in (first, second):
            np.minimum.at(labels, previous[ends], smaller)
            np.minimum.at(labels, ends, smaller)
        labels = labels[labels]
        if np.array_equal(labels, previous):
            break
    return labels
