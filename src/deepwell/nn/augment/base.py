"""What a change to pictures is, and how several are applied to the inputs of a batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor


class Transform(Protocol):
    """Changes a batch of pictures (batch, K, H, W) at random; keeps shape and type."""

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return the changed pictures."""
        ...


class Augment:
    """Applies transforms one after the other to the pictures among the inputs of a batch.

    Args:
        transforms: In the order in which they are applied.

    Example:
        >>> from deepwell.nn.augment import RandomFlip, RandomShift
        >>> augment = Augment([RandomFlip(), RandomShift(2)])
        >>> images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
        >>> (changed,) = augment((images,), torch.Generator().manual_seed(0))
        >>> changed.shape, changed.dtype
        (torch.Size([4, 3, 8, 8]), torch.uint8)
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = tuple(transforms)

    def __call__(
        self, inputs: tuple[Tensor, ...], generator: torch.Generator
    ) -> tuple[Tensor, ...]:
        """Return the inputs with changed pictures; shapes and types stay.

        Args:
            inputs: One tensor a block; those with four axes are pictures.
            generator: The stream of random numbers, best on the processor: the same pictures
                then come out on every device.
        """
        return tuple(
            self._change(block, generator) if block.ndim == 4 else block for block in inputs
        )

    def _change(self, images: Tensor, generator: torch.Generator) -> Tensor:
        for transform in self.transforms:
            images = transform(images, generator)
        return images
