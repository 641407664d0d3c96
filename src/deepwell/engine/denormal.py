"""Numbers near zero: what an optimizer remembers fades, and ends where processors are slow."""

from __future__ import annotations

import torch
from torch import Tensor

from deepwell.engine.sharding import here

EVERY = 64
"""Optimizer steps between two looks: few fade in that time, and a look costs less than a step."""


def drop_faded(optimizer: torch.optim.Optimizer) -> None:
    """Set what an optimizer remembers to zero where it has faded below the normal numbers.

    Where a gradient stays zero, as behind a dead unit, at an empty pixel or for a word that does
    not occur, a running mean shrinks by a tenth a step, and after some 800 steps it is a denormal
    number (below 1.2e-38 with 32-bit floats). Processors need a hundred times as long for
    products with these, and rounding keeps them from ever reaching zero. As a divisor each has the
    optimizer's epsilon beside it, so no weight feels that they are zero.

    Args:
        optimizer: With its state on the processor.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> sgd = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
        >>> sgd.state[weight]["momentum_buffer"] = torch.tensor([1e-39, 0.5])
        >>> drop_faded(sgd)
        >>> sgd.state[weight]["momentum_buffer"]
        tensor([0.0000, 0.5000])
    """
    for values in optimizer.state.values():
        for value in values.values():
            if isinstance(value, Tensor) and value.ndim and value.is_floating_point():
                part = here(value)
                # one pass; numbers that are not finite stay
                torch.hardshrink(part, torch.finfo(part.dtype).tiny, out=part)
