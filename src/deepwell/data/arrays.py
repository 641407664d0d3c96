"""NumPy arrays become columns: tables of numbers, or pictures as dense uint8 arrays."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.table import Column
from deepwell.errors import DataError, ImageError


def array_columns(
    array: NDArray[Any], *, prefix: str = "x", channels_first: bool = False
) -> tuple[dict[str, Column], list[str]]:
    """Turn an array into columns.

    Args:
        array: (rows,) or (rows, columns) of plain values, which become ``x0``, ``x1``, …; or
            pictures (rows, H, W), (rows, H, W, K) or (rows, K, H, W), which become ``image``; or
            a structured array, whose fields become columns.
        prefix: First part of the column names.
        channels_first: Where both layouts are possible, (rows, K, H, W) is meant.

    Returns:
        Columns by name, and notes.

    Raises:
        DataError: Complex numbers, no dimension at all, or more than four.
        ImageError: Three or four dimensions that cannot be pictures.

    Example:
        >>> columns, _ = array_columns(np.arange(6).reshape(3, 2))
        >>> list(columns)
        ['x0', 'x1']
        >>> array_columns(np.zeros((5, 8, 8), np.uint8))[0]["image"].shape
        (5, 8, 8, 1)
    """
    array = np.asarray(array)
    if array.dtype.names is not None:
        return {name: value_series(name, array[name]) for name in array.dtype.names}, []
    if array.dtype.kind == "c":
        raise DataError("The array holds complex numbers: give real and imaginary part as columns.")
    if array.ndim in (3, 4):
        images, notes = image_array(array, channels_first=channels_first)
        return {"image": images}, notes
    if array.ndim not in (1, 2):
        raise DataError(
            f"The array has the shape {array.shape}: rows × columns is expected, "
            "or pictures as rows × height × width (× channels)."
        )
    grid = array.reshape(len(array), -1) if array.size else array.reshape(len(array), 0)
    return {
        f"{prefix}{i}": value_series(f"{prefix}{i}", grid[:, i]) for i in range(_width(grid))
    }, []


def _width(grid: NDArray[Any]) -> int:
    return int(grid.shape[1])


def value_series(name: str, values: NDArray[Any]) -> pl.Series:
    """Make a column of a one-dimensional array; objects are read value by value.

    Values of several types become text, so that a check can name the odd one.

    Example:
        >>> value_series("a", np.array([1, "x", None], dtype=object)).to_list()
        ['1', 'x', None]
    """
    if values.dtype.kind == "f" and values.dtype.itemsize not in (4, 8):
        values = values.astype(np.float64)
    if values.dtype.kind == "S":
        values = np.char.decode(values, "utf-8", "replace")
    if values.dtype.kind == "U":
        return pl.Series(name, values.tolist(), dtype=pl.String)
    if values.dtype.kind in "biufmM":
        return pl.Series(name, np.ascontiguousarray(values))
    return object_series(name, values.tolist())


def object_series(name: str, values: list[Any]) -> pl.Series:
    """Make a column of Python values; None, NaN and the like are missing.

    Example:
        >>> object_series("a", [1, 2.5, float("nan")]).to_list()
        [1.0, 2.5, None]
    """
    values = [None if _is_missing(value) else _plain(value) for value in values]
    types = {type(value) for value in values if value is not None}
    if types <= {int, float} and float in types:
        return pl.Series(name, values, dtype=pl.Float64, strict=False)
    if len(types) > 1 and types <= {int, float, bool, str}:
        values = [None if value is None else str(value) for value in values]
    try:
        return pl.Series(name, values)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(name, [None if value is None else str(value) for value in values])


def _is_missing(value: Any) -> bool:
    """Return whether a value is None, NaN, NaT or pandas' NA, without importing pandas."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, (float, np.floating)) and bool(value != value)


def _plain(value: Any) -> Any:
    if isinstance(value, PurePath):
        return str(value)
    return value.item() if isinstance(value, np.generic) else value


def image_array(
    array: NDArray[Any], *, channels_first: bool = False
) -> tuple[NDArray[np.uint8], list[str]]:
    """Return pictures as uint8 (rows, H, W, K) with K = 1 or 3, and notes.

    Whole numbers 0 … 255 are taken as they are, floats within [0, 1] are multiplied by 255, a
    fourth channel (opacity) is left out.

    Args:
        array: (rows, H, W), (rows, H, W, K) or (rows, K, H, W).
        channels_first: Where both layouts are possible, (rows, K, H, W) is meant.

    Raises:
        ImageError: Another shape, or values outside these ranges.

    Example:
        >>> image_array(np.ones((2, 3, 8, 8)))[0].shape
        (2, 8, 8, 3)
    """
    if array.ndim == 3:
        array = array[..., None]
    allowed = (1, 3, 4)
    orders = [array.shape[-1] in allowed, array.shape[1] in allowed]
    if not any(orders) or 0 in array.shape[1:]:
        raise ImageError(
            f"An array of the shape {array.shape} cannot be pictures: rows × height × width, with "
            "1, 3 or 4 channels at the end or after the rows, is expected."
        )
    if orders[1] and (channels_first or not orders[0]):
        array = np.moveaxis(array, 1, -1)
    notes: list[str] = []
    if array.shape[-1] == 4:
        array = array[..., :3]
        notes.append("The fourth channel of the pictures (opacity) was left out.")
    images, more = _to_bytes(array)
    return np.ascontiguousarray(images), notes + more


def _to_bytes(array: NDArray[Any]) -> tuple[NDArray[np.uint8], list[str]]:
    if array.dtype == np.uint8 or array.size == 0:
        return array.astype(np.uint8), []
    if array.dtype.kind not in "biuf":
        raise ImageError(f"Pictures hold numbers 0 … 255, not values of the type {array.dtype}.")
    low, high = float(array.min()), float(array.max())
    if not (low >= 0 and high <= 255):  # NaN fails as well
        raise ImageError(
            f"The pictures hold values from {low:g} to {high:g}: 0 … 255, or floats within 0 … 1, "
            "are expected."
        )
    if array.dtype.kind == "b" or (array.dtype.kind == "f" and high <= 1):
        note = "The pictures hold values within 0 … 1; they were multiplied by 255."
        return np.round(array.astype(np.float32) * 255).astype(np.uint8), [note]
    return np.round(array).astype(np.uint8), []
