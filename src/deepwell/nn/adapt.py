"""Fitting layers to the training rows before the first step: bins, scales, first values."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn


@runtime_checkable
class Adaptive(Protocol):
    """A layer that looks at its inputs once before training."""

    def adapt(self, inputs: Tensor) -> None:
        """Set weights or buffers by a sample of the layer's inputs; their shapes must stay."""
        ...


@runtime_checkable
class Remembering(Protocol):
    """A network that answers from training rows, which it keeps."""

    most_rows: int
    """Rows that it keeps at the most."""

    @property
    def num_known(self) -> int:
        """Rows that it keeps."""
        ...

    def remember(
        self, blocks: tuple[Tensor, ...], targets: Tensor, *, has_all: bool = True
    ) -> dict[str, Any]:
        """Keep rows, all of the training or some; return the settings that make room for them."""
        ...


def num_known(model: nn.Module) -> int:
    """Return from how many training rows a network answers; 0 for those that keep none."""
    return max((m.num_known for m in model.modules() if isinstance(m, Remembering)), default=0)


def is_adaptive(model: nn.Module) -> bool:
    """Say whether any layer wants to see training rows."""
    return any(isinstance(module, Adaptive) for module in model.modules())


@torch.no_grad()
def adapt(model: nn.Module, blocks: tuple[Tensor, ...]) -> None:
    """Show training rows to every adaptive layer, in the order in which it is called.

    A layer sees its inputs as they are after the layers before it have been adapted. What is
    learned lies in weights and buffers, so that a saved network needs no rows. Random numbers
    come from torch's global generator.

    Args:
        model: Changed in place.
        blocks: One tensor a block of inputs; a few thousand rows are enough. Training rows only.

    Example:
        >>> from deepwell.nn.numeric import PiecewiseLinearNumbers
        >>> numbers = PiecewiseLinearNumbers(1, num_bins=2)
        >>> adapt(numbers, (torch.tensor([[0.0], [1.0], [4.0]]),))
        >>> numbers.encode(torch.tensor([[1.0], [2.5]])).tolist()
        [[[1.0, 0.0]], [[1.0, 0.5]]]
    """
    if not is_adaptive(model):
        return
    with _evaluating(model), ExitStack() as stack:
        for module in model.modules():
            if isinstance(module, Adaptive):
                stack.enter_context(_watched(module))
        model(*blocks)


@contextmanager
def _watched(module: Any) -> Generator[None]:
    def look(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        module.adapt(inputs[0])

    handle = module.register_forward_pre_hook(look)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _evaluating(model: nn.Module) -> Generator[None]:
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
