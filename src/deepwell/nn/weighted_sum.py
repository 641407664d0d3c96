"""The weighted sum of a table row, with one weight a value of each category column."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepwell.nn.embedding import CategoryEmbedding
from deepwell.types import InputSpec


class WeightedSum(nn.Module):
    """A linear model of numbers and codes that never writes zeros and ones.

    Equal to a linear layer on numbers beside one-hot categories, but as quick for a million
    values as for ten. All weights start at zero. A value never seen adds what code 0 has learned.

    Args:
        spec: Numbers, categories or both.
        head_size: Sums for each row.

    Shape:
        one tensor a block → (batch, head_size).

    Example:
        >>> WeightedSum(InputSpec(num_numbers=2), head_size=1)(torch.ones(3, 2)).tolist()
        [[0.0], [0.0], [0.0]]
    """

    def __init__(self, spec: InputSpec, *, head_size: int) -> None:
        super().__init__()
        self.head_size = head_size
        self.bias = nn.Parameter(torch.zeros(head_size))
        self.numbers: nn.Linear | None = None
        self.categories: CategoryEmbedding | None = None
        if spec.num_numbers:
            self.numbers = nn.Linear(spec.num_numbers, head_size, bias=False)
            nn.init.zeros_(self.numbers.weight)
        if spec.cardinalities:
            self.categories = CategoryEmbedding(spec.cardinalities, size=head_size)
            for weight in self.categories.parameters():
                nn.init.zeros_(weight)

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the sums."""
        sums = self.bias
        if self.numbers is not None:
            sums = sums + self.numbers(blocks[0])
        if self.categories is not None:
            weights = self.categories(blocks[-1])
            sums = sums + weights.unflatten(1, (-1, self.head_size)).sum(dim=1)
        return sums
