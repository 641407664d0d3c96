"""DeepFM: a factorisation machine and a deep network that share their vectors.

Each column is a field with a vector: a category's own, or a number times the vector of its column.
The output is the sum of a linear model, of the products of all pairs of vectors (how well two
fields go together), and of a multi-layer perceptron on all vectors side by side.

Shapes: numbers (batch, F), categories (batch, C) → vectors (batch, F + C, outputs, k) →
(batch, outputs). Parameters of the defaults with 10 numbers, categories of 5 and 12 codes, one
output: 64,899.

Reference:
    Guo, Tang, Ye, Li, He: DeepFM: A Factorization-Machine based Neural Network for CTR Prediction,
    IJCAI (2017), section 2. Rendle: Factorization Machines, ICDM (2010), lemma 3.1. The paper has
    one output; with several, each has vectors of its own.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.base import Share, Width
from deepwell.models.basic.mlp import MLP
from deepwell.nn.activation import ActivationName
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.nn.weighted_sum import WeightedSum
from deepwell.types import InputSpec


class DeepFMSettings(Settings):
    """Size and regularisation of DeepFM."""

    factor_size: Width = 10
    """Numbers in the vector of a field, for each output."""
    hidden_sizes: tuple[Width, ...] = (200, 200)
    """Units of each hidden layer of the deep part."""
    activation: ActivationName = "relu"
    """Activation after each hidden layer, by name."""
    dropout: Share = 0.1
    """Share of the hidden units that is set to zero in training."""


def pairwise_products(vectors: Tensor) -> Tensor:
    """Return the sum of the scalar products of all pairs of different fields.

    In one pass over the fields: half of the square of the sum less the sum of the squares.

    Args:
        vectors: Shape (batch, fields, …, k).

    Returns:
        Shape (batch, …).

    Reference:
        Rendle: Factorization Machines (2010), lemma 3.1.

    Example:
        >>> vectors = torch.tensor([[[1.0, 0.0], [2.0, 1.0], [3.0, 1.0]]])
        >>> pairwise_products(vectors).tolist()  # 1 · 2 + 1 · 3 + (2 · 3 + 1 · 1)
        [12.0]
    """
    # small differences of large sums: not in half precision
    vectors = vectors if vectors.dtype == torch.float64 else vectors.float()
    return 0.5 * (vectors.sum(dim=1).square() - vectors.square().sum(dim=1)).sum(dim=-1)


class DeepFM(nn.Module):
    """The sum of a linear model, a factorisation machine and a perceptron.

    Args:
        spec: Numbers, categories or both.
        head_size: Outputs a row.
        settings: Sizes and dropout.

    Shape:
        one tensor a block → (batch, head_size).

    Reference:
        Guo et al.: DeepFM (2017).

    Example:
        >>> network = DeepFM(InputSpec(num_numbers=2, cardinalities=(3, 4)), head_size=1)
        >>> network(torch.zeros(5, 2), torch.zeros(5, 2, dtype=torch.int64)).shape
        torch.Size([5, 1])
    """

    vectors = ("number_factors",)
    """Own parameters that are no matrices but one vector a column. They are not decayed."""

    def __init__(
        self, spec: InputSpec, *, head_size: int, settings: DeepFMSettings | None = None
    ) -> None:
        super().__init__()
        settings = settings or DeepFMSettings()
        self.head_size = head_size
        size = head_size * settings.factor_size
        self.linear = WeightedSum(spec, head_size=head_size)
        self.number_factors: nn.Parameter | None = None
        self.category_factors: CategoryEmbedding | None = None
        if spec.num_numbers:
            start = torch.randn(spec.num_numbers, size) * settings.factor_size**-0.5
            self.number_factors = nn.Parameter(start)
        if spec.cardinalities:
            self.category_factors = CategoryEmbedding(spec.cardinalities, size=size)
        self.deep = MLP(
            (spec.num_numbers + len(spec.cardinalities)) * size,
            out_features=head_size,
            hidden_sizes=settings.hidden_sizes,
            activation=settings.activation,
            dropout=settings.dropout,
        )

    def forward(self, *blocks: Tensor) -> Tensor:
        """Add the three parts."""
        vectors = self.field_vectors(*blocks)
        products = pairwise_products(vectors.unflatten(2, (self.head_size, -1)))
        return self.linear(*blocks) + products + self.deep(vectors.flatten(1))

    def field_vectors(self, *blocks: Tensor) -> Tensor:
        """Return the vectors of the fields, shape (batch, F + C, outputs · k), numbers first."""
        fields: list[Tensor] = []
        if self.number_factors is not None:
            fields.append(blocks[0].unsqueeze(-1) * self.number_factors)
        if self.category_factors is not None:
            codes = blocks[-1]
            fields.append(self.category_factors(codes).unflatten(1, (codes.shape[1], -1)))
        return torch.cat(fields, dim=1)


def build(spec: InputSpec, head_size: int, settings: DeepFMSettings) -> nn.Module:
    """Make the network for a table.

    Raises:
        ModelError: There is neither a number nor a category.
    """
    if not (spec.num_numbers or spec.cardinalities):
        raise ModelError("deepfm reads the columns of a table, but the data has none.")
    return DeepFM(spec, head_size=head_size, settings=settings)
