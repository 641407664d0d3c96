"""Deepwell's changes to pictures: bytes in, bytes out."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.harness import Sample
from benchmarks.pace import Bytes, coloured, grey, pace
from benchmarks.pictures import Pictures
from deepwell.nn.augment import (
    Augment,
    AugmentSettings,
    RandomAffine,
    RandomColour,
    Transform,
    augmentation,
)


def geometry(pictures: Pictures, seed: int) -> Sample:
    """Mirror, crop and turn small grey pictures."""
    return _pace(RandomAffine(flip=0.5, crop=0.3, rotate=15), grey(pictures), seed)


def colour(pictures: Pictures, seed: int) -> Sample:
    """Change the colours."""
    change = RandomColour(brightness=0.4, contrast=0.4, saturation=0.4, hue=36)
    return _pace(change, coloured(pictures), seed)


def strong(pictures: Pictures, seed: int) -> Sample:
    """Do all that the preset strong does, and mirror."""
    augment = augmentation(AugmentSettings(preset="strong", flip=True), (3, 96, 96)) or Augment([])

    def change(images: Tensor, generator: torch.Generator) -> Tensor:
        return augment((images,), generator)[0]

    return _pace(change, coloured(pictures), seed)


def _pace(change: Transform, before: Bytes, seed: int) -> Sample:
    generator, images = torch.Generator().manual_seed(seed), torch.from_numpy(before)
    return pace(lambda: change(images, generator).numpy(), before)
