"""Deal units of rows to the three sides of a split, as near to the wanted sizes as possible."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepwell.errors import SplitError

TRAIN, VAL, TEST = 0, 1, 2
TRIES = 64
"""Orders that are tried to come near the wanted sizes, when units are larger than one row."""

Sizes = NDArray[np.int64]
Wanted = tuple[int, int]
"""Rows wanted for val and for test; 0 = no such side."""


def deal(sizes: Sizes, wanted: Wanted, rng: np.random.Generator) -> NDArray[np.int8]:
    """Deal units at random: each side that is wanted gets at least one, if there are enough.

    Args:
        sizes: Rows of each unit, shape (units,).
        wanted: Rows for val and test.
        rng: Source of chance.

    Returns:
        Side of each unit, shape (units,).

    Example:
        >>> deal(np.ones(10, dtype=np.int64), (2, 3), np.random.default_rng(0)).tolist().count(2)
        3
    """
    wanted = _affordable(len(sizes), wanted)
    best, best_cost = np.zeros(len(sizes), dtype=np.int8), None
    for _ in range(TRIES if any(wanted) else 0):
        order = rng.permutation(len(sizes))
        # what is larger than val and test goes to train
        order = order[np.argsort(sizes[order] > max(wanted), kind="stable")]
        sides, cost = _cut(order, sizes, wanted)
        if best_cost is None or cost < best_cost:
            best, best_cost = sides, cost
        if cost == 0:
            break
    return best


def deal_by_class(
    sizes: Sizes, classes: NDArray[np.int64], wanted: Wanted, rng: np.random.Generator
) -> NDArray[np.int8]:
    """Deal units of each class in the same shares.

    A class of at least three units is on each side that is wanted; a single unit is for training.

    Args:
        sizes: Rows of each unit, shape (units,).
        classes: Class of each unit, shape (units,).
        wanted: Rows for val and test.
        rng: Source of chance.
    """
    _, index = np.unique(classes, return_inverse=True)
    rows = np.bincount(index, weights=sizes).astype(np.int64)
    units = np.bincount(index)
    num_sides = 1 + sum(size > 0 for size in wanted)
    quotas = [_quotas(rows, size, at_least_one=units >= num_sides) for size in wanted]
    sides = np.zeros(len(sizes), dtype=np.int8)
    members = np.split(np.argsort(index, kind="stable"), np.cumsum(units)[:-1])
    for label, member in enumerate(members):
        quota = (int(quotas[0][label]), int(quotas[1][label]))
        sides[member] = deal(sizes[member], quota, rng)
    return sides


def deal_by_time(
    times: NDArray[np.float64] | NDArray[np.int64], wanted: Wanted
) -> NDArray[np.int8]:
    """Deal rows by time: the latest are for test, those before for val; ties stay together.

    Args:
        times: Time of each row, shape (rows,).
        wanted: Rows for val and test.

    Raises:
        SplitError: There are fewer different times than sides.

    Example:
        >>> deal_by_time(np.array([3, 1, 2, 4]), (1, 1)).tolist()
        [1, 0, 0, 2]
    """
    order = np.argsort(times, kind="stable")
    starts = np.flatnonzero(np.diff(times[order])) + 1  # where a new moment begins
    needed = sum(size > 0 for size in wanted)
    if len(starts) < needed:
        raise SplitError(
            f"A split by time in {needed + 1} sides needs at least {needed + 1} different times. "
            f"Found: {len(starts) + 1}. Name another --time column, or leave it out."
        )
    ranks = np.zeros(len(times), dtype=np.int8)
    end = len(times)
    for left, (side, size) in zip(
        (needed - 1, 0), ((TEST, wanted[1]), (VAL, wanted[0])), strict=True
    ):
        if size == 0:
            continue
        possible = starts[max(left, 0) : np.searchsorted(starts, end)]
        start = int(possible[np.abs(possible - (end - size)).argmin()])
        ranks[start:end] = side
        end = start
    sides = np.empty_like(ranks)
    sides[order] = ranks
    return sides


def _affordable(units: int, wanted: Wanted) -> Wanted:
    """Give up val, then test, if there are fewer units than sides."""
    val, test = wanted
    if val and units < 2 + (test > 0):
        val = 0
    if test and units < 2 + (val > 0):
        test = 0
    return val, test


def _cut(order: NDArray[np.int64], sizes: Sizes, wanted: Wanted) -> tuple[NDArray[np.int8], int]:
    """Cut an order of units in test, val, train; return sides and distance from what is wanted."""
    ends = np.cumsum(sizes[order])
    sides = np.zeros(len(sizes), dtype=np.int8)
    start, used, cost = 0, 0, 0
    reserve = 1 + (wanted[0] > 0)
    for side, size in ((TEST, wanted[1]), (VAL, wanted[0])):
        if size == 0:
            continue
        last = len(ends) - (reserve if side == TEST else 1)
        possible = ends[start:last] - used
        count = int(np.abs(possible - size).argmin()) + 1
        sides[order[start : start + count]] = side
        cost += abs(int(possible[count - 1]) - size)
        start, used = start + count, int(ends[start + count - 1])
    return sides, cost


def _quotas(rows: Sizes, total: int, *, at_least_one: NDArray[np.bool_]) -> Sizes:
    """Divide a side among the classes by their rows, by the largest remainders."""
    if total == 0:
        return np.zeros_like(rows)
    exact = rows * (total / rows.sum())
    quotas = np.floor(exact).astype(np.int64)
    rest = total - int(quotas.sum())
    quotas[np.argsort(quotas - exact, kind="stable")[:rest]] += 1
    return np.where(at_least_one, np.maximum(quotas, 1), quotas)
