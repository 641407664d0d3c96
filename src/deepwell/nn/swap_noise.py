"""Swap noise: cells of a table row take the value that another row has in the same column."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepwell.errors import ConfigError


class SwapNoise(nn.Module):
    """Exchanges single cells between the rows of a batch in training.

    The noise is as plausible as the data: every value is one that its column really has, and only
    what belongs together in a row is broken.

    Args:
        share: Of the cells, 0 … 1.

    Shape:
        (batch, columns) → the same.

    Raises:
        ConfigError: A share outside 0 … 1.

    Reference:
        Jahrer: 1st place of the Porto Seguro challenge (2018), where it carries this name.

    Example:
        >>> rows = torch.arange(6.0).reshape(3, 2)
        >>> SwapNoise(0.5).eval()(rows) is rows
        True
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share <= 1:
            raise ConfigError(f"The share of swapped cells must lie in 0 … 1. Got: {share}.")
        self.share = share

    def forward(self, rows: Tensor) -> Tensor:
        """Return the rows, some cells from elsewhere."""
        if not self.training or self.share == 0:
            return rows
        sources = torch.randint(len(rows), rows.shape, device=rows.device)
        is_swapped = torch.rand(rows.shape, device=rows.device) < self.share
        return torch.where(is_swapped, rows.gather(0, sources), rows)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"share={self.share:g}"
