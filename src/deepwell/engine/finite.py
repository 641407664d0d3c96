"""Finding out why a loss or a gradient is no finite number; runs only when one is not."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepwell.types import Batch


def explain_loss(batch: Batch) -> str:
    """Return the cause that the batch itself shows, or the usual remedies."""
    blocks = {f"input {index}": block for index, block in enumerate(batch.inputs)}
    blocks["target"] = batch.targets
    if batch.weight is not None:
        blocks["weight"] = batch.weight
    for name, block in blocks.items():
        bad = _first_bad_row(block)
        if bad is not None:
            row = int(batch.ids[bad])
            return f"The {name} of row {row} is not a finite number: mend or remove that row."
    return "Lower learning_rate, or set clip_norm (1.0 is usual)."


def _first_bad_row(block: Tensor) -> int | None:
    if not block.is_floating_point():
        return None
    bad = ~torch.isfinite(block).reshape(len(block), -1).all(dim=1)
    return int(bad.nonzero()[0]) if bool(bad.any()) else None


def explain_gradient(model: nn.Module) -> str:
    """Return the name of the first parameter with a bad gradient, and the usual remedies."""
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
            return f'It is that of "{name}". Lower learning_rate, or set clip_norm (1.0 is usual).'
    return "Lower learning_rate, or set clip_norm (1.0 is usual)."
