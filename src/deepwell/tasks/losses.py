"""Losses: one value a row, never reduced here."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from deepwell.tasks.settings import TaskSettings

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


def log_cosh(outputs: Tensor, targets: Tensor) -> Tensor:
    """Logarithm of cosh of the differences: half the square near zero, linear far away."""
    distance = (outputs - targets).abs()
    # log cosh d = d + log(1 + exp(−2d)) − log 2, without overflow
    return (distance + functional.softplus(-2 * distance) - math.log(2)).mean(dim=1)


def pinball(outputs: Tensor, targets: Tensor, quantile: float = 0.5) -> Tensor:
    """Pinball loss: q · d for targets above the output by d, (1 − q) · d for those below."""
    difference = targets - outputs
    return torch.maximum(quantile * difference, (quantile - 1) * difference).mean(dim=1)


def pinball_of_several(outputs: Tensor, targets: Tensor, quantiles: tuple[float, ...]) -> Tensor:
    """Mean pinball loss of several quantiles.

    Args:
        outputs: (batch, quantiles · targets): all targets of the first quantile first.
        targets: (batch, targets).
        quantiles: Shares of the targets that shall lie below.
    """
    difference = targets.unsqueeze(1) - outputs.unflatten(1, (len(quantiles), -1))
    shares = outputs.new_tensor(quantiles).view(1, -1, 1)
    return torch.maximum(shares * difference, (shares - 1) * difference).mean(dim=(1, 2))


def poisson(outputs: Tensor, targets: Tensor) -> Tensor:
    """Minus the log-likelihood of counts whose mean is exp(output), up to a constant."""
    return (outputs.exp() - targets * outputs).mean(dim=1)


def gaussian_nll(outputs: Tensor, targets: Tensor) -> Tensor:
    """Minus the log-likelihood of a normal distribution, up to a constant.

    Args:
        outputs: (batch, 2 · targets): means, then logarithms of the variances.
        targets: (batch, targets).
    """
    mean, log_variance = outputs.chunk(2, dim=1)
    return 0.5 * (log_variance + (targets - mean).square() * (-log_variance).exp()).mean(dim=1)


def number_loss(settings: TaskSettings) -> RowLoss:
    """Return the loss of the settings for numbers."""
    if settings.quantiles is not None:
        return partial(pinball_of_several, quantiles=settings.quantiles)
    if settings.loss == "quantile":
        return partial(pinball, quantile=0.5 if settings.quantile is None else settings.quantile)
    return _NUMBERS["mse" if settings.loss == "auto" else settings.loss]


_NUMBERS: dict[str, RowLoss] = {
    "mse": squared_error,
    "mae": absolute_error,
    "huber": huber,
    "log_cosh": log_cosh,
    "poisson": poisson,
    "gaussian_nll": gaussian_nll,
}


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


def binary_focal(outputs: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:
    """(1 − p)^γ times cross-entropy, p the probability of the right answer (Lin 2017, eq. 4)."""
    losses = functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    return (_wrong(losses).pow(gamma) * losses).mean(dim=1)


def multiclass_focal(outputs: Tensor, targets: Tensor, gamma: float = 2.0) -> Tensor:
    """(1 − p)^γ times cross-entropy, p the probability of the right class (Lin 2017, eq. 4)."""
    losses = cross_entropy(outputs, targets)
    return _wrong(losses).pow(gamma) * losses


def _wrong(losses: Tensor) -> Tensor:
    """Return 1 − p out of −log p; not quite 0, where a root has no slope."""
    return (-torch.expm1(-losses)).clamp_min(1e-12)


def binary_hinge(outputs: Tensor, targets: Tensor) -> Tensor:
    """max(0, 1 − t·z) with t = ±1, mean over the labels, (batch,)."""
    signs = 2 * targets - 1
    return (1 - signs * outputs).clamp_min(0).mean(dim=1)


def multiclass_hinge(outputs: Tensor, targets: Tensor) -> Tensor:
    """max(0, 1 + best wrong net input − the right one), (batch,) (Crammer, Singer 2001)."""
    right = outputs.gather(1, targets[:, None])
    wrong = outputs.scatter(1, targets[:, None], float("-inf")).amax(dim=1)
    return (1 + wrong - right[:, 0]).clamp_min(0)


def binary_divergence(outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Kullback–Leibler divergence of the answers from the smoothed targets, (batch,)."""
    goals = targets * (1 - smoothing) + 0.5 * smoothing
    entropy = -(torch.xlogy(goals, goals) + torch.xlogy(1 - goals, 1 - goals))
    losses = functional.binary_cross_entropy_with_logits(outputs, goals, reduction="none")
    return (losses - entropy).mean(dim=1)


def multiclass_divergence(outputs: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Kullback–Leibler divergence of the probabilities from the smoothed targets, (batch,).

    Args:
        outputs: Logits, (batch, classes).
        targets: Class indices, (batch,), or distributions, (batch, classes).
        smoothing: Share of the probability that is spread over all classes.
    """
    count = outputs.shape[1]
    if not targets.is_floating_point():
        targets = functional.one_hot(targets, count).to(outputs.dtype)
    goals = targets * (1 - smoothing) + smoothing / count
    return functional.kl_div(outputs.log_softmax(dim=1), goals, reduction="none").sum(dim=1)


def label_loss(settings: TaskSettings) -> RowLoss:
    """Return the loss of the settings for yes-or-no answers, 0/1 targets (batch, labels)."""
    if settings.loss == "focal":
        return partial(binary_focal, gamma=_gamma(settings))
    if settings.loss == "hinge":
        return binary_hinge
    if settings.loss == "perceptron":
        return binary_perceptron
    is_divergence = settings.loss == "kullback_leibler"
    function = binary_divergence if is_divergence else binary_cross_entropy
    return partial(function, smoothing=settings.label_smoothing)


def class_loss(settings: TaskSettings) -> RowLoss:
    """Return the loss of the settings for one of several classes, class indices (batch,)."""
    if settings.loss == "focal":
        return partial(multiclass_focal, gamma=_gamma(settings))
    if settings.loss == "hinge":
        return multiclass_hinge
    if settings.loss == "perceptron":
        return multiclass_perceptron
    function = multiclass_divergence if settings.loss == "kullback_leibler" else cross_entropy
    return partial(function, smoothing=settings.label_smoothing)


def _gamma(settings: TaskSettings) -> float:
    return 2.0 if settings.focal_gamma is None else settings.focal_gamma
