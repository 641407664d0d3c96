"""What a network makes of rows just before its head: their embedding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.table import Table
from deepwell.errors import ModelError

if TYPE_CHECKING:
    import torch
    from torch import nn

    from deepwell.artifact.predictor import Predictor


def embed(
    predictor: Predictor, table: Table, *, batch_size: int | None = None
) -> tuple[NDArray[np.float32], str]:
    """Return what goes into the head of a network, and the name of the head.

    The head is the last linear layer, in the order of the modules, that returns as many numbers as
    the task needs; if there is none, the last linear layer. Where it is applied to several places
    of a row, such as tokens or members of an ensemble, their mean is taken.

    Args:
        predictor: The trained network.
        table: Rows with all input columns.
        batch_size: Rows at once; default: chosen so that memory stays small.

    Returns:
        Embedding, float32 (rows, features), and the head's name among the modules.

    Raises:
        ModelError: The network has no linear layer, or feeds it with something else than rows.
        ColumnError: Input columns are missing.
    """
    name, head = find_head(predictor.model, predictor.task.head_size)
    pieces: list[NDArray[np.float32]] = []
    current: list[torch.Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Any, ...]) -> None:
        current.append(inputs[0])

    handle = head.register_forward_pre_hook(keep)
    try:
        size = batch_size or 1024
        for start in range(0, len(table), size):
            rows = np.arange(start, min(start + size, len(table)))
            current.clear()
            predictor.outputs(table.take(rows), batch_size=size)
            pieces.append(_of_rows(current, len(rows), name))
    finally:
        handle.remove()
    return np.concatenate(pieces), name


def find_head(model: nn.Module, head_size: int) -> tuple[str, nn.Module]:
    """Return name and module of the last linear layer that returns `head_size` numbers.

    Raises:
        ModelError: There is no linear layer.

    Example:
        >>> from torch import nn
        >>> find_head(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1)), 1)[0]
        '2'
    """
    from torch import nn

    layers = [(name, one) for name, one in model.named_modules() if isinstance(one, nn.Linear)]
    fitting = [pair for pair in layers if pair[1].out_features == head_size] or layers
    if not fitting:
        raise ModelError(
            "This network has no linear layer, so it is not known where its embedding is: explore "
            "the columns themselves, without --model."
        )
    return fitting[-1]


def _of_rows(seen: list[torch.Tensor], rows: int, name: str) -> NDArray[np.float32]:
    found = seen[-1] if seen else None
    if found is None or found.ndim < 2 or found.shape[0] != rows:
        raise ModelError(
            f"The layer {name or 'of the network'} is not fed with one line a row, so there is no "
            "embedding to explore."
        )
    values = found.detach().float().cpu().numpy()
    return values if values.ndim == 2 else values.reshape(rows, -1, values.shape[-1]).mean(axis=1)
