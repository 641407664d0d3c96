"""Batch normalisation over the rows of all processes, so that many compute what one would."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]


class SharedNorm:
    """While `in_force`, torch's batch normalisation takes mean and variance over all processes.

    Works on processors and cards alike. All processes must run the network at the same time.

    Args:
        model: Its layers are changed only meanwhile.

    Example:
        >>> SharedNorm(nn.Linear(1, 1)).layers
        []
    """

    def __init__(self, model: nn.Module) -> None:
        self.layers = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]
        self.counts = True
        """Whether the rows of this process count, which a filler's do not."""
        self._is_alone = False

    @contextlib.contextmanager
    def in_force(self) -> Generator[None]:
        """Change the layers; afterwards they are as before."""
        for layer in self.layers:
            vars(layer)["forward"] = self._forward(layer)
        try:
            yield
        finally:
            for layer in self.layers:
                del vars(layer)["forward"]

    @contextlib.contextmanager
    def alone(self) -> Generator[None]:
        """Let this process run the network while the others do not."""
        self._is_alone = True
        try:
            yield
        finally:
            self._is_alone = False

    def _forward(self, layer: Any) -> Callable[[Tensor], Tensor]:
        def forward(input: Tensor) -> Tensor:
            measures = layer.training or layer.running_mean is None
            if self._is_alone or not measures:
                return type(layer).forward(layer, input)
            return self._normalise(layer, input)

        return forward

    def _normalise(self, layer: Any, inputs: Tensor) -> Tensor:
        values = inputs if inputs.dtype == torch.float64 else inputs.float()
        over = [0, *range(2, values.ndim)]
        shape = [1, -1] + [1] * (values.ndim - 2)
        share = 1.0 if self.counts else 0.0
        count = values.new_full((1,), share * values.numel() / values.shape[1])
        sums: Tensor = _Total.apply(torch.cat([values.sum(over) * share, count]))
        total = sums[-1].detach()
        mean = sums[:-1] / total
        centred = values - mean.view(shape)
        squares: Tensor = _Total.apply(centred.square().sum(over) * share)
        if layer.training and layer.running_mean is not None:
            _remember(layer, mean.detach(), squares.detach() / (total - 1).clamp_min(1))
        outputs = centred * torch.rsqrt(squares / total + layer.eps).view(shape)
        if layer.weight is not None:
            outputs = outputs * layer.weight.view(shape) + layer.bias.view(shape)
        return outputs.to(inputs.dtype)


@torch.no_grad()
def _remember(layer: Any, mean: Tensor, variance: Tensor) -> None:
    layer.num_batches_tracked.add_(1)
    share = layer.momentum
    if share is None:
        share = 1.0 / layer.num_batches_tracked
    layer.running_mean.lerp_(mean, share)
    layer.running_var.lerp_(variance, share)


class _Total(torch.autograd.Function):
    """Sum over all processes; so is its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        return _summed(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return _summed(gradients[0])


def _summed(values: Tensor) -> Tensor:
    total = values.detach().clone()
    dist.all_reduce(total)
    return total
