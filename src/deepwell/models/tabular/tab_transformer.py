"""TabTransformer: categories attend to each other and so learn their meaning in this row.

Each category becomes a token: a vector of its value beside one of its column. Blocks of attention
and feed-forward layer, normalised after each addition, put the tokens into context. Context and
numbers side by side go through a multi-layer perceptron of 4 and 2 times its input.

Shapes: categories (batch, C) → tokens (batch, C, D) → (batch, C · D); with numbers (batch, F)
beside them → (batch, outputs). Without categories it is the perceptron alone.
Parameters of the defaults with 10 numbers, categories of 5 and 12 codes, one output: 104,901.

Reference:
    Huang, Khetan, Cvitkovic, Karnin: TabTransformer: Tabular Data Modeling Using Contextual
    Embeddings, arXiv 2012.06678 (2020), section 2.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ConfigError, ModelError
from deepwell.models.base import Share, Width
from deepwell.models.basic.mlp import MLP
from deepwell.nn.attention import Attention
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.types import InputSpec


class TabTransformerSettings(Settings):
    """Size and regularisation of TabTransformer."""

    token_size: Width = 32
    """Numbers that stand for a category, a multiple of 8 and of num_heads."""
    num_layers: Width = 3
    """Blocks of attention and feed-forward layer; the paper has 6."""
    num_heads: Width = 8
    """Mixtures that attention makes side by side."""
    attention_dropout: Share = 0.1
    """Share of the weights of attention that is set to zero in training."""
    hidden_dropout: Share = 0.1
    """Share of the units of feed-forward layers and perceptron that is set to zero in training."""
    number_normalization: Literal["none", "layer"] = "none"
    """"layer" normalises the numbers of a row among themselves, as the paper does: it loses how
    large they are together."""


class ColumnTokens(nn.Module):
    """Each category as a vector, an eighth of which tells the column.

    Args:
        cardinalities: For each column, how many codes it has (code 0 included).
        size: D, a multiple of 8.

    Shape:
        codes (batch, C), int64 → (batch, C, D).

    Raises:
        ConfigError: `size` is no multiple of 8.
    """

    vectors = ("columns",)
    """Own parameters that are no matrices but one vector a column. They are not decayed."""

    def __init__(self, cardinalities: tuple[int, ...], *, size: int) -> None:
        super().__init__()
        if size % 8:
            raise ConfigError(f"token_size must be a multiple of 8. Got: {size}.")
        self.values = CategoryEmbedding(cardinalities, size=size - size // 8)
        self.columns = nn.Parameter(torch.randn(len(cardinalities), size // 8) * size**-0.5)

    def forward(self, codes: Tensor) -> Tensor:
        """Return the tokens."""
        values = self.values(codes).unflatten(1, (codes.shape[1], -1))
        columns = self.columns.to(values.dtype).expand(len(codes), -1, -1)
        return torch.cat([columns, values], dim=2)


class ContextBlock(nn.Module):
    """Attention, then a feed-forward layer; each is added to the tokens, which are normalised then.

    Shape:
        tokens (batch, C, D) → the same.

    Reference:
        Vaswani et al.: Attention Is All You Need (2017), section 3.1.
    """

    def __init__(self, settings: TabTransformerSettings) -> None:
        super().__init__()
        size = settings.token_size
        self.attention = Attention(
            size, num_heads=settings.num_heads, dropout=settings.attention_dropout
        )
        self.attention_norm = nn.LayerNorm(size)
        self.feed_forward = nn.Sequential(
            nn.Linear(size, 4 * size),
            nn.ReLU(),
            nn.Dropout(settings.hidden_dropout),
            nn.Linear(4 * size, size),
        )
        self.feed_forward_norm = nn.LayerNorm(size)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens in context."""
        tokens = self.attention_norm(tokens + self.attention(tokens, tokens))
        return self.feed_forward_norm(tokens + self.feed_forward(tokens))


class TabTransformer(nn.Module):
    """A transformer over the categories of a row, and a perceptron over context and numbers.

    Args:
        spec: Numbers, categories or both.
        head_size: Outputs a row.
        settings: Sizes and dropout.

    Shape:
        one tensor a block → (batch, head_size).

    Raises:
        ConfigError: A size of the tokens that cannot be divided, or one number alone with
            number_normalization = layer, which would make it zero.

    Reference:
        Huang et al.: TabTransformer (2020).

    Example:
        >>> network = TabTransformer(InputSpec(num_numbers=2, cardinalities=(3, 4)), head_size=1)
        >>> network(torch.zeros(5, 2), torch.zeros(5, 2, dtype=torch.int64)).shape
        torch.Size([5, 1])
    """

    def __init__(
        self,
        spec: InputSpec,
        *,
        head_size: int,
        settings: TabTransformerSettings | None = None,
    ) -> None:
        super().__init__()
        settings = settings or TabTransformerSettings()
        self.number_norm: nn.Module | None = None
        self.context: nn.Sequential | None = None
        width = spec.num_numbers + len(spec.cardinalities) * settings.token_size
        if spec.num_numbers:
            self.number_norm = _number_norm(spec.num_numbers, settings.number_normalization)
        if spec.cardinalities:
            blocks = [ContextBlock(settings) for _ in range(settings.num_layers)]
            tokens = ColumnTokens(spec.cardinalities, size=settings.token_size)
            self.context = nn.Sequential(tokens, *blocks, nn.Flatten())
        self.perceptron = MLP(
            width,
            out_features=head_size,
            hidden_sizes=(4 * width, 2 * width),
            dropout=settings.hidden_dropout,
        )

    def forward(self, *blocks: Tensor) -> Tensor:
        """Put the categories into context, then join context and numbers."""
        parts: list[Tensor] = []
        if self.context is not None:
            parts.append(self.context(blocks[-1]))
        if self.number_norm is not None:
            parts.append(self.number_norm(blocks[0]))
        return self.perceptron(torch.cat(parts, dim=1))


def _number_norm(count: int, normalization: Literal["none", "layer"]) -> nn.Module:
    if normalization == "none":
        return nn.Identity()
    if count == 1:
        raise ConfigError(
            "number_normalization = layer would make a single number zero in each row: "
            "leave it out."
        )
    return nn.LayerNorm(count)


def build(spec: InputSpec, head_size: int, settings: TabTransformerSettings) -> nn.Module:
    """Make the network for a table.

    Raises:
        ModelError: There is neither a number nor a category.
    """
    if not (spec.num_numbers or spec.cardinalities):
        raise ModelError("tab_transformer reads the columns of a table, but the data has none.")
    return TabTransformer(spec, head_size=head_size, settings=settings)
