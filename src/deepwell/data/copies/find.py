"""Find the rows of a table that are copies of each other, whatever its columns hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.copies.edges import Edges, Rows, connected
from deepwell.data.copies.pictures import picture_copies
from deepwell.data.copies.rows import Cells, row_copies
from deepwell.data.copies.texts import text_copies
from deepwell.data.duplicates import repeats_are_ordinary, repeats_by_chance, row_groups
from deepwell.data.schema import ColumnSpec
from deepwell.data.table import Column

Search = Literal["near", "exact", "none"]
"""Also changed copies, only equal rows, or no copies at all."""
LARGEST_GROUP = 20
"""Near copies may join so many different rows, or the share below of all, whichever is more."""
LARGEST_SHARE = 0.01
MOST = 0.5
"""If more than this share of the rows were near copies of others, likeness is no sign."""
ALIKE = "pictures or texts that are alike"


@dataclass(frozen=True, slots=True)
class Copies:
    """Which rows are copies of each other.

    Args:
        groups: For each row the position of the first row of its group, shape (rows,).
        exact: Rows that equal an earlier row in every input.
        near: Further rows that are a changed copy of another row.
        edges: Pairs of copies, with what they share; each row of a group is in at least one.
        ordinary: Rows are equal because few combinations exist, so they form no groups.
        given_up: Rows that look alike in so large a crowd that they are not taken for copies.
        search: What was looked for.
    """

    groups: Rows
    exact: int = 0
    near: int = 0
    edges: Edges = field(default_factory=Edges.none)
    ordinary: bool = False
    given_up: int = 0
    search: Search = "near"


def find_copies(
    specs: Sequence[ColumnSpec], columns: Sequence[Column], search: Search = "near"
) -> Copies:
    """Find rows with equal inputs and, if asked, changed copies.

    A changed copy agrees in every input: its pictures are the same but mirrored, recompressed and
    the like, its texts share most of their words, its numbers differ by rounding at the most, all
    else is equal; a column that only numbers or dates the rows may differ.

    Args:
        specs: The input columns.
        columns: Their values, in the types of their kinds.
        search: What to look for.

    Example:
        >>> spec = ColumnSpec(name="x", kind="number", role="input", reason="", distinct=3)
        >>> find_copies([spec], [pl.Series([1.5, 2.5, 1.5, 3.5])]).groups.tolist()
        [0, 1, 0, 3]
    """
    num_rows = len(columns[0]) if columns else 0
    alone = np.arange(num_rows, dtype=np.int64)
    if search == "none" or num_rows == 0:
        return Copies(alone, search=search)
    groups = row_groups(columns)
    repeated = np.flatnonzero(groups != alone)
    if repeats_are_ordinary(specs, num_rows) or repeats_by_chance(columns, groups):
        return Copies(alone, exact=len(repeated), ordinary=True, search=search)
    equal = Edges(groups[repeated], repeated, ("every input",) * len(repeated))
    if search == "exact":
        return Copies(groups, exact=len(repeated), edges=equal, search=search)
    single = np.flatnonzero(groups == alone)
    near, given_up = _near(specs, [_take(column, single) for column in columns])
    near = near.renamed(single)
    joined = connected(
        num_rows,
        np.concatenate([equal.first, near.first]),
        np.concatenate([equal.second, near.second]),
    )
    num_near = len(single) - len(np.unique(joined))
    return Copies(joined, len(repeated), num_near, Edges.all_of([near, equal]), given_up=given_up)


def _take(column: Column, rows: Rows) -> Column:
    if len(rows) == len(column):
        return column
    return column.gather(rows) if isinstance(column, pl.Series) else column[rows]


def _near(specs: Sequence[ColumnSpec], columns: Sequence[Column]) -> tuple[Edges, int]:
    """Return the near copies among rows that all differ, and how many were given up."""
    cells: list[Cells] = []
    found: list[Edges] = []
    given_up = 0
    num_rows = len(columns[0])
    for spec, column in zip(specs, columns, strict=True):
        edges = _alike(spec, column)
        if edges is None:
            if isinstance(column, pl.Series):
                cells.append(Cells(spec, column))
            continue
        edges, dropped = _without_crowds(num_rows, edges)
        given_up = max(given_up, dropped)
        found.append(edges)
        cells.append(Cells(spec, pl.Series(_labels(column, edges))))
    if len(columns) == 1 and found:
        return found[0], given_up
    if found:  # copies must agree in all columns: those that are alike have one label
        edges = Edges.all_of([_labelled(cells, found), row_copies(cells)])
    else:
        edges = row_copies(cells)
    edges, dropped = _without_crowds(num_rows, edges)
    return edges, max(given_up, dropped)


def _alike(spec: ColumnSpec, column: Column) -> Edges | None:
    """Return the alike values of a column of pictures or texts, None for other columns."""
    if not isinstance(column, pl.Series):
        groups = row_groups([column])
        rows = np.flatnonzero(groups == np.arange(len(groups)))
        return picture_copies(column[rows]).renamed(rows)
    if spec.kind == "text" and column.dtype == pl.String:
        first = row_groups([column])
        rows = np.flatnonzero(first == np.arange(len(first)))
        return text_copies(column.gather(rows)).renamed(rows)
    return None


def _labels(column: Column, edges: Edges) -> Rows:
    """Return for each row a number that is equal where the values are equal or alike."""
    groups = row_groups([column])
    return connected(len(groups), edges.first, edges.second)[groups]


def _labelled(cells: Sequence[Cells], found: Sequence[Edges]) -> Edges:
    """Return the pairs of rows that are equal once what is alike has one label."""
    groups = row_groups([cell.values for cell in cells])
    rows = np.flatnonzero(groups != np.arange(len(groups)))
    told = {
        (int(a), int(b)): how
        for edges in found
        for a, b, how in zip(edges.first, edges.second, edges.how, strict=True)
    }
    how = tuple(told.get((int(groups[row]), int(row)), ALIKE) for row in rows)
    return Edges(groups[rows], rows, how)


def _without_crowds(num_rows: int, edges: Edges) -> tuple[Edges, int]:
    """Leave out pairs that chain many rows together; return the rest, and the rows concerned."""
    if not len(edges):
        return edges, 0
    labels = connected(num_rows, edges.first, edges.second)
    sizes = np.bincount(labels, minlength=num_rows)[labels]
    if (sizes > 1).sum() > MOST * num_rows and num_rows > LARGEST_GROUP:
        return Edges.none(), int((sizes > 1).sum())
    crowd: NDArray[np.bool_] = sizes > max(LARGEST_GROUP, LARGEST_SHARE * num_rows)
    return edges.take(~crowd[edges.first]), int(crowd.sum())
