"""The best epoch so far: which it was, its weights, and when waiting for a better one ends."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from deepwell.engine.sharding import divided_like
from deepwell.errors import ConfigError, did_you_mean, listing

LOWER_IS_BETTER = ("loss", "error", "mae", "mse", "rmse")
"""A monitored value whose name ends in one of these shall fall; all others shall rise."""


class BestEpoch:
    """Keeps the weights of the best epoch on the device.

    Args:
        monitor: "loss" or one of the scores.
        score_names: The scores of the task.

    Raises:
        ConfigError: The task has no such score.

    Example:
        >>> best = BestEpoch("loss", score_names=("accuracy",))
        >>> best.is_improved_by(0.5), best.is_improved_by(float("nan"))
        (True, False)
    """

    def __init__(self, monitor: str, *, score_names: Sequence[str]) -> None:
        known = ("loss", *score_names)
        if monitor not in known:
            hint = did_you_mean(monitor, known)
            raise ConfigError(
                f'There is no value "{monitor}" to monitor.{hint} Known: {listing(known)}.'
            )
        self.monitor = monitor
        self.value: float | None = None
        self.epoch: int | None = None
        self.weights: dict[str, Tensor] | None = None
        self._sign = -1 if monitor.endswith(LOWER_IS_BETTER) else 1

    def is_improved_by(self, value: float) -> bool:
        """Return whether a value is better than the best one so far; NaN never is."""
        if self.value is None:
            return value == value
        return self._sign * value > self._sign * self.value

    def note(self, value: float, epoch: int) -> None:
        """Remember that an epoch (1, 2, …) is the best."""
        self.value, self.epoch = value, epoch

    def keep(self, model: nn.Module) -> None:
        """Copy the weights on the device, into the memory of the former copy."""
        current = weights_of(model)
        if self.weights is None:
            self.weights = {name: tensor.clone() for name, tensor in current.items()}
        else:
            copy_weights(self.weights, current)

    def restore(self, model: nn.Module) -> bool:
        """Put the kept weights back into the network; return whether there are any."""
        if self.weights is None:
            return False
        copy_weights(weights_of(model), self.weights)
        return True


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return all parameters and buffers by name, sharing their memory; tied ones come once."""
    named = [*model.named_parameters(), *model.named_buffers()]
    return {name: tensor.detach() for name, tensor in named}


@torch.no_grad()
def copy_weights(to: dict[str, Tensor], source: dict[str, Tensor]) -> None:
    """Overwrite tensors in place with those of the same name."""
    for name, tensor in to.items():
        tensor.copy_(divided_like(source[name], tensor))
