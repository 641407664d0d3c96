"""Numbers as vectors, so that a network sees fine differences in a single number."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class PeriodicNumbers(nn.Module):
    """Each number beside a few waves of it, whose frequencies are learned.

    A network on plain numbers learns smooth functions first; many tables need sharp ones. For
    each feature x the output holds x itself and `size − 1` mixtures of
    cos(2π f x + phase), with frequencies f, phases and mixtures of its own.

    Args:
        num_numbers: F, the features.
        size: Numbers that stand for one feature, x included.
        num_frequencies: Waves a feature.
        frequency_scale: Standard deviation of the frequencies at the start, in waves for each
            standard deviation of the feature. Larger: sharper functions, more overfitting.

    Shape:
        numbers (batch, F) → (batch, F · size).

    Reference:
        Gorishniy, Rubachev, Babenko: On Embeddings for Numerical Features in Tabular Deep
        Learning (2022), section 3.3. The form with a phase and with x kept: Holzmüller,
        Grinsztajn, Steinwart: Better by Default (2024), appendix A ("PBLD").

    Example:
        >>> PeriodicNumbers(3)(torch.zeros(5, 3)).shape
        torch.Size([5, 12])
    """

    def __init__(
        self,
        num_numbers: int,
        *,
        size: int = 4,
        num_frequencies: int = 16,
        frequency_scale: float = 0.1,
    ) -> None:
        super().__init__()
        self.out_features = num_numbers * size
        self.frequencies = nn.Parameter(torch.randn(num_numbers, num_frequencies) * frequency_scale)
        phases = (torch.rand(num_numbers, num_frequencies) * 2 - 1) * math.pi
        self.phases = nn.Parameter(phases)
        bound = num_frequencies**-0.5
        mixtures = (torch.rand(num_numbers, num_frequencies, size - 1) * 2 - 1) * bound
        self.mixtures = nn.Parameter(mixtures)
        self.bias = nn.Parameter((torch.rand(num_numbers, size - 1) * 2 - 1) * bound)

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the numbers and their waves, feature by feature."""
        angles = 2 * math.pi * self.frequencies * numbers.unsqueeze(-1) + self.phases
        waves = torch.einsum("bfk,fks->bfs", angles.cos(), self.mixtures) + self.bias
        return torch.cat([numbers.unsqueeze(-1), waves], dim=-1).flatten(1)
