"""The table that `Sequential.summary` prints."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deepwell.models.summary import describe_shape, evaluating


def layer_table(network: nn.Module, layers: Sequence[nn.Module], inputs: Tensor) -> str:
    """Run the layers once and list what each returns and holds.

    Args:
        network: Which the layers are part of.
        layers: One behind the other.
        inputs: A few rows.

    Example:
        >>> print(layer_table(nn.ReLU(), [nn.Linear(4, 3), nn.ReLU()], torch.zeros(2, 4)))
        Layer     Output shape  Parameters
        Linear    (batch, 3)            15
        ReLU      (batch, 3)             0
        0 parameters, all of them trainable
    """
    lines = [("Layer", "Output shape", "Parameters")]
    with evaluating(network), torch.no_grad():
        for layer in layers:
            inputs = layer(inputs)
            count = sum(weight.numel() for weight in layer.parameters())
            shape = describe_shape(inputs, len(inputs))
            lines.append((type(layer).__name__, shape, f"{count:,}"))
    first, second, third = (max(len(line[i]) for line in lines) for i in range(3))
    rows = [f"{a:<{first}}    {b:<{second}}  {c:>{third}}" for a, b, c in lines]
    return "\n".join([*rows, _total(network)])


def _total(network: nn.Module) -> str:
    sizes = [(weight.numel(), weight.requires_grad) for weight in network.parameters()]
    total, trainable = sum(n for n, _ in sizes), sum(n for n, learns in sizes if learns)
    share = "all of them" if trainable == total else f"{trainable:,}"
    return f"{total:,} parameters, {share} trainable"
