"""From settings to the changes themselves, in their fixed order."""

from __future__ import annotations

from deepwell.nn.augment.affine import RandomAffine
from deepwell.nn.augment.base import Augment, Transform
from deepwell.nn.augment.blur import RandomBlur
from deepwell.nn.augment.colour import RandomColour
from deepwell.nn.augment.erasing import RandomErase
from deepwell.nn.augment.moves import RandomFlip, RandomShift
from deepwell.nn.augment.noise import RandomNoise
from deepwell.nn.augment.settings import AugmentSettings


def augmentation(settings: AugmentSettings, shape: tuple[int, int, int]) -> Augment | None:
    """Return the changes that the settings ask for, or None if there are none.

    Places come first, then colours, blur, noise and holes, as a camera would have it.

    Args:
        settings: Which changes, and how strong.
        shape: (K, H, W) of the pictures.

    Example:
        >>> augment = augmentation(AugmentSettings(flip=True, shift=0.1), (1, 28, 28))
        >>> augment.transforms
        (RandomFlip(probability=0.5, direction='horizontal'), RandomShift(pixels=3, border='black'))
    """
    num_channels, height, width = shape
    steps = _moves(settings, min(height, width))
    colour = RandomColour(
        brightness=settings.brightness,
        contrast=settings.contrast,
        saturation=settings.saturation if num_channels > 1 else 0.0,
        hue=settings.hue if num_channels == 3 else 0.0,
    )
    if colour != RandomColour():
        steps.append(colour)
    if settings.blur:
        steps.append(RandomBlur(settings.blur * min(height, width)))
    if settings.noise:
        steps.append(RandomNoise(settings.noise))
    if settings.cutout:
        steps.append(RandomErase(settings.cutout))
    return Augment(steps) if steps else None


def _moves(settings: AugmentSettings, side: int) -> list[Transform]:
    """Return the changes of place: one resampling, or whole pixels where these are enough."""
    pixels = round(settings.shift * side)
    if settings.rotate or settings.scale or settings.shear or settings.crop:
        affine = RandomAffine(
            rotate=settings.rotate,
            scale=settings.scale,
            shear=settings.shear,
            crop=settings.crop,
            shift=pixels,
            flip=0.5 * settings.flip,
            flip_vertical=0.5 * settings.flip_vertical,
            border=settings.border,
        )
        return [affine]
    steps: list[Transform] = []
    if settings.flip:
        steps.append(RandomFlip())
    if settings.flip_vertical:
        steps.append(RandomFlip(direction="vertical"))
    if pixels:
        steps.append(RandomShift(pixels, settings.border))
    return steps
