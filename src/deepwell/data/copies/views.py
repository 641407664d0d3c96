"""Small softened pictures, and the views of them (mirrored, shifted, zoomed) as short vectors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_SIDE = 32
"""Larger pictures are made so small before they are compared."""
MIN_SIDE = 16
"""Smaller pictures hold too little to tell a copy from another picture."""
MARGIN = 3
"""Pixels at each edge that are not compared, so that a shifted picture fits."""
SHIFTS = 2
"""Shifts that are tried in each direction, in pixels of the small picture."""
DIMENSIONS = 24
"""Main directions that describe a picture in the search; what is left is bounded by one more."""
MOST_LEFT, MEAN_LEFT = 22.0, 4.5
"""Grey values (of 255) by which softened copies differ at one pixel, and in the mean. JPEG at
quality 50 leaves 14 and 3.2 in 99 of 100 pictures of 28 x 28; two plain shirts, 28 and 6."""
GAIN = 1.3
"""Contrast that a copy may have more or less."""
SAMPLE = 4000
CHUNK = 4096

_Floats = NDArray[np.float32]
_Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Small:
    """Pictures as they are compared.

    Args:
        grey: Softened grey values, uint8, shape (rows, height, width).
        tint: Mean of each channel less the mean of all, at mean brightness 128, (rows, channels).
    """

    grey: NDArray[np.uint8]
    tint: _Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """How a picture is looked at: as it is, or changed.

    Args:
        mirrored: Left and right change places.
        right: Shift in pixels.
        down: Shift in pixels.
        zoomed: Cut by one pixel at each side and stretched.
    """

    mirrored: bool = False
    right: int = 0
    down: int = 0
    zoomed: bool = False

    @property
    def is_symmetric(self) -> bool:
        """Whether it says the same of a pair in either order."""
        return not (self.zoomed or self.down or (self.right and not self.mirrored))

    @property
    def words(self) -> str:
        """What is equal, for people."""
        changes = [
            *(["mirrored"] if self.mirrored else []),
            *(["shifted"] if self.right or self.down else []),
            *(["cropped"] if self.zoomed else []),
        ]
        return f"pictures, {' and '.join(changes) or 'nearly the same pixels'}"


def small_pictures(pictures: NDArray[np.uint8]) -> Small | None:
    """Make pictures grey, small and soft; None if they are too small to compare."""
    num, height, width, channels = pictures.shape
    if min(height, width) < MIN_SIDE:
        return None
    rows, columns = _shrink(height), _shrink(width)
    grey = np.empty((num, len(rows), len(columns)), dtype=np.uint8)
    tint = np.empty((num, channels), dtype=np.float32)
    step = max(1, CHUNK * 28 * 28 // (height * width * channels))
    for start in range(0, num, step):
        part = pictures[start : start + step]
        light = part.mean(axis=3, dtype=np.float32)
        grey[start : start + step] = np.rint(rows @ light @ columns.T)
        means = part.mean(axis=(1, 2), dtype=np.float32)
        level = np.maximum(means.mean(axis=1, keepdims=True), 1)
        tint[start : start + step] = (means / level - 1) * 128
    return Small(grey, tint)


def _shrink(size: int) -> _Floats:
    """Return the matrix that makes a side small by means of areas and softens it by 1-2-1."""
    new = min(size, MAX_SIDE)
    edges = np.linspace(0, size, new + 1)
    pixels = np.arange(size)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shrink = np.maximum(overlap, 0) * new / size
    soft = np.zeros((new, new))
    for place in range(new):
        for neighbour, weight in ((place - 1, 0.25), (place, 0.5), (place + 1, 0.25)):
            soft[place, min(max(neighbour, 0), new - 1)] += weight
    return (soft @ shrink).astype(np.float32)


class Views:
    """Describes every picture, in any view, by the same few numbers.

    The inner part of a picture, less its mean and of length 1, is projected on the main directions
    of all of them; the length of what is left comes last. So the product of two descriptions is
    never below the correlation of the two inner parts: nothing is missed.

    Args:
        grey: Softened pictures, uint8, shape (rows, height, width).
    """

    def __init__(self, grey: NDArray[np.uint8]) -> None:
        self.grey = grey
        self.height, self.width = grey.shape[1] - 2 * MARGIN, grey.shape[2] - 2 * MARGIN
        self.zoom = (_zoom(grey.shape[1]), _zoom(grey.shape[2]))
        some = np.arange(0, len(grey), max(1, len(grey) // SAMPLE))
        sample, _ = self._inner(some, View())
        vectors = np.linalg.eigh(sample.T @ sample)[1][:, ::-1][:, :DIMENSIONS]
        self.directions = vectors - vectors.mean(axis=0)  # so that the mean need not be taken off

    def project(self, view: View, rows: _Rows | None = None) -> _Floats:
        """Return the descriptions in a view, shape (rows, DIMENSIONS + 1)."""
        rows = np.arange(len(self.grey)) if rows is None else rows
        operator = self._operator(view)
        out = np.empty((len(rows), self.directions.shape[1] + 1), dtype=np.float32)
        for start in range(0, len(rows), CHUNK):
            part = self._pictures(rows[start : start + CHUNK], view)
            flat = part.reshape(len(part), -1)
            projected = flat @ operator
            total = projected[:, -1]
            squares = np.square(flat) @ operator[:, -1]
            spread = np.sqrt(np.maximum(squares - total**2 / (self.height * self.width), 1))
            projected = projected[:, :-1] / spread[:, None]
            left = np.maximum(1 - np.square(projected).sum(axis=1), 0)
            out[start : start + CHUNK] = np.column_stack([projected, np.sqrt(left)])
        return out

    def likeness(self, query: _Rows, row: _Rows, view: View) -> tuple[_Floats, NDArray[np.bool_]]:
        """Compare the inner parts of pairs of pictures, the first one in a view.

        Returns:
            Their correlation, and whether no pixel says that they differ: once brightness and
            contrast are equal, and these not too far from each other, little is left anywhere.
        """
        likeness = np.empty(len(query), dtype=np.float32)
        agrees = np.empty(len(query), dtype=np.bool_)
        for start in range(0, len(query), CHUNK):
            part = slice(start, start + CHUNK)
            one, one_spread = self._inner(query[part], view)
            other, other_spread = self._inner(row[part], View())
            likeness[part] = np.einsum("ij,ij->i", one, other)
            left = np.abs(one - other)
            left *= np.maximum(one_spread, other_spread)
            gain = np.maximum(one_spread / other_spread, other_spread / one_spread)[:, 0]
            mean = np.sqrt(np.square(left).mean(axis=1))
            agrees[part] = (left.max(axis=1) <= MOST_LEFT) & (mean <= MEAN_LEFT) & (gain <= GAIN)
        return likeness, agrees

    def _operator(self, view: View) -> _Floats:
        """Return the matrix that takes a whole picture to its description, a sum at the end."""
        parts = np.column_stack([self.directions, np.ones(len(self.directions))])
        whole = np.zeros((*self.grey.shape[1:], parts.shape[1]), dtype=np.float32)
        whole[self._place(view)] = parts.reshape(self.height, self.width, -1)
        if view.mirrored:
            whole = whole[:, ::-1]
        return whole.reshape(-1, parts.shape[1])

    def _place(self, view: View) -> tuple[slice, slice]:
        top, left = MARGIN + view.down, MARGIN + view.right
        return slice(top, top + self.height), slice(left, left + self.width)

    def _pictures(self, rows: _Rows, view: View) -> _Floats:
        part = self.grey[rows].astype(np.float32)
        if not view.zoomed:
            return part
        return (self.zoom[0] @ part @ self.zoom[1].T).astype(np.float32, copy=False)

    def _inner(self, rows: _Rows, view: View) -> tuple[_Floats, _Floats]:
        """Return the inner parts in a view, less their means and of length 1, and their lengths."""
        part = self._pictures(rows, view)
        if view.mirrored:
            part = part[:, :, ::-1]
        top, left = self._place(view)
        inner = part[:, top, left].reshape(len(rows), -1)
        inner = inner - inner.mean(axis=1, keepdims=True)
        spread = np.maximum(np.linalg.norm(inner, axis=1, keepdims=True), 1)
        return inner / spread, spread


def _zoom(size: int) -> _Floats:
    """Return the matrix that stretches a side, less a pixel at both ends, to its full length.

    By cubic curves (Catmull-Rom), which keep edges sharp.
    """
    centres = (np.arange(size) + 0.5) * (size - 2) / size + 0.5
    nearest = np.floor(centres).astype(np.int64)
    away = centres - nearest
    curves = (
        ((2 - away) * away - 1) * away / 2,
        ((3 * away - 5) * away**2 + 2) / 2,
        ((4 - 3 * away) * away + 1) * away / 2,
        (away - 1) * away**2 / 2,
    )
    weights = np.zeros((size, size))
    for step, curve in zip((-1, 0, 1, 2), curves, strict=True):
        weights[np.arange(size), np.clip(nearest + step, 0, size - 1)] += curve
    return weights.astype(np.float32)
