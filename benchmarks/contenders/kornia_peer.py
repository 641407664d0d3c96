"""kornia: changes on whole batches of floats; turning bytes into floats is part of its work."""

from __future__ import annotations

import kornia.augmentation as changes
import torch

from benchmarks.harness import Sample
from benchmarks.pace import Bytes, coloured, grey, pace
from benchmarks.pictures import Pictures


def geometry(pictures: Pictures, seed: int) -> Sample:
    """Mirror, crop and turn small grey pictures."""
    steps = changes.ImageSequential(
        changes.RandomHorizontalFlip(p=0.5),
        changes.RandomResizedCrop((28, 28), scale=(0.7, 1.0)),
        changes.RandomRotation(15.0, p=1.0),
    )
    return _pace(steps, grey(pictures), seed)


def colour(pictures: Pictures, seed: int) -> Sample:
    """Change the colours."""
    steps = changes.ColorJitter(0.4, 0.4, 0.4, 0.1, p=1.0)
    return _pace(steps, coloured(pictures), seed)


def _pace(steps: torch.nn.Module, before: Bytes, seed: int) -> Sample:
    torch.manual_seed(seed)
    images = torch.from_numpy(before)
    return pace(lambda: steps(images.float() / 255).numpy(), before)
