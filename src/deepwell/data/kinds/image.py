"""Pictures of one size."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.kinds.base import Blocks, Description, Layout, State
from deepwell.data.schema import KindName
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.errors import ColumnError

PIXELS_AT_ONCE = 8_000_000


class Image:
    """Pictures: uint8 (rows, height, width, channels) in a table, channels first for a network."""

    name: KindName = "image"

    def recognise(self, column: Column) -> str | None:
        """Recognise dense arrays of bytes."""
        return None if isinstance(column, pl.Series) else "the values are pictures"

    def parse(self, name: str, column: Column) -> NDArray[Any]:
        """Return the array; refuse anything but bytes of four dimensions."""
        if isinstance(column, pl.Series):
            raise ColumnError(
                f'Column "{name}" holds values of type {column.dtype}, not pictures. '
                "A column with the paths of picture files is read as pictures from a file."
            )
        if column.ndim != 4 or column.dtype != np.uint8:
            raise ColumnError(
                f'Column "{name}": pictures are bytes (uint8) of shape (rows, height, width, '
                f"channels). Got: {column.dtype}, shape {column.shape}."
            )
        return column

    def describe(self, column: Column) -> Description:
        """Give the size."""
        return Description(_size(column.shape[1:]))

    def fit(self, column: Column, settings: EncodeSettings) -> State:
        """Learn size, and mean and spread of each channel on a scale from 0 to 1."""
        pixels = _pictures(column)
        _, height, width, channels = pixels.shape
        mean, std = _channel_moments(pixels)
        return {"shape": [channels, height, width], "mean": mean, "std": std}

    def layout(self, name: str, state: State) -> Layout:
        """Channels, height and width."""
        channels, height, width = state["shape"]
        return Layout(image_shape=(channels, height, width))

    def encode(self, column: Column, state: State) -> Blocks:
        """Return uint8 pictures, shape (rows, channels, height, width), contiguous."""
        pixels = _pictures(column)
        channels, height, width = state["shape"]
        if pixels.shape[1:] != (height, width, channels):
            raise ColumnError(
                f"The pictures are {_size(pixels.shape[1:])}, but the network was trained on "
                f"{_size((height, width, channels))}: resize them first."
            )
        return Blocks(images=np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))


def _pictures(column: Column) -> NDArray[np.uint8]:
    if isinstance(column, pl.Series):
        raise ColumnError("Pictures are expected, but the column holds values.")
    return column


def _size(shape: tuple[int, ...]) -> str:
    height, width, channels = shape
    return f"{width} × {height} pixels, {channels} channel{'s' if channels > 1 else ''}"


def _channel_moments(pixels: NDArray[np.uint8]) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each channel, from exact counts of the 256 values."""
    channels = pixels.shape[3]
    counts = np.zeros((channels, 256), dtype=np.int64)
    rows = max(1, PIXELS_AT_ONCE // max(1, int(np.prod(pixels.shape[1:]))))
    for start in range(0, len(pixels), rows):
        part = pixels[start : start + rows]
        for channel in range(channels):
            counts[channel] += np.bincount(part[..., channel].ravel(), minlength=256)
    levels = np.arange(256) / 255
    weights = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    mean = weights @ levels
    variance = (weights * np.square(levels - mean[:, None])).sum(axis=1)
    return mean.tolist(), np.sqrt(variance).tolist()
