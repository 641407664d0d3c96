"""Networks drawn from a network: its dropout stays on, with one mask for all rows of a draw."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.dropout import Dropout1d, Dropout2d, Dropout3d

from deepwell.nn.layers import Dropout

_OF_CHANNELS = (Dropout1d, Dropout2d, Dropout3d)


def dropout_layers(model: nn.Module) -> list[nn.Module]:
    """Return the layers that thin their values in training, in the order of the network.

    Example:
        >>> len(dropout_layers(nn.Sequential(nn.Dropout(0.2), nn.Dropout(0.0))))
        1
    """
    return [module for module in model.modules() if _rate(module) > 0]


class Thinned(nn.Module):
    """Answers each row by several networks that are drawn from one.

    A draw sets the same units to zero for every row, so an answer depends neither on the other
    rows nor on how many of them are computed at once. Everything else, such as batch statistics,
    is as in evaluation. Dropout inside of attention has no layer of its own and stays off.

    Args:
        model: A network with layers of dropout.
        count: Networks that are drawn.
        seed: Same seed, same networks.

    Shape:
        the blocks of the network → (batch, count · outputs): all outputs of the first draw first.

    Reference:
        Gal, Ghahramani: Dropout as a Bayesian Approximation (2016).

    Example:
        >>> model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1)).eval()
        >>> answers = Thinned(model, count=4, seed=0)(torch.ones(2, 3))
        >>> answers.shape, torch.equal(answers[0], answers[1])
        (torch.Size([2, 4]), True)
    """

    def __init__(self, model: nn.Module, *, count: int, seed: int = 0) -> None:
        super().__init__()
        self.model = model
        self.count = count
        self.seed = seed
        self._masks: dict[tuple[int, ...], Tensor] = {}

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the answers of all draws."""
        answers: list[Tensor] = []
        for draw in range(self.count):
            with self._on(draw):
                answers.append(self.model(*blocks))
        return torch.cat(answers, dim=1)

    @contextlib.contextmanager
    def _on(self, draw: int) -> Generator[None]:
        """Thin what the layers of dropout return, while they are in evaluation mode."""
        hooks = [
            layer.register_forward_hook(self._thin(place, draw))
            for place, layer in enumerate(dropout_layers(self.model))
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _thin(self, place: int, draw: int) -> Callable[[nn.Module, Any, Any], Tensor]:
        def hook(layer: nn.Module, _: Any, output: Any) -> Tensor:
            return output * self._mask(layer, output, place, draw)

        return hook

    def _mask(self, layer: nn.Module, output: Tensor, place: int, draw: int) -> Tensor:
        shape = tuple(output.shape[1:])
        if isinstance(layer, _OF_CHANNELS):
            shape = (shape[0],) + (1,) * (len(shape) - 1)
        key = (draw, place, *shape)
        if key not in self._masks:
            rate = _rate(layer)
            drawn = np.random.default_rng([self.seed, draw, place]).random(shape, dtype=np.float32)
            self._masks[key] = torch.from_numpy((drawn >= rate).astype(np.float32) / (1 - rate))
        return self._masks[key].to(device=output.device, dtype=output.dtype)


def _rate(module: nn.Module) -> float:
    if isinstance(module, nn.Dropout | Dropout1d | Dropout2d | Dropout3d):
        return module.p
    return module.rate if isinstance(module, Dropout) else 0.0
