"""A perceptron whose layers first learn to repair damaged rows: the denoising autoencoder.

Before the training proper, cells of the rows are exchanged at random and the hidden layers learn,
with a decoder on top, to say what stood there: each number, and which value of each category. For
that no target is needed. Then the decoder is dropped, a head is put in its place, and all weights
learn the task.

Shapes: numbers (batch, F), categories (batch, C) → hidden (batch, H) → (batch, outputs); in the
pre-training → (batch, F + sum of the codes). Parameters of the defaults with 10 numbers, categories
of 5 and 12 codes, one output: 137,845, without the decoder.

Reference:
    Vincent, Larochelle, Bengio, Manzagol: Extracting and Composing Robust Features with Denoising
    Autoencoders, ICML (2008), section 2.3. The exchange of cells: Jahrer: 1st place of the Porto
    Seguro challenge (2018).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.base import Share, Width
from deepwell.models.basic.mlp import MLP
from deepwell.nn.activation import ActivationName
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.nn.flat_input import FlatInput
from deepwell.nn.swap_noise import SwapNoise
from deepwell.types import InputSpec


class DenoisingSettings(Settings):
    """The perceptron and its pre-training."""

    hidden_sizes: Annotated[tuple[Width, ...], Field(min_length=1)] = (256, 256, 256)
    """Units of each hidden layer, one layer or more."""
    activation: ActivationName = "silu"
    """Activation after each hidden layer, by name."""
    dropout: Share = 0.1
    """Share of the hidden units that is set to zero in training."""
    embedding_size: Annotated[int, Field(ge=1)] | None = None
    """Numbers that stand for a category; None: more for columns with more values, up to 32."""
    pretrain_epochs: Annotated[int, Field(ge=0)] = 20
    """Epochs of pre-training on the training rows without their target; 0: none."""
    swap: Share = 0.15
    """Share of the cells that are exchanged between rows in the pre-training."""


class DenoisingMLP(nn.Module):
    """A perceptron on a table whose hidden layers can be pre-trained.

    Args:
        spec: Numbers, categories or both.
        head_size: Outputs a row.
        settings: Sizes, dropout and pre-training.

    Shape:
        one tensor a block → (batch, head_size).

    Reference:
        Vincent et al.: Denoising Autoencoders (2008).

    Example:
        >>> import torch
        >>> network = DenoisingMLP(InputSpec(num_numbers=3, cardinalities=(4,)), head_size=1)
        >>> rows = torch.zeros(5, 3), torch.zeros(5, 1, dtype=torch.int64)
        >>> network(*rows).shape, network.denoiser()(*rows).shape
        (torch.Size([5, 1]), torch.Size([5, 7]))
    """

    def __init__(
        self, spec: InputSpec, *, head_size: int, settings: DenoisingSettings | None = None
    ) -> None:
        super().__init__()
        settings = settings or DenoisingSettings()
        self.spec = spec
        self.swap = settings.swap
        self.pretrain_epochs = settings.pretrain_epochs
        categories: nn.Module | None = None
        if spec.cardinalities:
            categories = CategoryEmbedding(spec.cardinalities, size=settings.embedding_size)
        self.flatten = FlatInput(spec, categories=categories)
        self.body = MLP(
            self.flatten.out_features,
            out_features=head_size,
            hidden_sizes=settings.hidden_sizes,
            activation=settings.activation,
            dropout=settings.dropout,
        )

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the outputs."""
        return self.body(self.flatten(*blocks))

    def denoiser(self) -> Denoiser:
        """Return the autoencoder that shares the hidden layers; its decoder is new."""
        return Denoiser(self)


class Denoiser(nn.Module):
    """The hidden layers of a perceptron below a decoder that names each cell of the undamaged row.

    Args:
        network: Whose layers are shared.

    Shape:
        one tensor a block → (batch, F + sum of the codes): the numbers, then one logit for each
        code of each category column.
    """

    def __init__(self, network: DenoisingMLP) -> None:
        super().__init__()
        self.noise = SwapNoise(network.swap)
        self.flatten = network.flatten
        self.hidden = network.body.hidden
        cells = network.spec.num_numbers + sum(network.spec.cardinalities)
        self.decoder = nn.Linear(network.body.output.in_features, cells)

    def forward(self, *blocks: Tensor) -> Tensor:
        """Damage the rows in training, and say what stood there."""
        damaged = [self.noise(block) for block in blocks]
        return self.decoder(self.hidden(self.flatten(*damaged)))


def build(spec: InputSpec, head_size: int, settings: DenoisingSettings) -> nn.Module:
    """Make the network for a table.

    Raises:
        ModelError: There is neither a number nor a category.
    """
    if not (spec.num_numbers or spec.cardinalities):
        raise ModelError("dae_mlp reads the columns of a table, but the data has none.")
    return DenoisingMLP(spec, head_size=head_size, settings=settings)
