"""Skipping: leave a step out as if its batches had never been there."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from deepwell.engine.best import copy_weights, weights_of


class Skipping:
    """Remembers what a forward pass changes beside gradients: the running statistics.

    Args:
        model: On the device.

    Example:
        >>> import torch
        >>> model = nn.BatchNorm1d(1)
        >>> skipping = Skipping(model)
        >>> _ = model(torch.tensor([[0.0], [float("nan")]]))
        >>> skipping.end_step(model, is_good=False)
        >>> model.running_mean.tolist()
        [0.0]
    """

    MOST: ClassVar[int] = 20
    """So many steps in a row may be left out before training stops."""

    def __init__(self, model: nn.Module) -> None:
        self.is_due = False
        parameters = {name for name, _ in model.named_parameters()}
        self._names = [name for name in weights_of(model) if name not in parameters]
        self._before = {name: weights_of(model)[name].clone() for name in self._names}

    def end_step(self, model: nn.Module, is_good: bool) -> None:
        """Keep the statistics after a good step; put the former ones back after a bad one."""
        self.is_due = False
        if not self._names:
            return
        weights = weights_of(model)
        current = {name: weights[name] for name in self._names}
        if is_good:
            copy_weights(self._before, current)
        else:
            copy_weights(current, self._before)
