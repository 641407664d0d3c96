"""Losses: one value a row, never reduced here."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from deepwell.catalog import Catalog

RowLoss = Callable[[Tensor, Tensor], Tensor]


def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(batch, targets) each → mean squared difference, (batch,)."""
    return (outputs - targets).square().mean(dim=1)


def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(batch, targets) each → mean absolute difference, (batch,)."""
    return (outputs - targets).abs().mean(dim=1)


def huber(outputs: Tensor, targets: Tensor) -> Tensor:
    """Quadratic up to one standard deviation of the target, linear beyond (Huber 1964)."""
    return functional.huber_loss(outputs, targets, reduction="none").mean(dim=1)


REGRESSION_LOSSES: Catalog[RowLoss] = Catalog("loss for numbers")
REGRESSION_LOSSES.add("mse", squared_error)
REGRESSION_LOSSES.add("mae", absolute_error)
REGRESSION_LOSSES.add("huber", huber)


def binary_cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Logits and 0/1 targets, (batch, labels) each → mean over the labels, (batch,)."""
    if smoothing:
        targets = targets * (1 - smoothing) + 0.5 * smoothing
    losses = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return losses.mean(dim=1)


def cross_entropy(outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Logits (batch, classes) and class indices (batch,) → (batch,)."""
    return functional.cross_entropy(outputs, targets, reduction="none", label_smoothing=smoothing)


def binary_perceptron(outputs: Tensor, targets: Tensor) -> Tensor:
    """The perceptron criterion max(0, −t·z) with t = ±1: its gradient is Rosenblatt's rule.

    A row on the boundary (z = 0) counts as a mistake: the weights start at zero and must move.

    Reference: Rosenblatt 1958; Bishop, Pattern Recognition and Machine Learning, eq. 4.54.
    """
    signs = 2 * targets - 1
    margin = -signs * outputs
    return torch.where(margin >= 0, margin, torch.zeros_like(margin)).sum(dim=1)


def multiclass_perceptron(outputs: Tensor, targets: Tensor) -> Tensor:
    """Best wrong net input minus the right one, if that is not negative (Kesler's construction)."""
    right = outputs.gather(1, targets[:, None])
    wrong = outputs.scatter(1, targets[:, None], float("-inf")).amax(dim=1)
    margin = wrong - right[:, 0]
    return torch.where(margin >= 0, margin, torch.zeros_like(margin))
