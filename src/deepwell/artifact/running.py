"""Rows through the network: encoded and computed in pieces, each row for itself."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.data.conform import require_columns
from deepwell.data.encoders import Encoders
from deepwell.data.kinds import KINDS
from deepwell.data.table import Table
from deepwell.errors import ConfigError, ModelError
from deepwell.types import InputSpec

if TYPE_CHECKING:
    import torch
    from torch import nn

_CHUNK_VALUES = 2**20
"""How many input values are encoded and sent through the network at once, if not told."""
_CHUNK_ROWS = (16, 4096)


def run_network(
    model: nn.Module,
    encoders: Encoders,
    table: Table,
    *,
    head_size: int,
    device: torch.device | str = "cpu",
    batch_size: int | None = None,
) -> NDArray[np.float32]:
    """Return the raw outputs for a table, float32 (rows, head_size).

    Memory does not grow with the table but for its own columns and the outputs. The network is in
    evaluation mode meanwhile, and afterwards as it was.

    Args:
        model: On the device.
        encoders: Make its inputs from the columns.
        table: Rows with all input columns.
        head_size: How many numbers the network returns for each row.
        device: Where the network is.
        batch_size: Rows at once; default: chosen so that memory stays small.

    Raises:
        ColumnError: Input columns are missing (all are named), or a value does not fit.
        ConfigError: The batch size is less than 1.
        ModelError: The network returns another shape than (rows, head_size).
    """
    size = default_batch_size(encoders.spec) if batch_size is None else batch_size
    if size < 1:
        raise ConfigError(f"batch_size must be at least 1. Got: {size}.")
    require_columns(table, [column.name for column in encoders.columns])
    # read before it is cut in pieces, so that a message names the row of the whole table
    inputs = Table(
        {c.name: KINDS[c.kind].parse(c.name, table[c.name]) for c in encoders.columns},
        ids=table.ids,
    )
    outputs = np.empty((len(table), head_size), dtype=np.float32)
    with _evaluation_mode(model):
        for start in range(0, len(table), size):
            rows = np.arange(start, min(start + size, len(table)))
            outputs[rows] = _run(model, encoders, inputs.take(rows), head_size, device)
    return outputs


def default_batch_size(spec: InputSpec) -> int:
    """Return how many rows are computed at once: about a million values.

    Example:
        >>> default_batch_size(InputSpec(num_numbers=10))
        4096
        >>> default_batch_size(InputSpec(image_shape=(3, 64, 64)))
        85
    """
    pixels = int(np.prod(spec.image_shape)) if spec.image_shape else 0
    values = spec.num_numbers + len(spec.cardinalities) + pixels
    return int(np.clip(_CHUNK_VALUES // max(values, 1), *_CHUNK_ROWS))


def _run(
    model: nn.Module, encoders: Encoders, rows: Table, head_size: int, device: torch.device | str
) -> NDArray[np.float32]:
    import torch

    # torch takes memory without a copy only where it may write
    arrays = [np.require(array, requirements=["C", "W"]) for array in encoders.encode(rows)]
    with torch.inference_mode():
        found = model(*(torch.from_numpy(array).to(device) for array in arrays))
    shape = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
    if shape != (len(rows), head_size):
        raise ModelError(
            f"The network must return a tensor of shape ({len(rows)}, {head_size}) for "
            f"{len(rows)} rows: {head_size} for each row. Got: {shape}."
        )
    return cast(NDArray[np.float32], found.float().cpu().numpy())


@contextlib.contextmanager
def _evaluation_mode(model: nn.Module) -> Generator[None]:
    """Switch dropout and batch statistics off; afterwards every module is as it was."""
    before = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, was_training in before:
            module.training = was_training
