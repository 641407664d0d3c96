"""Neural additive model: one small network for each column, and the answer is their sum.

A glass box: what a column adds depends on this column alone, and can be drawn. Numbers go through
networks of their own, all of which are computed at once; a category has one number a value.

Shapes: numbers (batch, F), categories (batch, C) → contributions (batch, F + C, outputs) →
(batch, outputs). Parameters of the defaults with 10 numbers, categories of 5 and 12 codes, one
output: 64,028.

Reference:
    Agarwal, Melnick, Frosst, Zhang, Lengerich, Caruana, Hinton: Neural Additive Models:
    Interpretable Machine Learning with Neural Nets, NeurIPS (2021), sections 2 and 3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.base import Share, Width
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.types import InputSpec


class NeuralAdditiveSettings(Settings):
    """Size and regularisation of the networks of the columns."""

    hidden_sizes: tuple[Width, ...] = (64, 64, 32)
    """Units of each hidden layer of the network of a number."""
    units: Literal["relu", "exu"] = "relu"
    """The first layer: "relu" for smooth shapes, "exu" for jagged ones with jumps."""
    dropout: Share = 0.1
    """Share of the hidden units that is set to zero in training."""
    feature_dropout: Share = 0.0
    """Share of the columns whose contribution is left out in training."""


class LinearByFeature(nn.Module):
    """A linear layer for each feature, with weights of its own.

    Args:
        num_features: F.
        in_size: Inputs of each feature.
        out_size: Outputs of each feature.

    Shape:
        (batch, F, in_size) → (batch, F, out_size).

    Example:
        >>> LinearByFeature(3, in_size=1, out_size=4)(torch.zeros(2, 3, 1)).shape
        torch.Size([2, 3, 4])
    """

    def __init__(self, num_features: int, *, in_size: int, out_size: int) -> None:
        super().__init__()
        std = math.sqrt(2 / in_size)
        self.weight = nn.Parameter(torch.randn(num_features, in_size, out_size) * std)
        # spread, so that the kinks of the first layer do not all lie at the middle of the data
        spread = in_size**-0.5
        self.bias = nn.Parameter(torch.empty(num_features, 1, out_size).uniform_(-spread, spread))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of each feature."""
        by_feature = torch.baddbmm(self.bias, inputs.transpose(0, 1), self.weight)
        return by_feature.transpose(0, 1)


class ExpUnits(nn.Module):
    """Units that rise steeply on a small part of the axis: exp(weight) · (x − bias), cut to 0 … 1.

    Args:
        num_features: F.
        out_size: Units of each feature.

    Shape:
        (batch, F, 1) → (batch, F, out_size).

    Reference:
        Agarwal et al.: Neural Additive Models (2021), section 2.1: weights start near 4.

    Example:
        >>> units = ExpUnits(1, out_size=1)
        >>> with torch.no_grad():
        ...     _ = units.weight.fill_(0.0), units.bias.fill_(0.5)
        >>> units(torch.tensor([[[0.0]], [[0.75]], [[3.0]]])).flatten().tolist()
        [0.0, 0.25, 1.0]
    """

    def __init__(self, num_features: int, *, out_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(num_features, out_size) * 0.5 + 4.0)
        # the numbers come with spread 1: their edges shall lie where the rows are
        self.bias = nn.Parameter(torch.randn(num_features, out_size))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the activations."""
        return ((inputs - self.bias) * self.weight.exp()).clamp(0.0, 1.0)


class BiasedSum(nn.Module):
    """The sum of all parts and a bias.

    Shape:
        parts (batch, P, head_size) → (batch, head_size).
    """

    def __init__(self, head_size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(head_size))

    def forward(self, parts: Tensor) -> Tensor:
        """Return the sums."""
        return parts.sum(dim=1) + self.bias


class NeuralAdditive(nn.Module):
    """The sum of one function of each column.

    Args:
        spec: Numbers, categories or both.
        head_size: Outputs a row.
        settings: Sizes and dropout.

    Shape:
        one tensor a block → (batch, head_size).

    Reference:
        Agarwal et al.: Neural Additive Models (2021).

    Example:
        >>> network = NeuralAdditive(InputSpec(num_numbers=3), head_size=1).eval()
        >>> rows = torch.randn(5, 3)
        >>> parts = network.contributions(rows)
        >>> parts.shape, torch.equal(network(rows), parts.sum(dim=1) + network.bias)
        (torch.Size([5, 3, 1]), True)
    """

    def __init__(
        self,
        spec: InputSpec,
        *,
        head_size: int,
        settings: NeuralAdditiveSettings | None = None,
    ) -> None:
        super().__init__()
        settings = settings or NeuralAdditiveSettings()
        self.head_size = head_size
        self.feature_dropout = settings.feature_dropout
        self.numbers: nn.Sequential | None = None
        self.categories: CategoryEmbedding | None = None
        if spec.num_numbers:
            self.numbers = _networks(spec.num_numbers, head_size, settings)
        if spec.cardinalities:
            self.categories = CategoryEmbedding(spec.cardinalities, size=head_size)
            for weight in self.categories.parameters():
                nn.init.zeros_(weight)
        self.total = BiasedSum(head_size)

    @property
    def bias(self) -> Tensor:
        """What is added to the contributions, shape (head_size,)."""
        return self.total.bias

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the sum of all contributions and the bias."""
        parts = self.contributions(*blocks)
        if self.training and self.feature_dropout:
            kept = parts.new_ones(parts.shape[:2]).unsqueeze(-1)
            parts = parts * F.dropout(kept, self.feature_dropout)
        return self.total(parts)

    def contributions(self, *blocks: Tensor) -> Tensor:
        """Return what each column adds, shape (batch, F + C, head_size), numbers first.

        The order is that of `Encoders.feature_names` and then `Encoders.category_names`.
        """
        parts: list[Tensor] = []
        if self.numbers is not None:
            parts.append(self.numbers(blocks[0].unsqueeze(-1)))
        if self.categories is not None:
            parts.append(self.categories(blocks[-1]).unflatten(1, (-1, self.head_size)))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _networks(num_features: int, head_size: int, settings: NeuralAdditiveSettings) -> nn.Sequential:
    """Make the networks of all numbers."""
    sizes: Sequence[int] = (1, *settings.hidden_sizes)
    layers: list[nn.Module] = []
    for index, (before, after) in enumerate(pairwise(sizes)):
        if index == 0 and settings.units == "exu":
            layers.append(ExpUnits(num_features, out_size=after))
        else:
            layers += [LinearByFeature(num_features, in_size=before, out_size=after), nn.ReLU()]
        layers.append(nn.Dropout(settings.dropout))
    output = LinearByFeature(num_features, in_size=sizes[-1], out_size=head_size)
    nn.init.zeros_(output.bias)
    with torch.no_grad():
        # the sum of all features shall start as large as one
        output.weight.mul_((2 * num_features) ** -0.5)
    return nn.Sequential(*layers, output)


def build(spec: InputSpec, head_size: int, settings: NeuralAdditiveSettings) -> nn.Module:
    """Make the network for a table.

    Raises:
        ModelError: There is neither a number nor a category.
    """
    if not (spec.num_numbers or spec.cardinalities):
        raise ModelError("nam reads the columns of a table, but the data has none.")
    return NeuralAdditive(spec, head_size=head_size, settings=settings)
