"""Gaussian blur, with a strength of its own for each picture."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment.pixels import as_before, as_floats, draw

_SHARP = 0.05
"""Below this sigma a neighbour weighs nothing; a division by zero is avoided."""


@dataclass(frozen=True)
class RandomBlur:
    """Blurs each picture by a Gaussian of its own width, from none to a limit.

    Args:
        sigma: Largest standard deviation, pixels.

    Raises:
        ConfigError: Sigma is negative.

    Example:
        >>> image = torch.full((1, 3, 8, 8), 77, dtype=torch.uint8)
        >>> RandomBlur(2.0)(image, torch.Generator()).unique().tolist()
        [77]
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not self.sigma >= 0:
            raise ConfigError(f"sigma must be 0 or more. Got: {self.sigma}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with every picture blurred."""
        if not self.sigma:
            return images
        sigma = draw(len(images), 0.0, self.sigma, generator, dtype=torch.float32)
        return gaussian_blur(images, sigma.to(images.device, non_blocking=True))


def gaussian_blur(images: Tensor, sigma: Tensor) -> Tensor:
    """Blur each picture by its own Gaussian.

    At the edge the mean is over those pixels that exist.

    Args:
        images: (batch, K, H, W), bytes or floats in 0 … 1.
        sigma: Standard deviations in pixels, (batch,); 0 changes nothing.

    Example:
        >>> image = torch.tensor([[[[0, 0, 255, 0, 0]]]], dtype=torch.uint8)
        >>> gaussian_blur(image, torch.tensor([0.6])).tolist()
        [[[[1, 42, 169, 42, 1]]]]
    """
    pixels = as_floats(images)
    sigma = sigma.to(pixels.dtype).clamp(min=_SHARP)
    # a blur along an axis is a product with a band matrix: on processors faster than grouped
    # convolution, and each picture may have its own width
    down, along = (_weights(images.shape[axis], sigma) for axis in (2, 3))
    return as_before(down @ pixels @ along.transpose(2, 3), images, limit=False)


def _weights(size: int, sigma: Tensor) -> Tensor:
    """Return the weight of each pixel (last axis) in each blurred one, (batch, 1, size, size)."""
    places = torch.arange(size, dtype=sigma.dtype, device=sigma.device)
    distances = (places[:, None] - places) / sigma.view(-1, 1, 1, 1)
    return torch.softmax(distances.square_().mul_(-0.5), dim=3)
