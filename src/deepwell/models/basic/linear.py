"""The linear model: linear, logistic or softmax regression, depending on the task's loss.

Parameters: head_size · (features + 1); 10 numbers and one output: 11.
"""

from __future__ import annotations

from torch import Tensor, nn

from deepwell.models.base import PixelSettings
from deepwell.nn.embedding import OneHot
from deepwell.nn.flat_input import FlatInput, FlatNetwork
from deepwell.types import InputSpec


class LinearSettings(PixelSettings):
    """The linear model has no settings beside those of the pixels."""


class LinearModel(nn.Module):
    """A weighted sum of the features and a bias, for each output.

    The weights start at zero: the loss is convex, so the start decides nothing but the time, and
    zero is the answer that knows nothing.

    Args:
        in_features: F.
        out_features: Outputs.

    Shape:
        inputs (batch, F) → (batch, out_features).

    Reference:
        Cox: The Regression Analysis of Binary Sequences (1958).

    Example:
        >>> import torch
        >>> LinearModel(3)(torch.ones(2, 3)).tolist()
        [[0.0], [0.0]]
    """

    def __init__(self, in_features: int, *, out_features: int = 1) -> None:
        super().__init__()
        self.output = nn.Linear(in_features, out_features)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the weighted sums."""
        return self.output(inputs)


def build(spec: InputSpec, head_size: int, settings: LinearSettings) -> nn.Module:
    """Make the model for a table or for pictures: categories one-hot, pixels scaled."""
    categories = OneHot(spec.cardinalities) if spec.cardinalities else None
    flatten = FlatInput(spec, categories=categories, mean=settings.mean, std=settings.std)
    return FlatNetwork(flatten, LinearModel(flatten.out_features, out_features=head_size))
