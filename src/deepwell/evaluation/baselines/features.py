"""The inputs of the baselines: one matrix of numbers, made by the encoders of the data room."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Table

if TYPE_CHECKING:
    from deepwell.data.encoders import Encoders

LARGEST_SIDE = 32
"""Pictures are shrunk to at most this many pixels a side for the linear baseline."""
PIECE = 1024
MOST_CATEGORIES = 255
"""Scikit-learn's trees take at most this many values of a category as they are."""

Matrix = NDArray[Any]


class LinearFeatures:
    """Standardised numbers, one column a category value, and the pixels of small pictures.

    Args:
        train: The rows on which the encoders are fitted.
        schema: Roles and kinds.
    """

    def __init__(self, train: Table, schema: Schema) -> None:
        from deepwell.data.encoders import Encoders

        self._encoders: Encoders = Encoders.fit(
            train, schema, EncodeSettings(categories="onehot", numbers="standard")
        )

    @property
    def width(self) -> int:
        """Columns of the matrix."""
        spec = self._encoders.spec
        pixels = 0
        if spec.image_shape is not None:
            channels, height, width = spec.image_shape
            pixels = channels * (height // _factor(height)) * (width // _factor(width))
        return spec.num_numbers + pixels

    def matrix(self, table: Table) -> Matrix:
        """Return the inputs of these rows, shape (rows, width), float32."""
        blocks = dict(zip(self._encoders.spec.blocks, self._encoders.encode(table), strict=True))
        parts: list[Matrix] = []
        if "numbers" in blocks:
            parts.append(blocks["numbers"].astype(np.float32))
        if "images" in blocks:
            parts.append(small_pixels(blocks["images"]))
        return np.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def _factor(side: int) -> int:
    return -(-side // LARGEST_SIDE)


def small_pixels(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Average blocks of pixels until no side is longer than 32; scale to −1 … 1 and flatten.

    Args:
        images: Shape (rows, channels, height, width), 0 … 255.

    Example:
        >>> small_pixels(np.full((1, 1, 64, 64), 255, dtype=np.uint8)).shape
        (1, 1024)
    """
    rows, channels, height, width = images.shape
    down, across = _factor(height), _factor(width)
    small_height, small_width = height // down, width // across
    result = np.empty((rows, channels * small_height * small_width), dtype=np.float32)
    for start in range(0, rows, PIECE):
        piece = images[start : start + PIECE, :, : small_height * down, : small_width * across]
        blocks = piece.reshape(len(piece), channels, small_height, down, small_width, across)
        small = blocks.mean(axis=(3, 5), dtype=np.float32) / 127.5 - 1
        result[start : start + PIECE] = small.reshape(len(piece), -1)
    return result


class TreeFeatures:
    """Numbers as they are, gaps kept; categories as codes.

    Args:
        train: The rows on which the encoders are fitted.
        schema: Roles and kinds.
    """

    def __init__(self, train: Table, schema: Schema) -> None:
        from deepwell.data.encoders import Encoders

        settings = EncodeSettings(categories="codes", numbers="raw")
        self._encoders: Encoders = Encoders.fit(train, schema, settings)

    @property
    def is_category(self) -> NDArray[np.bool_]:
        """Which columns are codes without an order; too many codes are taken as numbers."""
        spec = self._encoders.spec
        numbers = np.zeros(spec.num_numbers, dtype=np.bool_)
        return np.append(numbers, np.asarray(spec.cardinalities, dtype=int) <= MOST_CATEGORIES)

    def matrix(self, table: Table) -> Matrix:
        """Return the inputs of these rows, shape (rows, columns), float32 with NaN for gaps."""
        blocks = self._encoders.encode(table)
        return np.concatenate([block.astype(np.float32) for block in blocks], axis=1)
