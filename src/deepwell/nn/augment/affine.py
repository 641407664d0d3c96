"""Turning, zooming, shearing, cropping, shifting and mirroring, joined into one resampling.

Each picture gets one matrix; all pictures of a batch are then read once, between the pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment.moves import Border
from deepwell.nn.augment.pixels import as_before, as_floats, draw

_MOST_OBLONG = 4 / 3
"""Largest ratio of the sides of a crop to those of the picture, as is usual on ImageNet."""
_PADDING = {"black": "zeros", "mirror": "reflection", "edge": "border"}


@dataclass(frozen=True, kw_only=True)
class RandomAffine:
    """Mirrors, shears, zooms, turns, shifts and crops each picture in its own way, at once.

    The pictures are read a single time, so that they blur no more than by one of the changes.

    Args:
        rotate: Largest turn to either side, degrees.
        scale: Largest zoom: 0.25 makes things up to 1.25 times as large or as small.
        shear: Largest slant to the left or right, degrees, below 90.
        crop: Largest share of the area that is cut away; what is left, of sides up to 4:3 to those
            of the picture, is enlarged to the old size.
        shift: Largest move in each direction, pixels.
        flip: Share of the pictures that is mirrored left to right.
        flip_vertical: Share of the pictures that is turned upside down by mirroring.
        border: What fills the place that becomes free; see `RandomShift`.

    Raises:
        ConfigError: A limit makes no sense.

    Reference:
        Crop: Szegedy et al.: Going Deeper with Convolutions (2015), section 6.

    Example:
        >>> images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
        >>> changed = RandomAffine(rotate=10, scale=0.1)(images, torch.Generator())
        >>> changed.shape, changed.dtype
        (torch.Size([4, 3, 8, 8]), torch.uint8)
    """

    rotate: float = 0.0
    scale: float = 0.0
    shear: float = 0.0
    crop: float = 0.0
    shift: int = 0
    flip: float = 0.0
    flip_vertical: float = 0.0
    border: Border = "black"

    def __post_init__(self) -> None:
        limits = {
            "rotate": 180.0,
            "scale": math.inf,
            "shear": 89.0,
            "crop": 0.99,
            "shift": math.inf,
            "flip": 1.0,
            "flip_vertical": 1.0,
        }
        for name, most in limits.items():
            if not 0 <= getattr(self, name) <= most:
                until = f"in 0 … {most:g}" if most < math.inf else "at 0 or above"
                raise ConfigError(f"{name} must lie {until}. Got: {getattr(self, name)}.")

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the batch with every picture changed."""
        if self == RandomAffine(border=self.border):
            return images
        maps = self.draw_maps(len(images), images.shape[2], images.shape[3], generator)
        return resample(images, maps.to(images.device, non_blocking=True), border=self.border)

    def draw_maps(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """Draw a map for each picture, (count, 2, 3), as `resample` reads them."""

        def uniform(limit: float) -> Tensor:
            return draw(count, -limit, limit, generator, dtype=torch.float64)

        zoom = torch.exp(uniform(math.log1p(self.scale)))
        turned = matrices_of(degrees=uniform(self.rotate), zoom=zoom, shear=uniform(self.shear))
        shift = torch.stack([uniform(self.shift + 0.5), uniform(self.shift + 0.5)], dim=1)
        shift = shift.round_().clamp_(-self.shift, self.shift)
        sides, places = self._draw_crops(count, generator)
        places = places * places.new_tensor([width, height]) - shift
        linear = self._draw_signs(count, generator)[:, :, None] * turned
        return torch.cat([linear * sides[:, None], linear @ places[:, :, None]], dim=2).float()

    def _draw_signs(self, count: int, generator: torch.Generator) -> Tensor:
        """Return −1 for an axis that is mirrored and 1 for others, (count, 2)."""
        shares = torch.tensor([self.flip, self.flip_vertical], device=generator.device)
        draws = torch.rand(count, 2, generator=generator, device=generator.device)
        return torch.where(draws < shares, -1.0, 1.0).double()

    def _draw_crops(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return sides (count, 2) and offsets of the centre (count, 2), as shares of the sides."""
        area = draw(count, 1 - self.crop, 1.0, generator, dtype=torch.float64)
        # neither side may be longer than that of the picture, so the area bounds the ratio
        most = torch.minimum(-area.log(), torch.full_like(area, math.log(_MOST_OBLONG)))
        half = most * draw(count, -1.0, 1.0, generator, dtype=torch.float64) / 2
        sides = area.sqrt()[:, None] * torch.stack([half.exp(), (-half).exp()], dim=1)
        free = 1 - sides
        places = [draw(count, -0.5, 0.5, generator, dtype=torch.float64) for _ in range(2)]
        return sides, torch.stack(places, dim=1) * free


def matrices_of(*, degrees: Tensor, zoom: Tensor, shear: Tensor) -> Tensor:
    """Return the matrices that lead from a changed picture back to its source.

    Args:
        degrees: Turn against the clock, (batch,).
        zoom: 2 shows things twice as large, (batch,).
        shear: Slant in degrees, (batch,): positive moves what lies below the centre to the right.

    Returns:
        (batch, 2, 2), for columns (x to the right, y down) around the centre.

    Example:
        >>> one, none = torch.tensor([1.0]), torch.tensor([0.0])
        >>> matrices_of(degrees=90 * one, zoom=2 * one, shear=none).round(decimals=2).abs()
        tensor([[[0.0000, 0.5000],
                 [0.5000, 0.0000]]])
    """
    angle, slant = torch.deg2rad(degrees), torch.tan(torch.deg2rad(shear))
    cos, sin = angle.cos() / zoom, angle.sin() / zoom
    rows = (cos - slant * sin, -sin - slant * cos, sin, cos)
    return torch.stack(rows, dim=1).view(-1, 2, 2)


def resample(images: Tensor, maps: Tensor, *, border: Border = "black") -> Tensor:
    """Read each picture at mapped places, linearly between the pixels.

    Args:
        images: (batch, K, H, W), bytes or floats.
        maps: (batch, 2, 3), float32 on the device of the pictures. Each leads from a place
            (x, y, 1) of the result to the place (x, y) of the picture that is shown there; in
            pixels, from the centre, x to the right and y down.
        border: What is seen beyond the picture.

    Returns:
        Pictures of the same shape, type and layout; bytes are rounded.

    Example:
        >>> image = torch.tensor([[[[10, 20, 30]]]], dtype=torch.uint8)
        >>> half_left = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
        >>> resample(image, half_left).tolist()
        [[[[15, 25, 15]]]]
    """
    height, width = images.shape[2:]
    is_mirror = border == "mirror"
    pixels = torch.nn.functional.grid_sample(
        as_floats(images),
        _grid(maps, height, width, from_pixels=is_mirror).to(_compute_type(images)),
        padding_mode=_PADDING[border],
        # True lets torch mirror at the middle of the outermost pixels, as `shift` does
        align_corners=is_mirror,
    )
    return as_before(pixels, images, limit=False)


def _compute_type(images: Tensor) -> torch.dtype:
    return torch.float64 if images.dtype == torch.float64 else torch.float32


def _grid(maps: Tensor, height: int, width: int, *, from_pixels: bool) -> Tensor:
    """Return the places to read, (batch, H, W, 2), −1 … 1 from edge to edge.

    Args:
        maps: See `resample`.
        height: H.
        width: W.
        from_pixels: The edge is the middle of the outermost pixels, not their outer side.
    """
    inner = int(from_pixels)
    halves = [max(width - inner, 1) / 2, max(height - inner, 1) / 2]
    scaled = torch.stack([maps[:, 0] / halves[0], maps[:, 1] / halves[1]], dim=1)
    xs = torch.arange(width, device=maps.device) - (width - 1) / 2
    ys = torch.arange(height, device=maps.device) - (height - 1) / 2
    of_column = scaled[:, None, :, 0] * xs[:, None]
    of_row = scaled[:, None, :, 1] * ys[:, None] + scaled[:, None, :, 2]
    return of_row[:, :, None] + of_column[:, None]
