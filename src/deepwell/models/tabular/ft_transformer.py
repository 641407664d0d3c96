"""FT-Transformer: every column of a table becomes a token, and the tokens attend to each other.

Tokens: one learned vector that collects the answer, F numbers as x · weight + bias, C categories
as vectors + bias. Then blocks of attention and a gated feed-forward layer, each inside a residual
that is normalised at its entrance, except the very first. The last block only computes the token
that collects.

Shapes: numbers (batch, F), categories (batch, C) → tokens (batch, 1 + F + C, D) → (batch, outputs).
Parameters of the preset "paper" (D = 192, 3 blocks) with 8 numbers and one output: 894,913, as in
the authors' package.

Reference:
    Gorishniy, Rubachev, Khrulkov, Babenko: Revisiting Deep Learning Models for Tabular Data,
    NeurIPS (2021), section 3.3 and appendix E.
"""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.base import Share, Width
from deepwell.nn.activation import Gated
from deepwell.nn.attention import Attention
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.types import InputSpec


class FTTransformerSettings(Settings):
    """Size and regularisation of FT-Transformer."""

    token_size: Width = 64
    """Numbers a token, a multiple of num_heads."""
    num_layers: Width = 2
    """Blocks of attention and feed-forward layer."""
    num_heads: Width = 8
    """Mixtures that attention makes side by side."""
    hidden_factor: Annotated[float, Field(gt=0)] = 4 / 3
    """Units of the feed-forward layer for each number of a token."""
    attention_dropout: Share = 0.1
    """Share of the weights of attention that is set to zero in training."""
    hidden_dropout: Share = 0.1
    """Share of the units of the feed-forward layers that is set to zero in training."""
    residual_dropout: Share = 0.0
    """Share of what a layer adds to its tokens that is set to zero in training."""


class FeatureTokens(nn.Module):
    """Each number and each category as a vector of D numbers.

    Args:
        spec: Numbers, categories or both.
        size: D.

    Shape:
        one tensor a block → (batch, F + C, D), numbers first.

    Example:
        >>> FeatureTokens(InputSpec(num_numbers=3), size=8)(torch.zeros(2, 3)).shape
        torch.Size([2, 3, 8])
    """

    vectors = ("weight", "bias")
    """Own parameters that are no matrices but one vector a column. They are not decayed."""

    def __init__(self, spec: InputSpec, *, size: int) -> None:
        super().__init__()
        self.size = size
        bound = size**-0.5
        count = spec.num_numbers + len(spec.cardinalities)
        self.bias = nn.Parameter(torch.empty(count, size).uniform_(-bound, bound))
        self.weight: nn.Parameter | None = None
        self.categories: CategoryEmbedding | None = None
        if spec.num_numbers:
            self.weight = nn.Parameter(torch.empty(spec.num_numbers, size).uniform_(-bound, bound))
        if spec.cardinalities:
            self.categories = CategoryEmbedding(spec.cardinalities, size=size)

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the tokens."""
        tokens: list[Tensor] = []
        if self.weight is not None:
            tokens.append(blocks[0].unsqueeze(-1) * self.weight)
        if self.categories is not None:
            tokens.append(self.categories(blocks[-1]).unflatten(1, (-1, self.size)))
        joined = tokens[0] if len(tokens) == 1 else torch.cat(tokens, dim=1)
        return joined + self.bias


class FTBlock(nn.Module):
    """Attention, then a gated feed-forward layer, each added to the tokens.

    Args:
        settings: Sizes and dropout.
        is_first: The first block does not normalise what attention reads: with that
            normalisation the network learns worse (appendix E.1 of the paper).

    Shape:
        queries (batch, Q, D), tokens (batch, T, D) → (batch, Q, D).
    """

    def __init__(self, settings: FTTransformerSettings, *, is_first: bool) -> None:
        super().__init__()
        size = settings.token_size
        hidden = int(size * settings.hidden_factor + 1e-6)
        self.attention_norm = nn.Identity() if is_first else nn.LayerNorm(size)
        self.attention = Attention(
            size, num_heads=settings.num_heads, dropout=settings.attention_dropout
        )
        self.feed_forward = nn.Sequential(
            nn.LayerNorm(size),
            nn.Linear(size, 2 * hidden),
            Gated(nn.ReLU()),
            nn.Dropout(settings.hidden_dropout),
            nn.Linear(hidden, size),
        )
        self.residual_dropout = nn.Dropout(settings.residual_dropout)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Return the queries after both layers."""
        normed = self.attention_norm(tokens)
        # the queries are the first of the tokens
        mixed = self.attention(normed[:, : queries.shape[1]], normed)
        queries = queries + self.residual_dropout(mixed)
        # features lie last: the gate takes the halves of a token
        return queries + self.residual_dropout(self.feed_forward(queries))


class FTTransformer(nn.Module):
    """A transformer over the columns of a table.

    Args:
        spec: Numbers, categories or both.
        head_size: Outputs a row.
        settings: Sizes and dropout.

    Shape:
        one tensor a block → (batch, head_size).

    Raises:
        ConfigError: The size of a token is no multiple of the heads.

    Reference:
        Gorishniy et al.: Revisiting Deep Learning Models for Tabular Data (2021).

    Example:
        >>> network = FTTransformer(InputSpec(num_numbers=3), head_size=2)
        >>> network(torch.zeros(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        spec: InputSpec,
        *,
        head_size: int,
        settings: FTTransformerSettings | None = None,
    ) -> None:
        super().__init__()
        settings = settings or FTTransformerSettings()
        size = settings.token_size
        self.tokens = FeatureTokens(spec, size=size)
        bound = size**-0.5
        self.collector = nn.Parameter(torch.empty(size).uniform_(-bound, bound))
        self.blocks = nn.ModuleList(
            FTBlock(settings, is_first=index == 0) for index in range(settings.num_layers)
        )
        self.head = nn.Sequential(nn.LayerNorm(size), nn.ReLU(), nn.Linear(size, head_size))

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the head's reading of the token that collects."""
        features = self.tokens(*blocks)
        collector = self.collector.expand(len(features), 1, -1)
        tokens = torch.cat([collector, features], dim=1)  # (batch, 1 + F + C, D)
        last = len(self.blocks) - 1
        for index, block in enumerate(self.blocks):
            tokens = block(tokens[:, :1] if index == last else tokens, tokens)
        return self.head(tokens[:, 0])


def build(spec: InputSpec, head_size: int, settings: FTTransformerSettings) -> nn.Module:
    """Make the network for a table.

    Raises:
        ModelError: There is neither a number nor a category.
    """
    if not (spec.num_numbers or spec.cardinalities):
        raise ModelError("ft_transformer reads the columns of a table, but the data has none.")
    return FTTransformer(spec, head_size=head_size, settings=settings)
