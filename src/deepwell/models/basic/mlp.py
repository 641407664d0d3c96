"""The multi-layer perceptron.

Parameters of the preset "lecture" (784-128-10, on 28 × 28 pictures): 101,770.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from deepwell.errors import ConfigError
from deepwell.models.base import PixelSettings, Share, Width
from deepwell.nn.activation import ActivationName, activation, width_factor
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.nn.flat_input import FlatInput, FlatNetwork
from deepwell.nn.initialise import InitialiserName, initialise, initialiser_for
from deepwell.nn.numeric import PeriodicNumbers
from deepwell.types import InputSpec

Normalization = Literal["none", "batch", "layer"]


class MLPSettings(PixelSettings):
    """Depth, width and regularisation of the multi-layer perceptron."""

    hidden_sizes: tuple[Width, ...] = (256, 256, 256)
    """Units of each hidden layer; [] gives a linear model."""
    activation: ActivationName = "silu"
    """Activation after each hidden layer, by name."""
    dropout: Share = 0.1
    """Share of the hidden units that is set to zero in training."""
    normalization: Normalization = "none"
    """Normalisation before each activation: over the batch, over the layer, or none."""
    initialiser: InitialiserName = "auto"
    """First values of the weights, by name; "auto" takes what suits the activation."""
    embedding_size: Annotated[int, Field(ge=1)] | None = None
    """Numbers that stand for a category; None: more for columns with more values, up to 32."""
    number_embedding: Literal["none", "periodic"] = "none"
    """Numbers as they are, or as themselves and learned waves."""
    frequency_scale: Annotated[float, Field(gt=0)] = 0.1
    """For "periodic": how fine the waves are at the start."""


class MLP(nn.Module):
    """Fully connected layers, each followed by normalisation, activation and dropout.

    Args:
        in_features: F.
        out_features: Outputs of the last layer, which is linear.
        hidden_sizes: Units of each hidden layer.
        activation: By name, see `deepwell.nn.activation.ACTIVATIONS`.
        dropout: Share of the hidden units that is set to zero in training.
        normalization: "none", "batch" or "layer".
        initialiser: By name, see `deepwell.nn.initialise.INITIALISERS`, or "auto".

    Shape:
        inputs (batch, F) → (batch, out_features).

    Raises:
        ConfigError: An unknown activation, normalisation or initialiser.

    Reference:
        Rumelhart, Hinton, Williams: Learning representations by back-propagating errors (1986).

    Example:
        >>> network = MLP(784, out_features=10, hidden_sizes=(128,))
        >>> sum(weight.numel() for weight in network.parameters())
        101770
    """

    def __init__(
        self,
        in_features: int,
        *,
        out_features: int,
        hidden_sizes: Sequence[int] = (256, 256, 256),
        activation: str = "relu",
        dropout: float = 0.1,
        normalization: Normalization = "none",
        initialiser: str = "auto",
    ) -> None:
        super().__init__()
        widths = (in_features, *hidden_sizes)
        self.hidden = nn.Sequential(
            *(
                _layer(before, after, activation, dropout, normalization)
                for before, after in pairwise(widths)
            )
        )
        self.output = nn.Linear(widths[-1], out_features)
        name = initialiser_for(activation) if initialiser == "auto" else initialiser
        initialise(self.hidden, name)
        initialise(self.output, "lecun_normal" if initialiser == "auto" else initialiser)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the last layer."""
        return self.output(self.hidden(inputs))


def _layer(
    in_features: int,
    out_features: int,
    activation_name: str,
    dropout: float,
    normalization: Normalization,
) -> nn.Sequential:
    layer = nn.Sequential()
    width = out_features * width_factor(activation_name)
    # batch normalisation subtracts the mean, and with it any bias
    layer.add_module("linear", nn.Linear(in_features, width, bias=normalization != "batch"))
    if normalization == "batch":
        layer.add_module("normalization", nn.BatchNorm1d(width))
    elif normalization == "layer":
        layer.add_module("normalization", nn.LayerNorm(width))
    elif normalization != "none":
        raise ConfigError(f'normalization is "none", "batch" or "layer". Got: "{normalization}".')
    layer.add_module("activation", activation(activation_name))
    if dropout > 0:
        layer.add_module("dropout", nn.Dropout(dropout))
    return layer


def build(spec: InputSpec, head_size: int, settings: MLPSettings) -> nn.Module:
    """Make the network for a table or for pictures: categories embedded, pixels scaled."""
    categories = numbers = None
    if spec.cardinalities:
        categories = CategoryEmbedding(spec.cardinalities, size=settings.embedding_size)
    if spec.num_numbers and settings.number_embedding == "periodic":
        scale = settings.frequency_scale
        numbers = PeriodicNumbers(spec.num_numbers, frequency_scale=scale)
    flatten = FlatInput(
        spec, categories=categories, numbers=numbers, mean=settings.mean, std=settings.std
    )
    body = MLP(
        flatten.out_features,
        out_features=head_size,
        hidden_sizes=settings.hidden_sizes,
        activation=settings.activation,
        dropout=settings.dropout,
        normalization=settings.normalization,
        initialiser=settings.initialiser,
    )
    return FlatNetwork(flatten, body)
