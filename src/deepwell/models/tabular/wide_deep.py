"""Wide & Deep: a linear model that remembers beside a deep network that generalises.

The wide side is a weighted sum of numbers, category values and pairs of category values ("this
person and this kind of job"); the deep side is a multi-layer perceptron on numbers and learned
vectors. Both are trained together, and their outputs are added.

Shapes: numbers (batch, F), categories (batch, C) → (batch, outputs).
Parameters of the defaults with 10 numbers, categories of 5 and 12 codes, one output: 39,102.

Reference:
    Cheng et al.: Wide & Deep Learning for Recommender Systems, DLRS (2016), section 3. The paper
    names the pairs by hand and trains the wide side by FTRL; here all pairs are taken and one
    optimizer trains both sides.
"""

from __future__ import annotations

from itertools import combinations
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.base import Share, Width
from deepwell.models.basic.mlp import MLP
from deepwell.nn.activation import ActivationName
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.nn.flat_input import FlatInput, FlatNetwork
from deepwell.nn.weighted_sum import WeightedSum
from deepwell.types import InputSpec

_MIXER = 1_000_003
"""A prime, so that neighbouring pairs fall into different places."""


class WideDeepSettings(Settings):
    """Both sides of Wide & Deep."""

    hidden_sizes: tuple[Width, ...] = (256, 128)
    """Units of each hidden layer of the deep side."""
    activation: ActivationName = "relu"
    """Activation after each hidden layer, by name."""
    dropout: Share = 0.1
    """Share of the hidden units that is set to zero in training."""
    embedding_size: Annotated[int, Field(ge=1)] | None = None
    """Numbers that stand for a category on the deep side; None: more for columns with more values,
    up to 32."""
    crosses: Literal["pairs", "none"] = "pairs"
    """What the wide side sees beside single values: each pair of two category columns, or none."""
    cross_places: Annotated[int, Field(ge=2)] = 1000
    """Weights for each pair of columns at the most; with more pairs of values some share one."""


class CrossedCategories(nn.Module):
    """One weight for each pair of values of two category columns, summed over all pairs of columns.

    A pair with an unknown value (code 0) adds nothing. Columns with more pairs of values than
    `places` share their weights by a hash. The weights start at zero.

    Args:
        cardinalities: For each column, how many codes it has; two columns or more.
        head_size: Sums for each row.
        places: Weights for each pair of columns at the most.

    Shape:
        codes (batch, C), int64 → (batch, head_size).

    Example:
        >>> crossed = CrossedCategories((3, 4), head_size=1)
        >>> crossed.weights.num_embeddings  # 2 · 3 pairs of known values
        6
    """

    first: Tensor
    second: Tensor
    cardinalities: Tensor
    strides: Tensor
    fits: Tensor
    sizes: Tensor
    offsets: Tensor

    def __init__(
        self, cardinalities: tuple[int, ...], *, head_size: int, places: int = 1000
    ) -> None:
        super().__init__()
        pairs = list(combinations(range(len(cardinalities)), 2))
        known = [max(cardinality - 1, 1) for cardinality in cardinalities]
        sizes = [min(known[a] * known[b], places) for a, b in pairs]
        constants = {
            "first": [a for a, _ in pairs],
            "second": [b for _, b in pairs],
            "cardinalities": list(cardinalities),
            "strides": [known[b] for _, b in pairs],
            "fits": [known[a] * known[b] <= places for a, b in pairs],
            "sizes": sizes,
            "offsets": [sum(sizes[:place]) for place in range(len(sizes))],
        }
        for name, values in constants.items():
            self.register_buffer(name, torch.tensor(values), persistent=False)
        self.weights = nn.Embedding(sum(sizes), head_size)
        nn.init.zeros_(self.weights.weight)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the sums."""
        places, is_known = self.places(codes)
        return (self.weights(places) * is_known.unsqueeze(-1)).sum(dim=1)

    def places(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the place of the weight of each pair of columns, and whether both are known.

        Shape:
            codes (batch, C) → two of (batch, pairs).
        """
        codes = torch.where(codes < self.cardinalities, codes, 0)
        first, second = codes[:, self.first], codes[:, self.second]
        is_known = (first > 0) & (second > 0)
        exact = (first - 1) * self.strides + (second - 1)
        hashed = (first * _MIXER + second) % self.sizes
        places = torch.where(self.fits, exact, hashed) + self.offsets
        return torch.where(is_known, places, 0), is_known


class WideDeep(nn.Module):
    """The sum of a wide linear model and a deep network.

    Args:
        spec: Numbers, categories or both.
        head_size: Outputs a row.
        settings: Of both sides.

    Shape:
        one tensor a block → (batch, head_size).

    Reference:
        Cheng et al.: Wide & Deep Learning for Recommender Systems (2016).

    Example:
        >>> network = WideDeep(InputSpec(num_numbers=2, cardinalities=(3, 4)), head_size=1)
        >>> network(torch.zeros(5, 2), torch.zeros(5, 2, dtype=torch.int64)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self, spec: InputSpec, *, head_size: int, settings: WideDeepSettings | None = None
    ) -> None:
        super().__init__()
        settings = settings or WideDeepSettings()
        self.wide = WeightedSum(spec, head_size=head_size)
        self.crossed: CrossedCategories | None = None
        categories: nn.Module | None = None
        if spec.cardinalities:
            categories = CategoryEmbedding(spec.cardinalities, size=settings.embedding_size)
        if len(spec.cardinalities) > 1 and settings.crosses == "pairs":
            self.crossed = CrossedCategories(
                spec.cardinalities, head_size=head_size, places=settings.cross_places
            )
        flatten = FlatInput(spec, categories=categories)
        body = MLP(
            flatten.out_features,
            out_features=head_size,
            hidden_sizes=settings.hidden_sizes,
            activation=settings.activation,
            dropout=settings.dropout,
        )
        self.deep = FlatNetwork(flatten, body)

    def forward(self, *blocks: Tensor) -> Tensor:
        """Add the outputs of both sides."""
        wide = self.wide(*blocks)
        if self.crossed is not None:
            wide = wide + self.crossed(blocks[-1])
        return wide + self.deep(*blocks)


def build(spec: InputSpec, head_size: int, settings: WideDeepSettings) -> nn.Module:
    """Make the network for a table.

    Raises:
        ModelError: There is neither a number nor a category.
    """
    if not (spec.num_numbers or spec.cardinalities):
        raise ModelError("wide_deep reads the columns of a table, but the data has none.")
    return WideDeep(spec, head_size=head_size, settings=settings)
