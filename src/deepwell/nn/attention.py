"""Attention: each token becomes a mixture of all tokens, weighted by how well they fit."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from deepwell.errors import ConfigError


class Attention(nn.Module):
    """Multi-head attention of some tokens to others, without a mask.

    Args:
        size: D, numbers a token.
        num_heads: Mixtures that are made side by side, each of D / num_heads numbers.
        dropout: Share of the weights of the mixtures that is set to zero in training.

    Shape:
        queries (batch, Q, D), tokens (batch, T, D) → (batch, Q, D).

    Raises:
        ConfigError: `size` cannot be divided by `num_heads`.

    Reference:
        Vaswani et al.: Attention Is All You Need (2017), section 3.2.

    Example:
        >>> import torch
        >>> tokens = torch.zeros(2, 5, 8)
        >>> Attention(8, num_heads=2)(tokens[:, :1], tokens).shape
        torch.Size([2, 1, 8])
    """

    def __init__(self, size: int, *, num_heads: int = 8, dropout: float = 0.0) -> None:
        super().__init__()
        if size % num_heads:
            raise ConfigError(
                "The numbers a token must be a multiple of num_heads. "
                f"Got: {size} and num_heads={num_heads}."
            )
        self.num_heads = num_heads
        self.dropout = dropout
        self.query = nn.Linear(size, size)
        self.key = nn.Linear(size, size)
        self.value = nn.Linear(size, size)
        self.output = nn.Linear(size, size)
        for layer in (self.query, self.key, self.value, self.output):
            nn.init.zeros_(layer.bias)

    def forward(self, queries: Tensor, tokens: Tensor) -> Tensor:
        """Return one mixture of the tokens for each query."""
        mixed = F.scaled_dot_product_attention(
            self._split(self.query(queries)),
            self._split(self.key(tokens)),
            self._split(self.value(tokens)),
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.output(mixed.transpose(1, 2).flatten(2))

    def _split(self, tokens: Tensor) -> Tensor:
        """(batch, T, D) → (batch, heads, T, D / heads)."""
        return tokens.unflatten(2, (self.num_heads, -1)).transpose(1, 2)
