"""The residual network for tables.

A linear layer to the width D, then blocks that add to what they read, then a normalised linear
head:

======================  ===========================================================  ==========
part                    what it does                                                 shape
======================  ===========================================================  ==========
first                   linear                                                       (batch, D)
block, `num_blocks` ×   x + dropout(linear(dropout(ReLU(linear(batch norm(x))))))    (batch, D)
head                    linear(ReLU(batch norm(x)))                                  (batch, H)
======================  ===========================================================  ==========

The first layer of a block widens D by `hidden_factor`. Parameters for F inputs and H outputs:
(F + 1) D, for each block 2 D + (D + 1) M + (M + 1) D with M = D · hidden_factor, and
2 D + (D + 1) H. For 10 numbers, D = 192, M = 384, 2 blocks and one output: 299,521.

Reference:
    Gorishniy, Rubachev, Khrulkov, Babenko: Revisiting Deep Learning Models for Tabular Data
    (2021), section 3.2.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from deepwell.models.base import Share, Width
from deepwell.models.tabular.table_input import TableInputSettings, table_input
from deepwell.nn.flat_input import FlatNetwork
from deepwell.nn.quick_dropout import QuickDropout
from deepwell.types import InputSpec


class ResidualMLPSettings(TableInputSettings):
    """Depth, width and regularisation of the residual network."""

    num_blocks: Annotated[int, Field(ge=1)] = 2
    """Residual blocks."""
    hidden_size: Width = 192
    """D, the width between the blocks."""
    hidden_factor: Annotated[float, Field(gt=0)] = 2.0
    """Width inside a block over the width between them."""
    dropout: Share = 0.15
    """Share of the units inside a block that is set to zero in training."""
    residual_dropout: Share = 0.0
    """Share of what a block adds that is set to zero in training."""


class ResidualBlock(nn.Module):
    """Normalise, widen, ReLU, narrow, and add to the input.

    Args:
        size: D.
        hidden_size: Width inside.
        dropout: Share of the units inside that is set to zero in training.
        residual_dropout: Share of the sum's second term that is set to zero in training.

    Shape:
        (batch, D) → (batch, D).
    """

    def __init__(
        self, size: int, *, hidden_size: int, dropout: float, residual_dropout: float
    ) -> None:
        super().__init__()
        self.residual = nn.Sequential(
            nn.BatchNorm1d(size),
            nn.Linear(size, hidden_size),
            nn.ReLU(),
            QuickDropout(dropout),
            nn.Linear(hidden_size, size),
            QuickDropout(residual_dropout),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs + residual."""
        return inputs + self.residual(inputs)


class ResidualMLP(nn.Module):
    """A residual network of linear layers.

    Args:
        in_features: F.
        out_features: H.
        num_blocks: Residual blocks.
        hidden_size: D.
        hidden_factor: Width inside a block over D.
        dropout: Inside a block.
        residual_dropout: On what a block adds.

    Shape:
        inputs (batch, F) → (batch, H).

    Reference:
        Gorishniy, Rubachev, Khrulkov, Babenko (2021), section 3.2 ("ResNet").

    Example:
        >>> network = ResidualMLP(10, out_features=1)
        >>> sum(weight.numel() for weight in network.parameters())
        299521
    """

    def __init__(
        self,
        in_features: int,
        *,
        out_features: int,
        num_blocks: int = 2,
        hidden_size: int = 192,
        hidden_factor: float = 2.0,
        dropout: float = 0.15,
        residual_dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.first = nn.Linear(in_features, hidden_size)
        self.blocks = nn.Sequential(
            *(
                ResidualBlock(
                    hidden_size,
                    hidden_size=max(1, round(hidden_size * hidden_factor)),
                    dropout=dropout,
                    residual_dropout=residual_dropout,
                )
                for _ in range(num_blocks)
            )
        )
        self.head = nn.Sequential(
            nn.BatchNorm1d(hidden_size), nn.ReLU(), nn.Linear(hidden_size, out_features)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the head."""
        return self.head(self.blocks(self.first(inputs)))


def build(spec: InputSpec, head_size: int, settings: ResidualMLPSettings) -> nn.Module:
    """Make the network for a table."""
    flatten = table_input(spec, settings, "residual_mlp")
    body = ResidualMLP(
        flatten.out_features,
        out_features=head_size,
        num_blocks=settings.num_blocks,
        hidden_size=settings.hidden_size,
        hidden_factor=settings.hidden_factor,
        dropout=settings.dropout,
        residual_dropout=settings.residual_dropout,
    )
    return FlatNetwork(flatten, body)
