"""A classifier of texts with an LSTM, 673,538 parameters."""

from __future__ import annotations

from torch import Tensor, nn

WORDS = 10_000
"""The most common words; id 0 is padding, 1 any other word."""
LENGTH = 100
"""Words of a text that are read."""


class Reader(nn.Module):
    """Word ids (batch, steps) → logits (batch, 2)."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS + 2, 64)
        self.lstm = nn.LSTM(64, 64, batch_first=True)
        self.output = nn.Linear(64, 2)

    def forward(self, words: Tensor) -> Tensor:
        _, (last, _) = self.lstm(self.embedding(words))
        return self.output(last[-1])


def network() -> nn.Module:
    """Return the network."""
    return Reader()
