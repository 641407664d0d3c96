"""Drop path: leave out the residual of single rows, so that a deep network trains as many."""

from __future__ import annotations

from torch import Tensor, nn

from deepwell.errors import ConfigError


class DropPath(nn.Module):
    """Sets the whole residual of some rows to zero in training, and enlarges the others.

    Args:
        share: Of the rows, 0 … below 1; the expected value stays the same.

    Shape:
        (batch, …) → the same.

    Raises:
        ConfigError: A share outside 0 … 1.

    Reference:
        Huang et al.: Deep Networks with Stochastic Depth (2016).

    Example:
        >>> import torch
        >>> residual = torch.ones(2, 3)
        >>> DropPath(0.5).eval()(residual) is residual
        True
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        if not 0 <= share < 1:
            raise ConfigError(f"The share of drop path must lie in 0 … below 1. Got: {share}.")
        self.share = share

    def forward(self, residual: Tensor) -> Tensor:
        """Return the residual, for some rows zero."""
        if not self.training or self.share == 0:
            return residual
        stays = 1 - self.share
        shape = (len(residual),) + (1,) * (residual.ndim - 1)
        return residual * residual.new_empty(shape).bernoulli_(stays).div_(stays)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"share={self.share:g}"
