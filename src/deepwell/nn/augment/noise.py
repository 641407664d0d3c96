"""Noise on each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment.pixels import as_before, as_floats, draw, white


@dataclass(frozen=True)
class RandomNoise:
    """Adds Gaussian noise to each channel of each pixel, with a strength of its own a picture.

    The noise itself is drawn on the device of the pictures, seeded by the generator: drawing it
    on the processor would hold up a GPU. So it is the only change that differs between devices.

    Args:
        size: Largest standard deviation, as a share of white.

    Raises:
        ConfigError: The size is outside 0 … 1.

    Example:
        >>> image = torch.full((1, 1, 2, 2), 0.5)
        >>> bool((RandomNoise(0.1)(image, torch.Generator()) != 0.5).all())
        True
    """

    size: float = 0.05

    def __post_init__(self) -> None:
        if not 0 <= self.size <= 1:
            raise ConfigError(f"size must lie in 0 … 1. Got: {self.size}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with noise on every picture."""
        if not self.size:
            return images
        strength = draw(len(images), 0.0, self.size * white(images), generator, dtype=torch.float32)
        strength = strength.to(images.device, non_blocking=True).view(-1, 1, 1, 1)
        pixels = as_floats(images)
        noise = torch.empty_like(pixels).normal_(generator=_beside(images, generator))
        return as_before(torch.addcmul(pixels, noise, strength.to(pixels.dtype)), images)


def _beside(images: Tensor, generator: torch.Generator) -> torch.Generator:
    """Return a generator on the device of the pictures, which depends on the given one."""
    if images.device == generator.device:
        return generator
    seed = torch.randint(2**62, (), generator=generator, device=generator.device)
    return torch.Generator(images.device).manual_seed(int(seed))
