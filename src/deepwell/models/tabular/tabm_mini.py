"""TabM-mini: one perceptron that looks at the row through many glasses.

Member i multiplies the row by a vector r_i of its own; all layers after that are shared, and each
member has a head of its own. Fewer weights than TabM, and on many tables as good.

===================  ==========================================  ==================
part                 what it does                                shape
===================  ==========================================  ==================
glasses              x · r_i                                     (batch, K, F)
blocks               linear, ReLU, shared                        (batch, K, D)
head                 a linear layer for each member              (batch, K, H)
mean                 in evaluation only                          (batch, H)
===================  ==========================================  ==================

Parameters for F inputs and B blocks: K F, then D (F + 1) + (B − 1) D (D + 1), then K (D + 1) H.
For 10 numbers, D = 512, B = 3, K = 32, H = 1: 547,680.

Reference:
    Gorishniy, Kotelnikov, Babenko: TabM, Advancing Tabular Deep Learning with Parameter-Efficient
    Ensembling (2025), section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from deepwell.models.tabular.table_input import chunks_of, table_input
from deepwell.models.tabular.tabm import TabMSettings
from deepwell.nn.ensemble import Link, MemberLinear, MemberMean, MemberScale, Start
from deepwell.nn.flat_input import FlatNetwork
from deepwell.nn.quick_dropout import QuickDropout
from deepwell.types import InputSpec


class TabMMiniSettings(TabMSettings):
    """Members, depth and width of TabM-mini."""


class TabMMini(nn.Module):
    """One perceptron, many scalings of its input, many heads.

    Args:
        chunks: Input features, in groups of neighbours that stand for one column each.
        out_features: H.
        num_members: K.
        num_blocks: Hidden layers.
        hidden_size: D.
        dropout: Share of the hidden units that is set to zero in training.
        start: First values of the r_i, see `TabM`.
        link: How the members are averaged in evaluation, see `average_members`.

    Shape:
        inputs (batch, F) → (batch, H) in evaluation; in training (batch · K, H), the answers of
        all members to the first row first.

    Reference:
        Gorishniy, Kotelnikov, Babenko (2025), section 3.3 ("TabM-mini").

    Example:
        >>> network = TabMMini((1,) * 10, out_features=1)
        >>> sum(weight.numel() for weight in network.parameters())
        547680
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
        self.glasses = MemberScale(chunks, num_members=num_members, start=start)
        self.blocks = nn.Sequential()
        for index in range(num_blocks):
            layer = nn.Linear(hidden_size if index else sum(chunks), hidden_size)
            self.blocks.append(nn.Sequential(layer, nn.ReLU(), QuickDropout(dropout)))
        self.head = MemberLinear(hidden_size, out_features=out_features, num_members=num_members)
        self.mean = MemberMean(link)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the answers of the members in training, outputs for their mean otherwise."""
        return self.mean(self.head(self.blocks(self.glasses(inputs))))


def build(spec: InputSpec, head_size: int, settings: TabMMiniSettings) -> nn.Module:
    """Make the network for a table."""
    flatten = table_input(spec, settings, "tabm_mini")
    body = TabMMini(
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
