"""TabM: many perceptrons in one, which share their matrices.

All K members read the same row. A layer of member i is ((x · r_i) Wᵀ) · s_i + b_i with W shared,
so that one product of size (batch · K, F) serves all, and K members cost few parameters more than
one. Each member has a head of its own. Training makes the mean of the members' losses small, not
the loss of their mean, so the members stay different; the answer is the mean of their answers.

===================  ==========================================  ==================
part                 what it does                                shape
===================  ==========================================  ==================
block 1              BatchEnsemble layer, r_i random; ReLU       (batch, K, D)
other blocks         BatchEnsemble layer, r_i = 1; ReLU          (batch, K, D)
head                 a linear layer for each member              (batch, K, H)
mean                 in evaluation only                          (batch, H)
===================  ==========================================  ==================

Parameters for F inputs and B blocks: D (F + K) + K (F + D) for the first block, D (D + K) + 2 K D
for each other one, K (D + 1) H for the heads. For 10 numbers, D = 512, B = 3, K = 32, H = 1:
677,216.

Reference:
    Gorishniy, Kotelnikov, Babenko: TabM, Advancing Tabular Deep Learning with Parameter-Efficient
    Ensembling (2025), section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from torch import Tensor, nn

from deepwell.models.base import Share, Width
from deepwell.models.tabular.table_input import (
    NumberEmbedding,
    TableInputSettings,
    chunks_of,
    table_input,
)
from deepwell.nn.ensemble import BatchEnsembleLinear, Link, MemberLinear, MemberMean, Start
from deepwell.nn.flat_input import FlatNetwork
from deepwell.nn.quick_dropout import QuickDropout
from deepwell.types import InputSpec


class TabMSettings(TableInputSettings):
    """Members, depth and width of TabM."""

    num_members: Annotated[int, Field(ge=1)] = 16
    """K, the perceptrons in one."""
    num_blocks: Annotated[int, Field(ge=1)] = 2
    """Hidden layers."""
    hidden_size: Width = 256
    """D, units of a hidden layer."""
    dropout: Share = 0.1
    """Share of the hidden units that is set to zero in training."""
    number_embedding: NumberEmbedding = "piecewise"
    """Numbers with bins ("PLE"); as they are ("none"); as themselves and learned
    waves ("periodic"); or as learned waves cut at zero ("periodic_relu")."""
    link: Link = "none"
    """What turns outputs into answers, so that the answers are averaged; a training sets it by its
    question."""


class TabM(nn.Module):
    """Perceptrons that share their matrices.

    Args:
        chunks: Input features, in groups of neighbours that stand for one column each.
        out_features: H.
        num_members: K.
        num_blocks: Hidden layers.
        hidden_size: D.
        dropout: Share of the hidden units that is set to zero in training.
        start: First values of the r_i of the first block: "signs" for plain numbers, "normal" for
            embedded ones.
        link: How the members are averaged in evaluation, see `average_members`.

    Shape:
        inputs (batch, F) → (batch, H) in evaluation; in training (batch · K, H), the answers of
        all members to the first row first.

    Reference:
        Gorishniy, Kotelnikov, Babenko (2025), section 3.3 ("TabM").

    Example:
        >>> network = TabM((1,) * 10, out_features=1)
        >>> sum(weight.numel() for weight in network.parameters())
        677216
    """

    def __init__(
        self,
        chunks: Sequence[int],
        *,
        out_features: int,
        num_members: int = 32,
        num_blocks: int = 3,
        hidden_size: int = 512,
        dropout: float = 0.1,
        start: Start = "signs",
        link: Link = "none",
    ) -> None:
        super().__init__()
        self.blocks = nn.Sequential()
        for index in range(num_blocks):
            is_first = index == 0
            layer = BatchEnsembleLinear(
                chunks if is_first else (hidden_size,),
                out_features=hidden_size,
                num_members=num_members,
                start=start if is_first else "ones",
            )
            self.blocks.append(nn.Sequential(layer, nn.ReLU(), QuickDropout(dropout)))
        self.head = MemberLinear(hidden_size, out_features=out_features, num_members=num_members)
        self.mean = MemberMean(link)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the answers of the members in training, outputs for their mean otherwise."""
        return self.mean(self.head(self.blocks(inputs)))


def build(spec: InputSpec, head_size: int, settings: TabMSettings) -> nn.Module:
    """Make the network for a table."""
    flatten = table_input(spec, settings, "tabm")
    body = TabM(
        chunks_of(spec, flatten),
        out_features=head_size,
        num_members=settings.num_members,
        num_blocks=settings.num_blocks,
        hidden_size=settings.hidden_size,
        dropout=settings.dropout,
        start="signs" if settings.number_embedding == "none" else "normal",
        link=settings.link,
    )
    return FlatNetwork(flatten, body)
