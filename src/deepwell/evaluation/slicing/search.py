"""The search for slices whose rows are worse than chance allows, corrected for all that it sees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.means import Floats, divide
from deepwell.evaluation.slicing.bins import Binned

SHUFFLES = 999
FEWEST_SHUFFLES = 199
WORK = 400_000_000
"""Rows in slices × shuffles that are spent before fewer shuffles are made."""
PIECE = 50
FEWEST_IN_SLICE = 10
"""Groups of rows that a slice must hold where whole groups are shuffled."""

Part = tuple[int, int]
"""Position of a column, and code of a part of it."""


@dataclass(frozen=True)
class Cells:
    """All slices that are looked at.

    Args:
        parts: What each slice is made of: one part of a column, or two.
        rows: Which rows each slice holds: a sparse matrix (slices, rows) of 0 and 1.
    """

    parts: tuple[tuple[Part, ...], ...]
    rows: Any

    def __len__(self) -> int:
        return len(self.parts)


def all_cells(columns: Sequence[Binned], *, pairs: int, least: int) -> Cells:
    """Make the slices of single columns, and of pairs of the first columns.

    Args:
        columns: Rows in parts.
        pairs: How many columns are paired with each other.
        least: Fewest rows in a slice, and outside of it.
    """
    from scipy import sparse

    num_rows = len(columns[0].codes)
    parts: list[tuple[Part, ...]] = []
    members: list[NDArray[np.int64]] = []
    for index, column in enumerate(columns):
        for code, rows in _members(column.codes, least, num_rows - least):
            parts.append(((index, code),))
            members.append(rows)
    for a, b in combinations(range(min(pairs, len(columns))), 2):
        width = len(columns[b].labels)
        sizes = [np.bincount(columns[i].codes, minlength=len(columns[i].labels)) for i in (a, b)]
        both = columns[a].codes * width + columns[b].codes
        for code, rows in _members(both, least, num_rows - least):
            first, second = divmod(code, width)
            if len(rows) > 0.95 * min(sizes[0][first], sizes[1][second]):
                continue  # nearly the same rows as one of its parts alone
            parts.append(((a, first), (b, second)))
            members.append(rows)
    ends = np.cumsum([0, *(len(rows) for rows in members)])
    index = np.concatenate(members) if members else np.zeros(0, dtype=np.int64)
    shape = (len(parts), num_rows)
    return Cells(tuple(parts), sparse.csr_matrix((np.ones(len(index)), index, ends), shape=shape))


def _members(
    codes: NDArray[np.int64], least: int, most: int
) -> list[tuple[int, NDArray[np.int64]]]:
    order = np.argsort(codes, kind="stable")
    found, starts, counts = np.unique(codes[order], return_index=True, return_counts=True)
    return [
        (int(code), np.sort(order[start : start + count]))
        for code, start, count in zip(found, starts, counts, strict=True)
        if least <= count <= most
    ]


def shuffled_p(
    cells: Cells, errors: Floats, seed: int, groups: NDArray[np.int64] | None = None
) -> tuple[Floats, Floats]:
    """Return how far each slice is above the others, and the chance that any slice gets so far.

    The errors are dealt anew to the rows again and again; the largest slice of each deal says what
    looking at so many slices gives by chance. So at most 5 % of searches in which the errors have
    nothing to do with the columns have a slice with p ≤ 0.05. Rows of one group are not
    independent: there the sums of whole groups change their signs instead.

    Args:
        cells: The slices.
        errors: Of each row, shape (rows,).
        seed: Same seed, same result.
        groups: Code of the group of each row, or None.

    Returns:
        Standardised excess and corrected p-value, each of shape (slices,).

    Reference:
        Westfall and Young (1993), Resampling-based multiple testing; Chernozhukov, Chetverikov
        and Kato (2013), Gaussian approximations and multiplier bootstrap for maxima of sums.
    """
    if groups is None:
        return _by_rows(cells, errors, seed)
    return _by_groups(cells, errors, seed, groups)


def _num_shuffles(cells: Cells) -> int:
    return max(FEWEST_SHUFFLES, min(SHUFFLES, WORK // max(1, int(cells.rows.nnz))))


def _by_rows(cells: Cells, errors: Floats, seed: int) -> tuple[Floats, Floats]:
    generator = np.random.default_rng(seed)
    num_rows = len(errors)
    centred = errors - errors.mean()
    sizes = np.asarray(cells.rows.sum(axis=1)).ravel()
    scale = centred.std() * np.sqrt(sizes * (1 - sizes / num_rows))
    observed = divide(cells.rows @ centred, scale)
    if not scale.any():
        return np.zeros(len(cells)), np.ones(len(cells))
    largest: list[Floats] = []
    left = _num_shuffles(cells)
    while left > 0:
        width = min(PIECE, left)
        dealt = np.stack([generator.permutation(centred) for _ in range(width)], axis=1)
        largest.append(((cells.rows @ dealt) / scale[:, None]).max(axis=0))
        left -= width
    return observed, _corrected(observed, np.concatenate(largest))


def _by_groups(
    cells: Cells, errors: Floats, seed: int, groups: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    from scipy import sparse

    generator = np.random.default_rng(seed)
    num_rows, num_groups = len(errors), int(groups.max()) + 1
    centred = errors - errors.mean()
    of_group = sparse.csr_matrix((np.ones(num_rows), (np.arange(num_rows), groups)))
    of_group.resize((num_rows, num_groups))
    sizes = np.asarray(cells.rows.sum(axis=1)).ravel()
    sums = (cells.rows.multiply(centred[None, :]).tocsr() @ of_group).toarray()
    sums -= (sizes / num_rows)[:, None] * np.bincount(groups, centred, num_groups)[None, :]
    num_inside = ((cells.rows @ of_group).toarray() > 0).sum(axis=1)
    scale = np.sqrt((sums**2).sum(axis=1))
    is_wide = (num_inside >= FEWEST_IN_SLICE) & (scale > 0)
    observed = np.where(is_wide, divide(sums.sum(axis=1), scale), -np.inf)
    if not is_wide.any():
        return np.zeros(len(cells)), np.ones(len(cells))
    signs = generator.choice([-1.0, 1.0], (num_groups, SHUFFLES))
    largest = ((sums[is_wide] @ signs) / scale[is_wide, None]).max(axis=0)
    return observed, _corrected(observed, largest)


def _corrected(observed: Floats, largest: Floats) -> Floats:
    above = len(largest) - np.searchsorted(np.sort(largest), observed - 1e-12, side="left")
    return (1 + above) / (1 + len(largest))
