"""Penalty: L1 and L2 on the weights as a part of the loss, and the limit of their length."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.optimizers import OPTIMIZERS, shrinkable
from deepwell.engine.settings import EngineSettings


class Penalty:
    """What is added to the mean loss of each optimizer step: l1 · Σ|w| + ½ · l2 · Σw².

    Only matrices and kernels count, no biases, norms and embeddings. The gradient is added once a
    step, so that accumulation changes nothing. The loss that is shown stays the one of the rows.

    Args:
        model: On the device.
        l1: Weight of the sum of absolute values.
        l2: Weight of half the sum of squares.

    Reference:
        Tibshirani: Regression Shrinkage and Selection via the Lasso (1996). Zou, Hastie:
        Regularization and Variable Selection via the Elastic Net (2005).

    Example:
        >>> layer = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(layer.weight, -3.0)
        >>> round(Penalty(layer, l1=0.1, l2=0.2).value().item(), 4)
        2.4
    """

    def __init__(self, model: nn.Module, *, l1: float, l2: float) -> None:
        self._weights = shrinkable(model)
        self._l1 = l1
        self._l2 = l2

    @torch.no_grad()
    def value(self) -> Tensor:
        """Return the penalty, a scalar on the device."""
        return torch.stack(
            [self._l1 * w.abs().sum() + 0.5 * self._l2 * w.square().sum() for w in self._weights]
        ).sum()

    @torch.no_grad()
    def add_gradient(self) -> None:
        """Add the derivative to the gradients that exist; that of |w| is 0 at w = 0."""
        weights: Any = [w for w in self._weights if w.grad is not None]
        gradients: Any = [w.grad for w in weights]
        if not weights:
            return
        # torch has no public names for operations on many tensors in one call
        if self._l2:
            torch._foreach_add_(gradients, weights, alpha=self._l2)  # pyright: ignore
        if self._l1:
            signs: Any = torch._foreach_sign(weights)  # pyright: ignore
            torch._foreach_add_(gradients, signs, alpha=self._l1)  # pyright: ignore


def penalty_of(model: nn.Module, settings: EngineSettings) -> Penalty | None:
    """Return the penalty of the settings, or None.

    An optimizer that searches along a line must see all it makes small: its weight decay is the
    l2 of the penalty.
    """
    l1, l2 = settings.regularisation.l1, settings.regularisation.l2
    if OPTIMIZERS[settings.optimizer].is_searching:
        l2 += settings.weight_decay or 0.0
    return Penalty(model, l1=l1, l2=l2) if l1 or l2 else None


@torch.no_grad()
def limit_norms(weights: list[nn.Parameter], max_norm: float) -> None:
    """Shorten the weights into each unit to a largest length.

    Args:
        weights: Matrices and kernels, (units, …).
        max_norm: The length.

    Reference:
        Srivastava et al.: Dropout (2014), section 5.1.
    """
    for weight in weights:
        weight.copy_(torch.renorm(weight, p=2.0, dim=0, maxnorm=max_norm))
