"""Holes: a rectangle of each picture is covered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment.pixels import as_before


@dataclass(frozen=True)
class RandomErase:
    """Covers a rectangle of each picture with the mean colour of that picture.

    The network then has to find more than one sign of a class. The rectangle has its centre
    anywhere, so a part of it may lie outside.

    Args:
        side: Largest height and width of the rectangle, as a share of those of the picture.

    Raises:
        ConfigError: The side is outside 0 … 1.

    Reference:
        DeVries, Taylor: Cutout (2017). Zhong et al.: Random Erasing (2020).

    Example:
        >>> image = torch.tensor([[[[0.0, 1.0]]]]).expand(500, 1, 1, 2)
        >>> RandomErase(0.9)(image, torch.Generator().manual_seed(0)).unique().tolist()
        [0.0, 0.5, 1.0]
    """

    side: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.side <= 1:
            raise ConfigError(f"side must lie in 0 … 1. Got: {self.side}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with a hole in every picture."""
        if not self.side:
            return images
        draws = torch.rand(4, len(images), generator=generator, device=generator.device)
        draws = draws.to(images.device, non_blocking=True)
        half = draws[:2] * (self.side / 2)
        return erase(images, top_left=draws[2:] - half, bottom_right=draws[2:] + half)


def erase(images: Tensor, *, top_left: Tensor, bottom_right: Tensor) -> Tensor:
    """Cover a rectangle of each picture with its mean colour.

    A pixel is covered if its centre lies inside.

    Args:
        images: (batch, K, H, W), any type.
        top_left: Row and column where it begins, as shares of the sides, (2, batch).
        bottom_right: Row and column where it ends, (2, batch).

    Example:
        >>> image = torch.tensor([[[[0, 20, 40, 60]]]], dtype=torch.uint8)
        >>> left, right = torch.tensor([[0.0], [0.5]]), torch.tensor([[1.0], [1.0]])
        >>> erase(image, top_left=left, bottom_right=right).tolist()
        [[[[0, 20, 30, 30]]]]
    """
    inside: list[Tensor] = []
    for axis in (0, 1):
        size = images.shape[2 + axis]
        places = (torch.arange(size, device=images.device) + 0.5) / size
        begin, end = top_left[axis, :, None], bottom_right[axis, :, None]
        inside.append((places >= begin) & (places < end))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    means = images.mean(dim=(2, 3), keepdim=True, dtype=torch.float32)
    filling = as_before(means, images[:, :, :1, :1], limit=False)
    return torch.where(hole, filling, images)
