"""The lecture's network: 784-128-10, 101,770 parameters."""

from torch import nn


def network() -> nn.Module:
    """Vectors (batch, 784) → logits (batch, 10)."""
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
