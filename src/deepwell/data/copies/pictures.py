"""Pictures that are nearly the same: mirrored, recompressed, brighter, shifted, cropped a bit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepwell.data.copies.edges import Edges
from deepwell.data.copies.views import SHIFTS, View, Views, small_pictures

SAME = 0.9945
"""Correlation of two softened pictures from which on they can be copies. JPEG at quality 50 leaves
0.996 in 99 of 100 pictures of 28 x 28."""
SAME_SHIFTED = 0.9985
"""The same where one is shifted: a shift keeps the pixels, so more is asked of so many tries."""
SAME_ZOOMED = 0.996
"""The same where one shows the inner part of the other: pixels are mixed anew there."""
CROWD = 4
"""So many others may be nearly as much alike as the copy is: in a crowd, likeness is no proof.
Of a picture with very many copies, a fourth of their number."""
LEAST_GAP = 0.001
"""Distances below this are taken for noise when the crowd is counted."""
LARGE = 100_000
"""With more pictures than this, shifts and crops are not tried: time grows with the square."""
LEAF = 64
"""Pictures in a block of the search."""
BOX_DIMENSIONS = 24
FLAT = 3.0
"""Pictures whose softened values spread less than this (of 255) show nothing to compare."""
COLOUR_GAP = 16.0
"""Mean colours may differ by so much (of 255) once the brightness is equal."""

_Floats = NDArray[np.float32]
_Rows = NDArray[np.int64]
_Pairs = tuple[_Rows, _Rows]


def picture_copies(pictures: NDArray[np.uint8]) -> Edges:
    """Return the pairs of pictures of which one is a changed copy of the other.

    Found are copies that are mirrored, saved with loss, brighter or darker, with more or less
    contrast, of another size (pictures of a column have one size), shifted by up to two pixels of
    28 to 32, or cut by one pixel at each side and stretched. Pictures are compared softened, small
    and grey; a copy must also be much more alike than the pictures around it are, so that a shirt
    is no copy of the next plain shirt.

    Args:
        pictures: Of different content, shape (rows, height, width, channels).

    Reference:
        Lowe (2004), "Distinctive image features from scale-invariant keypoints", for the idea that
        a match counts if the second best is much worse.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> some = rng.integers(0, 255, (20, 7, 7, 1)).repeat(4, axis=1).repeat(4, axis=2)
        >>> both = np.concatenate([some, some[:1, :, ::-1]]).astype(np.uint8)
        >>> picture_copies(both).how
        ('pictures, mirrored',)
    """
    small = small_pictures(pictures)
    if small is None or len(small.grey) < 2:
        return Edges.none()
    rows = np.flatnonzero(small.grey.reshape(len(small.grey), -1).std(axis=1) >= FLAT)
    if len(rows) < 2:
        return Edges.none()
    views = Views(small.grey[rows])
    index = _Index.of(views.project(View()))
    found = list(_search(views, index, _wanted(len(rows))))
    edges = _best([part for part in found if len(part[0])])
    if edges is None:
        return Edges.none()
    first, second, likeness, how = edges
    tint = small.tint[rows]
    keep = np.abs(tint[first] - tint[second]).max(axis=1) <= COLOUR_GAP
    keep &= _stands_out(views, index, first, second, likeness, keep)
    return Edges(first, second, how).take(keep).renamed(rows)


@dataclass(frozen=True, slots=True)
class _Index:
    """All pictures in blocks of similar ones, each with its bounds.

    Args:
        order: Rows, block by block.
        points: Their descriptions, shape (rows, DIMENSIONS + 1).
        starts: Where each block begins.
        low: Smallest values in each block, shape (blocks, BOX_DIMENSIONS).
        high: Largest values in each block.
    """

    order: _Rows
    points: _Floats
    starts: _Rows
    low: _Floats
    high: _Floats

    @classmethod
    def of(cls, points: _Floats) -> _Index:
        blocks = list(_halves(points, np.arange(len(points))))
        order = np.concatenate(blocks)
        starts = np.cumsum([0, *(len(block) for block in blocks[:-1])])
        low, high = _bounds(points[order], starts)
        return cls(order, points[order], starts, low, high)

    def near(self, queries: _Floats, likeness: float) -> _Pairs:
        """Return (query, row) where the likeness may reach a bound; queries are in row order."""
        sorted_queries = queries[self.order]
        ends = np.append(self.starts[1:], len(self.order))
        low, high = _bounds(sorted_queries, self.starts)
        reach = 2 - 2 * likeness  # squared distance of two vectors of length 1
        asked: list[_Rows] = []
        found: list[_Rows] = []
        for block, (start, end) in enumerate(zip(self.starts, ends, strict=True)):
            gap = np.maximum(self.low - high[block], low[block] - self.high)
            gap = np.maximum(gap, 0)
            blocks = np.flatnonzero(np.einsum("ij,ij->i", gap, gap) <= reach)
            if not len(blocks):
                continue
            rows = np.concatenate([np.arange(self.starts[b], ends[b]) for b in blocks])
            scores = sorted_queries[start:end] @ self.points[rows].T
            hits = np.flatnonzero(scores >= likeness)
            if len(hits):
                query, place = np.divmod(hits, len(rows))
                asked.append(self.order[start + query])
                found.append(self.order[rows[place]])
        if not asked:
            return np.zeros(0, np.int64), np.zeros(0, np.int64)
        return np.concatenate(asked), np.concatenate(found)


def _halves(points: _Floats, rows: _Rows) -> Iterator[_Rows]:
    """Cut rows in halves along what varies most, until the blocks are small."""
    if len(rows) <= LEAF:
        yield rows
        return
    own = points[rows, :BOX_DIMENSIONS]
    order = np.argsort(own[:, own.var(axis=0).argmax()], kind="stable")
    middle = len(rows) // 2
    yield from _halves(points, rows[order[:middle]])
    yield from _halves(points, rows[order[middle:]])


def _bounds(points: _Floats, starts: _Rows) -> tuple[_Floats, _Floats]:
    part = points[:, :BOX_DIMENSIONS]
    return np.minimum.reduceat(part, starts), np.maximum.reduceat(part, starts)


def _wanted(num_rows: int) -> list[tuple[View, float]]:
    """Return the views of a picture that are compared with the others as they are.

    Shifts come in pairs that say the same of two pictures, so one of each pair is enough.
    """
    wanted = [(View(), SAME), (View(mirrored=True), SAME)]
    if num_rows > LARGE:
        return wanted
    for right in range(-SHIFTS, SHIFTS + 1):
        for down in range(-SHIFTS, SHIFTS + 1):
            if (down, right) > (0, 0):
                wanted.append((View(right=right, down=down), SAME_SHIFTED))
            if down >= 0 and (down, right) != (0, 0):
                wanted.append((View(mirrored=True, right=right, down=down), SAME_SHIFTED))
    wanted += [(View(zoomed=True), SAME_ZOOMED), (View(zoomed=True, mirrored=True), SAME_ZOOMED)]
    return wanted


_Found = tuple[_Rows, _Rows, _Floats, View]


def _search(views: Views, index: _Index, wanted: list[tuple[View, float]]) -> Iterator[_Found]:
    """Yield for each view the pairs that pass, with their likeness; in the order of the views."""

    def search(view: View, likeness: float) -> _Found:
        query, row = index.near(views.project(view), likeness)
        one_of_two = query < row if view.is_symmetric else query != row
        query, row = query[one_of_two], row[one_of_two]
        exact, agrees = views.likeness(query, row, view)
        keep = agrees & (exact >= likeness)
        return query[keep], row[keep], exact[keep], view

    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        yield from pool.map(search, *zip(*wanted, strict=True))


def _best(found: list[_Found]) -> tuple[_Rows, _Rows, _Floats, tuple[str, ...]] | None:
    """Return each pair once, with the view in which it is most alike."""
    if not found:
        return None
    query = np.concatenate([part[0] for part in found])
    row = np.concatenate([part[1] for part in found])
    likeness = np.concatenate([part[2] for part in found])
    views = np.repeat(np.arange(len(found)), [len(part[0]) for part in found])
    first, second = np.minimum(query, row), np.maximum(query, row)
    # 4 decimals: of views that are alike, the first, which is the plainest
    order = np.lexsort((views, -likeness.round(4), second, first))
    first, second, likeness, views = first[order], second[order], likeness[order], views[order]
    new = np.ones(len(first), dtype=np.bool_)
    new[1:] = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    how = tuple(found[view][3].words for view in views[new])
    return first[new], second[new], likeness[new], how


def _stands_out(
    views: Views,
    index: _Index,
    first: _Rows,
    second: _Rows,
    likeness: _Floats,
    among: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Say for each pair whether few other pictures are nearly as much alike.

    Counted are the neighbours of either picture at up to twice the distance of the pair that are
    not as near as the copy: copies of one picture are near each other and far from all others.
    """
    ends = np.unique(np.concatenate([first[among], second[among]]))
    if not len(ends):
        return among
    distances = np.maximum(1 - likeness, LEAST_GAP)
    neighbours = _neighbours(views, index, ends, 1 - 2 * float(distances[among].max()))
    out = among.copy()
    for pair in np.flatnonzero(among):
        for row in (int(first[pair]), int(second[pair])):
            own = neighbours.get(row)
            if own is None:
                continue
            inside = int((own <= 1.05 * distances[pair]).sum())
            around = int((own <= 2 * distances[pair]).sum()) - inside
            if around > max(CROWD, inside // 4):
                out[pair] = False
    return out


def _neighbours(views: Views, index: _Index, ends: _Rows, likeness: float) -> dict[int, _Floats]:
    """Return the distances of the pictures around some rows, as they are and mirrored."""
    rows: list[_Rows] = []
    away: list[_Floats] = []
    for view in (View(), View(mirrored=True)):
        points = views.project(view, ends)
        for start in range(0, len(ends), 256):
            scores = points[start : start + 256] @ index.points.T
            query, place = np.nonzero(scores >= likeness)
            query, row = ends[start + query], index.order[place]
            query, row = query[query != row], row[query != row]
            exact, _ = views.likeness(query, row, view)
            rows.append(query[exact >= likeness])
            away.append(1 - exact[exact >= likeness])
    query, distance = np.concatenate(rows), np.concatenate(away)
    if not len(query):
        return {}
    order = np.argsort(query, kind="stable")
    unique, starts = np.unique(query[order], return_index=True)
    parts = np.split(distance[order], starts[1:])
    return {int(row): part for row, part in zip(unique, parts, strict=True)}
