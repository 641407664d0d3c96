"""What several architectures share: settings of pictures, and the size of the picture."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.types import InputSpec

Share = Annotated[float, Field(ge=0, lt=1)]
"""A share of units that dropout sets to zero."""

Width = Annotated[int, Field(ge=1)]
"""The number of units or channels of a layer."""


class PixelSettings(Settings):
    """How pixels are scaled before a network reads them."""

    mean: tuple[float, ...] = (0.5,)
    """Mean of each channel on the scale 0 … 1, or one value for all channels."""
    std: tuple[Annotated[float, Field(gt=0)], ...] = (0.5,)
    """Standard deviation of each channel on the scale 0 … 1, or one value for all channels."""


def image_shape(spec: InputSpec, name: str) -> tuple[int, int, int]:
    """Return (channels, height, width) of the pictures.

    Args:
        spec: What the network is fed.
        name: The network, for the message.

    Raises:
        ModelError: There are no pictures.
    """
    if spec.image_shape is None:
        raise ModelError(f"{name} reads images, but the data has none: use mlp, for example.")
    return spec.image_shape
