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
        self.chunks = (size,) * num_numbers
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


class PeriodicReluNumbers(nn.Module):
    """Each number as waves of it, mixed, with negative values cut: "PLR".

    For each feature x: ReLU(A · [cos(2π f x), sin(2π f x)] + b), with frequencies f, a matrix A
    and a bias b of its own. Unlike `PeriodicNumbers` it does not keep x itself, and takes larger
    vectors.

    Args:
        num_numbers: F, the features.
        size: Numbers that stand for one feature.
        num_frequencies: Frequencies a feature; each gives a cosine and a sine.
        frequency_scale: Standard deviation of the frequencies at the start.
        is_shared: Whether all features share one A and one b ("PLR(lite)").

    Shape:
        numbers (batch, F) → (batch, F · size).

    Reference:
        Gorishniy, Rubachev, Babenko: On Embeddings for Numerical Features in Tabular Deep
        Learning (2022), section 3.3. "lite": Gorishniy et al.: TabR (2023), section 3.

    Example:
        >>> PeriodicReluNumbers(3, size=8)(torch.zeros(5, 3)).shape
        torch.Size([5, 24])
    """

    def __init__(
        self,
        num_numbers: int,
        *,
        size: int = 16,
        num_frequencies: int = 24,
        frequency_scale: float = 0.1,
        is_shared: bool = False,
    ) -> None:
        super().__init__()
        self.chunks = (size,) * num_numbers
        self.out_features = num_numbers * size
        self.frequencies = nn.Parameter(torch.randn(num_numbers, num_frequencies) * frequency_scale)
        bound = (2 * num_frequencies) ** -0.5
        num_maps = 1 if is_shared else num_numbers
        shape = (num_maps, 2 * num_frequencies, size)
        self.mixtures = nn.Parameter((torch.rand(shape) * 2 - 1) * bound)
        self.bias = nn.Parameter((torch.rand(num_maps, size) * 2 - 1) * bound)

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the vectors, feature by feature."""
        angles = 2 * math.pi * self.frequencies * numbers.unsqueeze(-1)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)
        mixtures = self.mixtures.expand(len(self.chunks), -1, -1)
        return (torch.einsum("bfk,fks->bfs", waves, mixtures) + self.bias).relu().flatten(1)


class PiecewiseLinearNumbers(nn.Module):
    """Each number as a vector of how far it fills each of its bins, and a linear map of that.

    The encoding of x has one number a bin: 1 for bins below x, 0 for bins above, and the share of
    the way through the bin in which x lies; in the first and the last bin it goes on beyond the
    edges. The map of the encoding starts at zero beside a linear map of x, so that the network
    begins with plain numbers and bends them bin by bin. `adapt` sets the edges by training rows;
    before, they are quantiles of the normal distribution.

    Between two edges lie equal sums of the square roots of how often each value occurs. That is
    between quantiles, where a frequent value such as the zero of most rows takes many edges and
    the rare large values get few, and the same number of values for each bin.

    Args:
        num_numbers: F, the features.
        size: Numbers that stand for one feature.
        num_bins: Bins a feature at the most.

    Shape:
        numbers (batch, F) → (batch, F · size).

    Reference:
        Gorishniy, Rubachev, Babenko: On Embeddings for Numerical Features in Tabular Deep
        Learning (2022), sections 3.2 and 3.3. The start: Gorishniy, Kotelnikov, Babenko: TabM
        (2025), appendix.

    Example:
        >>> PiecewiseLinearNumbers(3, size=8)(torch.zeros(5, 3)).shape
        torch.Size([5, 24])
    """

    slopes: Tensor
    offsets: Tensor
    lows: Tensor
    highs: Tensor

    def __init__(self, num_numbers: int, *, size: int = 16, num_bins: int = 48) -> None:
        super().__init__()
        self.chunks = (size,) * num_numbers
        self.out_features = num_numbers * size
        # one row a bin: it is added up over the bins of a feature
        self.mixtures = nn.Parameter(torch.zeros(num_numbers, num_bins, size))
        self.slope = nn.Parameter(torch.rand(num_numbers, size) * 2 - 1)
        self.bias = nn.Parameter(torch.rand(num_numbers, size) * 2 - 1)
        for name in ("slopes", "offsets", "lows", "highs"):
            self.register_buffer(name, torch.zeros(num_numbers, num_bins))
        shares = (torch.arange(num_bins + 1) + 0.5) / (num_bins + 1)
        normal = math.sqrt(2) * torch.erfinv(2 * shares - 1)
        self._set_edges([normal] * num_numbers)

    @torch.no_grad()
    def adapt(self, inputs: Tensor) -> None:
        """Set the edges by training rows, shape (rows, F)."""
        most = self.slopes.shape[1] + 1
        ordered = inputs.float().sort(dim=0).values
        self._set_edges([_edges(column, most) for column in ordered.T])

    @torch.no_grad()
    def _set_edges(self, edges: list[Tensor]) -> None:
        for name in ("slopes", "offsets", "lows", "highs"):
            getattr(self, name).zero_()
        for feature, values in enumerate(edges):
            count = len(values) - 1
            if count < 1:  # a constant: nothing to tell apart
                continue
            slopes = 1 / values.diff()
            self.slopes[feature, :count] = slopes
            self.offsets[feature, :count] = -values[:-1] * slopes
            self.lows[feature, 0] = -math.inf
            self.highs[feature, :count] = 1.0
            self.highs[feature, count - 1] = math.inf

    def encode(self, numbers: Tensor) -> Tensor:
        """Return how far each bin is filled, (batch, F, bins)."""
        filled = torch.addcmul(self.offsets, numbers.unsqueeze(-1), self.slopes)
        return torch.clamp(filled, self.lows, self.highs)

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the vectors, feature by feature."""
        straight = torch.addcmul(self.bias, numbers.unsqueeze(-1), self.slope)
        bent = torch.einsum("bfn,fns->bfs", self.encode(numbers), self.mixtures)
        return (straight + bent).flatten(1)


def _edges(ordered: Tensor, most: int) -> Tensor:
    """Return values of a sorted column (rows,) that divide it, at most so many."""
    distinct, counts = ordered.unique_consecutive(return_counts=True)
    if len(distinct) <= most:
        return distinct
    shares = counts.double().sqrt().cumsum(0)
    wanted = torch.linspace(0, 1, most, dtype=torch.float64, device=ordered.device)
    places = torch.searchsorted(shares, shares[0] + wanted * (shares[-1] - shares[0]))
    return distinct[places.clamp(max=len(distinct) - 1).unique()]
