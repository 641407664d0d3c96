"""Arrays as Keras users write them, and as the layers read them: channels first, 32 bits."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from deepwell.errors import DataError

DataFormat = Literal["channels_last", "channels_first"]

LARGEST_PATCH = 4
"""Up to this height or width, three numbers may be a size and not the channels of a picture."""


def to_array(values: Any, name: str) -> NDArray[Any]:
    """Make an array of whatever the caller has.

    Args:
        values: An array, tensor, frame or list.
        name: "x" or "y", for messages.

    Raises:
        DataError: Rows of different length, nothing in it, or no dimension.
    """
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu().numpy()
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise DataError(f"{name} cannot be read as an array: {error}.") from error
    if array.ndim == 0:
        raise DataError(f"{name} must be an array with one entry a row. Got: {values!r:.40}.")
    if array.size == 0:
        raise DataError(f"{name} is empty, shape {array.shape}: there is nothing to learn from.")
    return array


def require_equal_length(x: NDArray[Any], y: NDArray[Any]) -> None:
    """Check that each row has its answer.

    Raises:
        DataError: The lengths differ.
    """
    if len(x) != len(y):
        raise DataError(
            f"x has {len(x)} rows and y has {len(y)}: each row of x needs its answer in y."
        )


def check_numbers(x: NDArray[Any]) -> None:
    """Check that x holds finite numbers.

    Raises:
        DataError: Text or objects, or values that are missing or infinite.
    """
    if x.dtype.kind not in "biuf":
        raise DataError(
            f"x must hold numbers. Got: {x.dtype}. For tables with text use DeepClassifier or "
            "DeepRegressor."
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        row = int(np.argmin(np.isfinite(x).reshape(len(x), -1).all(axis=1)))
        raise DataError(f"x holds values that are missing or infinite, first in row {row}.")


def channels_to_front(
    array: NDArray[Any], data_format: DataFormat, *, has_picture_layers: bool
) -> NDArray[Any]:
    """Bring pictures into the order (rows, channels, height, width); leave all else.

    Args:
        array: (rows, H, W, K) for "channels_last", (rows, K, H, W) for "channels_first", or
            anything with other dimensions.
        data_format: What four dimensions mean.
        has_picture_layers: Whether the network reads pictures: then (rows, H, W) are pictures of
            one channel.

    Raises:
        DataError: The channels seem to stand elsewhere.

    Example:
        >>> pictures = np.zeros((2, 28, 28, 3))
        >>> channels_to_front(pictures, "channels_last", has_picture_layers=True).shape
        (2, 3, 28, 28)
        >>> channels_to_front(pictures[..., 0], "channels_last", has_picture_layers=True).shape
        (2, 1, 28, 28)
    """
    if array.ndim == 3 and has_picture_layers:
        return array[:, None]
    if array.ndim != 4:
        return array
    first, last = array.shape[1] in (1, 3), array.shape[3] in (1, 3)
    if data_format == "channels_last":
        if first and not last and min(array.shape[2:]) > LARGEST_PATCH:
            raise DataError(_misplaced(array, "last", "first"))
        return np.moveaxis(array, -1, 1)
    if last and not first and min(array.shape[1:3]) > LARGEST_PATCH:
        raise DataError(_misplaced(array, "first", "last"))
    return array


def _misplaced(array: NDArray[Any], read: str, seen: str) -> str:
    return (
        f"Pictures are read with their channels {read}, but the shape {array.shape} has them "
        f'{seen}: make the network with Sequential(…, data_format="channels_{seen}").'
    )
