"""Placement: network and rows on the device, and what is computed with there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from deepwell.engine.batches import TensorBatches, as_batches
from deepwell.engine.interfaces import Batches
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.precision import (
    Precision,
    choose_precision,
    forward_work,
    lay_channels_last,
    wants_channels_last,
)
from deepwell.engine.settings import EngineSettings
from deepwell.errors import ConfigError, TrainingError
from deepwell.nn.adapt import Remembering

_VALUES_OF_A_BYTE = 256
_ROWS_LOOKED_AT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Rows on the device, and how they are used.

    Args:
        batches: Training rows.
        val_batches: Validation rows, or None.
        precision: What to compute with.
        micro_batches: Batches in an optimizer step; None: all of an epoch.
        total_steps: Optimizer steps that are planned.
    """

    batches: Batches
    val_batches: Batches | None
    precision: Precision
    micro_batches: int | None
    total_steps: int


def place(
    model: nn.Module,
    batches: Batches | Iterable[Any],
    val_batches: Batches | Iterable[Any] | None,
    *,
    settings: EngineSettings,
    device: torch.device,
    is_sharded: bool,
) -> Placement:
    """Move network and rows to the device, and decide what to compute with.

    Args:
        model: Moved in place.
        batches: Training rows.
        val_batches: Validation rows, or None.
        settings: Of the training.
        device: Where to.
        is_sharded: Whether the weights will be divided over processes.

    Example:
        >>> from deepwell.types import Batch
        >>> rows = [Batch((torch.ones(4, 2),), torch.ones(4, 1), None, torch.arange(4))] * 3
        >>> placed = place(
        ...     nn.Linear(2, 1),
        ...     rows,
        ...     None,
        ...     settings=EngineSettings(epochs=2),
        ...     device=torch.device("cpu"),
        ...     is_sharded=False,
        ... )
        >>> placed.total_steps
        6
    """
    last = wants_channels_last(model) and not is_sharded
    model.to(device)
    if last:
        lay_channels_last(model)
    placed = as_batches(batches).to(device, channels_last=last)
    val = None if val_batches is None else as_batches(val_batches).to(device, channels_last=last)
    precision = choose_precision(
        settings.precision,
        device,
        model,
        batch_rows=placed.batch_size or 0,
        work=_work(model, placed, settings, device),
        compiles_bytes=settings.compile == "on" and _reads_bytes(placed),
    )
    is_full = OPTIMIZERS[settings.optimizer].is_full_batch
    micro_batches = None if is_full else settings.accumulate
    steps = math.ceil(len(placed) / (micro_batches or len(placed))) * settings.epochs
    return Placement(
        batches=placed,
        val_batches=val,
        precision=precision,
        micro_batches=micro_batches,
        total_steps=min(steps, settings.max_steps or steps),
    )


def _reads_bytes(batches: Batches) -> bool:
    """Return whether all inputs are bytes, or floats of no more values than a byte has."""
    if not isinstance(batches, TensorBatches):
        return False
    return all(
        block.dtype == torch.uint8
        or (block.is_floating_point() and len(block.unique()) <= _VALUES_OF_A_BYTE)
        for block in batches.first_rows(_ROWS_LOOKED_AT)
    )


def _work(
    model: nn.Module, batches: Batches, settings: EngineSettings, device: torch.device
) -> float:
    """Count the operations of a batch, where that decides about the precision."""
    decides = settings.precision == "auto" and device.type == "cpu"
    # other batches may not be looked at without drawing their random numbers
    if not decides or not isinstance(batches, TensorBatches) or batches.augment:
        return 0.0
    try:
        return forward_work(model, next(batches.epoch(0)).inputs)
    except Exception:  # whatever is wrong with the network, the first step says it better
        return 0.0


def check_trainable(model: nn.Module, *, changes_rows: bool = False) -> None:
    """Raise if a network has nothing that can be trained, or not in this way.

    Args:
        model: To be trained.
        changes_rows: Whether it sees rows with noise, or mixed with others.

    Raises:
        TrainingError: No parameter requires a gradient, or the size of some is not known yet.
        ConfigError: The network looks for the rows, which are changed, among those it keeps.

    Example:
        >>> check_trainable(nn.Linear(2, 1))
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise TrainingError(
            "The network has no parameter that can be trained: requires_grad must be set on "
            "at least one."
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
        raise TrainingError(
            "The network has lazy layers whose size is not known yet: call it once on a "
            "batch before training."
        )
    if changes_rows and isinstance(model, Remembering):
        raise ConfigError(
            f"{type(model).__name__} finds each training row among the rows that it keeps, to "
            "leave it out: train it without noise, mixup and cutmix (engine.regularisation)."
        )
