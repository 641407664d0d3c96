"""Averaging: means of the weights over the time of training."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from deepwell.engine.best import copy_weights, weights_of
from deepwell.engine.options import AveragingSettings
from deepwell.engine.precision import Precision
from deepwell.types import Batch


class WeightAverage:
    """A second set of weights on the device: a running mean, or the mean of the last epochs.

    The running mean begins short-sighted, with the share min(decay, (1 + step) / (10 + step)).
    Whole numbers among the buffers are copied.

    Args:
        model: On the device.
        settings: Which mean.
        epochs: Epochs of the whole training.

    Reference:
        Polyak, Juditsky: Acceleration of Stochastic Approximation by Averaging (1992). Izmailov
        et al.: Averaging Weights Leads to Wider Optima and Better Generalization (2018).

    Example:
        >>> layer = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.zeros_(layer.weight)
        >>> mean = WeightAverage(layer, AveragingSettings(last_epochs=2), epochs=2)
        >>> for epoch in (1, 2):
        ...     _ = nn.init.constant_(layer.weight, epoch)
        ...     mean.after_epoch(layer, epoch)
        >>> mean.weights["weight"].item()
        1.5
    """

    def __init__(self, model: nn.Module, settings: AveragingSettings, *, epochs: int) -> None:
        self.weights = {name: tensor.clone() for name, tensor in weights_of(model).items()}
        self.is_ready = False
        self._settings = settings
        self._epochs = epochs
        self._count = 0

    def after_step(self, model: nn.Module, step: int) -> None:
        """Take the weights after an optimizer step (1, 2, …) into the running mean."""
        if self._settings.ema_decay is None:
            return
        decay = min(self._settings.ema_decay, (1 + step) / (10 + step))
        self._approach(model, 1 - decay)

    def after_epoch(self, model: nn.Module, epoch: int) -> None:
        """Take the weights after an epoch (1, 2, …) into the mean, if it is one of the last."""
        last = self._settings.last_epochs
        if last is None or epoch <= self._epochs - last:
            return
        self._count += 1
        self._approach(model, 1 / self._count)

    @torch.no_grad()
    def _approach(self, model: nn.Module, share: float) -> None:
        current = weights_of(model)
        floats = [name for name, tensor in current.items() if tensor.is_floating_point()]
        means: Any = [self.weights[name] for name in floats]
        # torch has no public name for an operation on many tensors in one call
        torch._foreach_lerp_(means, [current[name] for name in floats], share)  # pyright: ignore
        copy_weights({n: t for n, t in self.weights.items() if not t.is_floating_point()}, current)
        self.is_ready = True

    @contextlib.contextmanager
    def in_place(self, model: nn.Module) -> Generator[None]:
        """Give the network the mean weights, if there are any; afterwards it has its own again."""
        if not self.is_ready:
            yield
            return
        own = {name: tensor.clone() for name, tensor in weights_of(model).items()}
        copy_weights(weights_of(model), self.weights)
        try:
            yield
        finally:
            copy_weights(weights_of(model), own)

    def refresh(self, model: nn.Module, batches: Iterable[Batch], precision: Precision) -> None:
        """Measure anew what batch normalisation must know about mean weights of epochs.

        Args:
            model: It has the mean weights now.
            batches: Training rows; of several processes each gives its own.
            precision: What to compute with.
        """
        if self._settings.last_epochs is None or not self.is_ready or not _measured(model):
            return
        measure_statistics(model, batches, precision)
        copy_weights(self.weights, weights_of(model))

    def to_json(self) -> dict[str, Any]:
        """Return the state that does not consist of tensors."""
        return {"count": self._count, "is_ready": self.is_ready}

    def load(self, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
        """Go on from `weights` and `to_json`."""
        copy_weights(self.weights, dict(tensors))
        self._count, self.is_ready = int(state["count"]), bool(state["is_ready"])


@torch.no_grad()
def measure_statistics(model: nn.Module, batches: Iterable[Batch], precision: Precision) -> None:
    """Set running means and variances of torch's batch normalisation to those over the batches.

    Args:
        model: Its mode is as before afterwards.
        batches: Rows on the device.
        precision: What to compute with.
    """
    layers = _measured(model)
    momenta = [layer.momentum for layer in layers]
    was_training = model.training
    model.eval()
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the plain mean over all batches
        layer.train()
    for batch in batches:
        with precision.autocast():
            model(*batch.inputs)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


def _measured(model: nn.Module) -> list[_BatchNorm]:
    return [m for m in model.modules() if isinstance(m, _BatchNorm) and m.track_running_stats]
