"""The way of a table row into a network that reads one vector."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deepwell.nn.image_input import PixelScaling
from deepwell.types import InputSpec


class FlatInput(nn.Module):
    """Joins all blocks of a row into one vector: numbers, categories, then pixels.

    Args:
        spec: Which blocks there are.
        categories: Turns codes (batch, C) into numbers and has `out_features`; needed if there
            are categories.
        numbers: Turns numbers (batch, F) into numbers and has `out_features`; default: as is.
        mean: Of the pixels, see `PixelScaling`.
        std: Of the pixels.

    Shape:
        one tensor a block, in the order of `spec.blocks` → (batch, out_features).

    Example:
        >>> FlatInput(InputSpec(num_numbers=2, image_shape=(1, 3, 3))).out_features
        11
    """

    def __init__(
        self,
        spec: InputSpec,
        *,
        categories: nn.Module | None = None,
        numbers: nn.Module | None = None,
        mean: Sequence[float] = (0.5,),
        std: Sequence[float] = (0.5,),
    ) -> None:
        super().__init__()
        parts: dict[str, nn.Module] = {}
        width = 0
        if spec.num_numbers:
            parts["numbers"] = numbers or nn.Identity()
            width += spec.num_numbers if numbers is None else _width(numbers)
        if spec.cardinalities and categories is not None:
            parts["categories"] = categories
            width += _width(categories)
        if spec.image_shape is not None:
            channels, height, side = spec.image_shape
            scaling = PixelScaling(channels, mean=mean, std=std)
            parts["images"] = nn.Sequential(scaling, nn.Flatten())
            width += channels * height * side
        self.parts = nn.ModuleDict(parts)
        self.out_features = width

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the joined vector."""
        vectors = [part(block) for part, block in zip(self.parts.values(), blocks, strict=True)]
        return vectors[0] if len(vectors) == 1 else torch.cat(vectors, dim=1)


def _width(module: nn.Module) -> int:
    return int(getattr(module, "out_features"))  # noqa: B009 -- Module types its attributes loosely


class FlatNetwork(nn.Module):
    """A network on one vector a row, fed with blocks.

    Args:
        flatten: Makes the vector.
        body: Called with the vector (batch, F).

    Shape:
        one tensor a block → what `body` returns.
    """

    def __init__(self, flatten: FlatInput, body: nn.Module) -> None:
        super().__init__()
        self.flatten = flatten
        self.body = body

    def forward(self, *blocks: Tensor) -> Tensor:
        """Join the blocks and pass the vector on."""
        return self.body(self.flatten(*blocks))
