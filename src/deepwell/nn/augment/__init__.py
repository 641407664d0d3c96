"""Changed copies of pictures, made on the device for a whole batch at once.

Nothing here loops over pictures: each batch is changed by a few tensor operations, and bytes
stay bytes. Names are loaded when they are first used, so that the settings need no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepwell.nn.augment.affine import RandomAffine, matrices_of, resample
    from deepwell.nn.augment.base import Augment, Transform
    from deepwell.nn.augment.blur import RandomBlur, gaussian_blur
    from deepwell.nn.augment.colour import RandomColour, adjust_colour
    from deepwell.nn.augment.erasing import RandomErase, erase
    from deepwell.nn.augment.moves import RandomFlip, RandomShift, shift
    from deepwell.nn.augment.noise import RandomNoise
    from deepwell.nn.augment.pipeline import augmentation
    from deepwell.nn.augment.settings import STRENGTHS, AugmentSettings, refuse_without_pictures

_HOMES = {
    "STRENGTHS": "settings",
    "Augment": "base",
    "AugmentSettings": "settings",
    "RandomAffine": "affine",
    "RandomBlur": "blur",
    "RandomColour": "colour",
    "RandomErase": "erasing",
    "RandomFlip": "moves",
    "RandomNoise": "noise",
    "RandomShift": "moves",
    "Transform": "base",
    "adjust_colour": "colour",
    "augmentation": "pipeline",
    "erase": "erasing",
    "gaussian_blur": "blur",
    "matrices_of": "affine",
    "refuse_without_pictures": "settings",
    "resample": "affine",
    "shift": "moves",
}

__all__ = [
    "STRENGTHS",
    "Augment",
    "AugmentSettings",
    "RandomAffine",
    "RandomBlur",
    "RandomColour",
    "RandomErase",
    "RandomFlip",
    "RandomNoise",
    "RandomShift",
    "Transform",
    "adjust_colour",
    "augmentation",
    "erase",
    "gaussian_blur",
    "matrices_of",
    "refuse_without_pictures",
    "resample",
    "shift",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
