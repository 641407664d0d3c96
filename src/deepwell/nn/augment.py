"""Changed copies of pictures, made on the device for a whole batch at once.

Nothing here loops over pictures: each batch is changed by a few tensor operations, on bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from deepwell.errors import ConfigError


class Transform(Protocol):
    """Changes a batch of pictures (batch, K, H, W) at random; keeps shape and type."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the changed pictures."""
        ...


class Augment:
    """Applies transforms one after the other to the pictures among the inputs of a batch.

    Args:
        transforms: In the order in which they are applied.

    Example:
        >>> augment = Augment([RandomFlip(), RandomShift(2)])
        >>> images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
        >>> (changed,) = augment((images,), torch.Generator().manual_seed(0))
        >>> changed.shape, changed.dtype
        (torch.Size([4, 3, 8, 8]), torch.uint8)
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = tuple(transforms)

    def __call__(
        self, inputs: tuple[Tensor, ...], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """Return the inputs with changed pictures; shapes and types stay.

        Args:
            inputs: One tensor a block; those with four axes are pictures.
            generator: The stream of random numbers, best on the processor: the same pictures
                then come out on every device.
        """
        return tuple(
            self._change(block, generator) if block.ndim == 4 else block for block in inputs
        )

    def _change(self, images: Tensor, generator: torch.Generator) -> Tensor:
        for transform in self.transforms:
            images = transform(images, generator)
        return images


@dataclass(frozen=True)
class RandomFlip:
    """Mirrors pictures left to right.

    Args:
        probability: Share of the pictures that is mirrored.

    Example:
        >>> image = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
        >>> RandomFlip(1.0)(image, torch.Generator()).tolist()
        [[[[3, 2, 1]]]]
    """

    probability: float = 0.5

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise ConfigError(f"probability must lie in 0 … 1. Got: {self.probability}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with some pictures mirrored."""
        draws = torch.rand(len(images), generator=generator, device=generator.device)
        chosen = (draws < self.probability).to(images.device, non_blocking=True)
        return torch.where(chosen.view(-1, 1, 1, 1), images.flip(3), images)


@dataclass(frozen=True)
class RandomShift:
    """Moves each picture by its own whole number of pixels, up to a limit in each direction.

    Args:
        pixels: The largest move, up, down, left and right.
        border: What fills the place that becomes free: black, or the picture mirrored at its
            edge.

    Reference:
        He, Zhang, Ren, Sun: Deep Residual Learning (2015), section 4.2: pad by 4, crop at random.
    """

    pixels: int = 4
    border: Literal["black", "mirror"] = "black"

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
    border: Literal["black", "mirror"] = "black",
) -> Tensor:
    """Move each picture by its own offset.

    Args:
        images: (batch, K, H, W), any type.
        down: Pixels by which each picture moves down (negative: up), (batch,), int64.
        right: Pixels by which each picture moves right, (batch,), int64.
        pixels: The largest absolute offset.
        border: "black" fills with zeros, "mirror" with the picture mirrored at its edge.

    Raises:
        ConfigError: "mirror" with a move as large as the picture.

    Example:
        >>> image = torch.tensor([[[[1, 2, 3]]]])
        >>> shift(image, torch.tensor([0]), torch.tensor([1]), pixels=1).tolist()
        [[[[0, 1, 2]]]]
    """
    height, width = images.shape[2:]
    padded = _mirror_pad(images, pixels) if border == "mirror" else _black_pad(images, pixels)
    # all crops of the padded picture as one view: (batch, K, 2p + 1, 2p + 1, H, W)
    crops = padded.unfold(2, height, 1).unfold(3, width, 1)
    rows = torch.arange(len(images), device=images.device)
    return crops[rows, :, pixels - down, pixels - right]


def _black_pad(images: Tensor, pixels: int) -> Tensor:
    return torch.nn.functional.pad(images, (pixels, pixels, pixels, pixels))


def _mirror_pad(images: Tensor, pixels: int) -> Tensor:
    # by index, because torch's own reflection does not take bytes
    if pixels >= min(images.shape[2:]):
        raise ConfigError(
            f"A mirrored border of {pixels} pixels needs larger pictures than "
            f"{images.shape[2]} × {images.shape[3]}: shift by fewer pixels."
        )
    for axis in (2, 3):
        size = images.shape[axis]
        places = torch.arange(-pixels, size + pixels, device=images.device).abs()
        places = torch.where(places < size, places, 2 * (size - 1) - places)
        images = images.index_select(axis, places)
    return images
