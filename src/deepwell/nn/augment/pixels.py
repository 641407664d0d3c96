"""From bytes to floats and back, so that every change takes both and keeps the layout."""

from __future__ import annotations

import torch
from torch import Tensor


def white(images: Tensor) -> float:
    """Return the value of white: 255 of bytes, 1 of floats."""
    return 1.0 if images.is_floating_point() else 255.0


def as_floats(images: Tensor) -> Tensor:
    """Return pixels to compute with: float32 (float64 stays), on the same scale, rows in order.

    Args:
        images: (batch, K, H, W), any type and layout.
    """
    dtype = images.dtype if images.dtype == torch.float64 else torch.float32
    return images.to(dtype, memory_format=torch.contiguous_format)


def as_before(pixels: Tensor, images: Tensor, *, limit: bool = True) -> Tensor:
    """Return computed pixels in the type and the layout in memory of the pictures before.

    Args:
        pixels: (batch, K, H, W), floats; they are overwritten.
        images: The pictures before the change.
        limit: Cut values to black … white; False where they cannot lie outside.
    """
    if limit:
        pixels = pixels.clamp_(0.0, white(images))
    if not images.is_floating_point():
        pixels = pixels.round_()
    # the copy converts and lays out in one pass; empty_like keeps channels last
    return torch.empty_like(images).copy_(pixels)


def draw(
    count: int, low: float, high: float, generator: torch.Generator, *, dtype: torch.dtype
) -> Tensor:
    """Return uniform random numbers, one a picture, (count,), on the device of the generator."""
    return torch.empty(count, dtype=dtype, device=generator.device).uniform_(
        low, high, generator=generator
    )
