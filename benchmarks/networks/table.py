"""A multi-layer perceptron for a table of 20 numbers and 10 categories."""

from __future__ import annotations

import torch
from torch import Tensor, nn

NUMBERS, CATEGORIES, CODES = 20, 10, 64
"""Columns of each kind, and codes that each category column has room for."""


class TableNetwork(nn.Module):
    """Numbers (batch, 20) and codes (batch, 10) → logits (batch, 2).

    The vectors of all category columns lie in one table, each column at an offset of its own.
    """

    offsets: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(CATEGORIES * CODES, 8)
        self.register_buffer("offsets", CODES * torch.arange(CATEGORIES))
        self.body = nn.Sequential(
            nn.Linear(NUMBERS + 8 * CATEGORIES, 128),
            nn.ReLU(),
            nn.Linear(128, 64),
            nn.ReLU(),
            nn.Linear(64, 2),
        )

    def forward(self, numbers: Tensor, codes: Tensor) -> Tensor:
        vectors = self.embedding(codes + self.offsets).flatten(1)
        return self.body(torch.cat([numbers, vectors], dim=1))


def network() -> nn.Module:
    """Return the network."""
    return TableNetwork()
