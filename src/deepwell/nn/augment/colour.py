"""Brightness, contrast, saturation and hue, joined into one matrix a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment.pixels import as_before, as_floats, draw

_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
"""From red, green and blue to the brightness that the eye sees, and two numbers of colour."""


@dataclass(frozen=True, kw_only=True)
class RandomColour:
    """Changes brightness, contrast, saturation and hue of each picture in its own way, at once.

    Grey pictures have neither saturation nor hue; nothing happens to them by these two.

    Args:
        brightness: 0.2 multiplies all pixels by a factor of 0.8 … 1.2.
        contrast: 0.2 multiplies the distance to the mean grey by a factor of 0.8 … 1.2.
        saturation: 0.2 multiplies the distance to grey by a factor of 0.8 … 1.2.
        hue: Largest turn on the colour circle to either side, degrees.

    Raises:
        ConfigError: A limit makes no sense.

    Example:
        >>> images = torch.full((4, 3, 8, 8), 100, dtype=torch.uint8)
        >>> changed = RandomColour(brightness=0.2)(images, torch.Generator())
        >>> bool(((changed >= 80) & (changed <= 120)).all())
        True
    """

    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0

    def __post_init__(self) -> None:
        for name, most in {"brightness": 1, "contrast": 1, "saturation": 1, "hue": 180}.items():
            if not 0 <= getattr(self, name) <= most:
                raise ConfigError(f"{name} must lie in 0 … {most}. Got: {getattr(self, name)}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with every picture changed."""
        limits = (self.brightness, self.contrast, self.saturation, self.hue)
        if not any(limits):
            return images
        count = len(images)
        draws = [draw(count, -limit, limit, generator, dtype=torch.float32) for limit in limits]
        factors = torch.stack(draws).to(images.device, non_blocking=True)
        return adjust_colour(
            images,
            brightness=1 + factors[0],
            contrast=1 + factors[1],
            saturation=1 + factors[2],
            hue=factors[3],
        )


def adjust_colour(
    images: Tensor, *, brightness: Tensor, contrast: Tensor, saturation: Tensor, hue: Tensor
) -> Tensor:
    """Change the colours of each picture by its own factors, in the order of the arguments.

    All four are linear, so they are joined, and values are cut to black … white once, at the end.

    Args:
        images: (batch, K, H, W), bytes or floats in 0 … 1. K = 3 is red, green and blue.
        brightness: Factor on all pixels, (batch,).
        contrast: Factor on the distance to the mean grey of the picture, (batch,).
        saturation: Factor on the distance of each pixel to its grey, (batch,).
        hue: Turn on the colour circle in degrees, (batch,): 120 leads from red to green. It keeps
            grey and the brightness that the eye sees; only for K = 3.

    Example:
        >>> image = torch.tensor([10, 20, 200], dtype=torch.uint8).view(1, 1, 1, 3)
        >>> one, none = torch.ones(1), torch.zeros(1)
        >>> adjust_colour(image, brightness=2 * one, contrast=one, saturation=one, hue=none)
        tensor([[[[ 20,  40, 255]]]], dtype=torch.uint8)
    """
    pixels = as_floats(images)
    num_channels, dtype = images.shape[1], pixels.dtype
    grey = _constant(_grey_weights(num_channels), pixels)
    brightness, contrast = brightness.to(dtype), contrast.to(dtype)
    gain = brightness * contrast
    offset = (1 - contrast) * brightness * (pixels.mean(dim=(2, 3)) @ grey)
    if num_channels == 1:
        changed = torch.addcmul(offset.view(-1, 1, 1, 1), pixels, gain.view(-1, 1, 1, 1))
        return as_before(changed, images)
    kept = saturation.to(dtype).view(-1, 1, 1)
    matrix = kept * torch.eye(num_channels, dtype=dtype, device=pixels.device) + (1 - kept) * grey
    if num_channels == 3:
        matrix = _hue_matrices(hue.to(dtype)) @ matrix
    matrix = gain.view(-1, 1, 1) * matrix
    mixed = torch.baddbmm(offset.view(-1, 1, 1), matrix, pixels.flatten(2))
    return as_before(mixed.view(images.shape), images)


def _grey_weights(num_channels: int) -> tuple[float, ...]:
    return _YIQ[0] if num_channels == 3 else (1 / num_channels,) * num_channels


def _constant(values: Sequence[float] | Tensor, like: Tensor) -> Tensor:
    # made on the processor and sent without waiting: made on a GPU, the host would wait for it
    return torch.as_tensor(values, dtype=like.dtype).to(like.device, non_blocking=True)


def _hue_matrices(degrees: Tensor) -> Tensor:
    """Return matrices that turn red, green and blue about grey, (batch, 3, 3)."""
    to_yiq = torch.tensor(_YIQ, dtype=torch.float64)
    back = torch.linalg.inv(to_yiq)
    # with R = still + cos · plane + sin · across, a turn costs no product of matrices a picture
    plane, across = torch.zeros(2, 3, 3, dtype=torch.float64)
    plane[1, 1] = plane[2, 2] = 1.0
    # red lies behind yellow in this plane, so forward on the colour circle is against the angle
    across[1, 2], across[2, 1] = 1.0, -1.0
    turns = torch.stack([back @ plane @ to_yiq, back @ across @ to_yiq])
    plane, across = _constant(turns, degrees)
    still = torch.eye(3, dtype=degrees.dtype, device=degrees.device) - plane
    angle = torch.deg2rad(degrees).view(-1, 1, 1)
    return still + angle.cos() * plane + angle.sin() * across
