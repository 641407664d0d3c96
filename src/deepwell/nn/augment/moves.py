"""Moves by whole pixels, which copy bytes and compute nothing: mirroring and shifting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from deepwell.errors import ConfigError

Border = Literal["black", "mirror", "edge"]
"""What fills the place that becomes free: black, the picture mirrored at its edge, or the edge."""


@dataclass(frozen=True)
class RandomFlip:
    """Mirrors pictures left to right, or upside down.

    Args:
        probability: Share of the pictures that is mirrored.
        direction: "horizontal" swaps left and right, "vertical" swaps top and bottom.

    Example:
        >>> image = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
        >>> RandomFlip(1.0)(image, torch.Generator()).tolist()
        [[[[3, 2, 1]]]]
    """

    probability: float = 0.5
    direction: Literal["horizontal", "vertical"] = "horizontal"

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ConfigError(f"probability must lie in 0 … 1. Got: {self.probability}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with some pictures mirrored."""
        axis = 3 if self.direction == "horizontal" else 2
        draws = torch.rand(len(images), generator=generator, device=generator.device)
        chosen = (draws < self.probability).to(images.device, non_blocking=True)
        return torch.where(chosen.view(-1, 1, 1, 1), images.flip(axis), images)


@dataclass(frozen=True)
class RandomShift:
    """Moves each picture by its own whole number of pixels, up to a limit in each direction.

    The same is known as padding and cutting out at random.

    Args:
        pixels: The largest move, up, down, left and right.
        border: What fills the place that becomes free: black, the picture mirrored at its edge,
            or the edge itself, repeated.

    Reference:
        He, Zhang, Ren, Sun: Deep Residual Learning (2015), section 4.2: pad by 4, crop at random.
    """

    pixels: int = 4
    border: Border = "black"

    def __post_init__(self) -> None:
        if self.pixels < 0:
            raise ConfigError(f"pixels must be 0 or more. Got: {self.pixels}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with every picture moved."""
        size = (2, len(images))
        low, high = -self.pixels, self.pixels + 1
        draws = torch.randint(low, high, size, generator=generator, device=generator.device)
        down, right = draws.to(images.device, non_blocking=True)
        return shift(images, down, right, pixels=self.pixels, border=self.border)


def shift(
    images: Tensor,
    down: Tensor,
    right: Tensor,
    *,
    pixels: int,
    border: Border = "black",
) -> Tensor:
    """Move each picture by its own offset.

    Args:
        images: (batch, K, H, W), any type.
        down: Pixels by which each picture moves down (negative: up), (batch,), int64.
        right: Pixels by which each picture moves right, (batch,), int64.
        pixels: The largest absolute offset.
        border: "black" fills with zeros, "mirror" with the picture mirrored at its edge, "edge"
            repeats the outermost pixels.

    Raises:
        ConfigError: "mirror" with a move as large as the picture.

    Example:
        >>> image = torch.tensor([[[[1, 2, 3]]]])
        >>> shift(image, torch.tensor([0]), torch.tensor([1]), pixels=1).tolist()
        [[[[0, 1, 2]]]]
    """
    height, width = images.shape[2:]
    padded = _black_pad(images, pixels) if border == "black" else _pad(images, pixels, border)
    # all crops of the padded picture as one view: (batch, K, 2p + 1, 2p + 1, H, W)
    crops = padded.unfold(2, height, 1).unfold(3, width, 1)
    rows = torch.arange(len(images), device=images.device)
    return crops[rows, :, pixels - down, pixels - right]


def _black_pad(images: Tensor, pixels: int) -> Tensor:
    return torch.nn.functional.pad(images, (pixels, pixels, pixels, pixels))


def _pad(images: Tensor, pixels: int, border: Border) -> Tensor:
    # by index, because torch's own reflection does not take bytes
    if border == "mirror" and pixels >= min(images.shape[2:]):
        raise ConfigError(
            f"A mirrored border of {pixels} pixels needs larger pictures than "
            f"{images.shape[2]} × {images.shape[3]}: shift by fewer pixels."
        )
    for axis in (2, 3):
        last = images.shape[axis] - 1
        places = torch.arange(-pixels, last + 1 + pixels, device=images.device)
        if border == "mirror":
            places = last - (last - places.abs()).abs()
        images = images.index_select(axis, places.clamp(0, last))
    return images
