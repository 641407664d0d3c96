"""Sharing: which rows of a batch are whose."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from deepwell.engine.mixing import MixedBatch
from deepwell.engine.processes import Processes
from deepwell.types import Batch, Loss


@dataclass(slots=True)
class Filler(Batch):
    """A row of weight zero, for a process that has no row of a small batch."""


def share_of(batch: Batch, processes: Processes) -> Batch:
    """Return the rows of this process: all shares together are the batch, each row once.

    Shares differ by one row at most. Where there are fewer rows than processes, some get a
    `Filler`, because many networks cannot read an empty batch.

    Args:
        batch: The same in all processes.
        processes: Those that train together.

    Example:
        >>> rows = Batch((torch.zeros(5, 1),), torch.arange(5), None, torch.arange(5))
        >>> share_of(rows, Processes()) is rows
        True
        >>> [share_of(rows, Processes.numbered(r, 2)).targets.tolist() for r in (0, 1)]
        [[0, 1], [2, 3, 4]]
    """
    if processes.is_alone:
        return batch
    count = len(batch.targets)
    first = processes.rank * count // processes.size
    rows = slice(first, (processes.rank + 1) * count // processes.size)
    if rows.start == rows.stop:
        return _filler(batch)
    part = replace(
        batch,
        inputs=tuple(block[rows] for block in batch.inputs),
        targets=batch.targets[rows],
        weight=_taken(batch.weight, rows),
        ids=batch.ids[rows],
    )
    if isinstance(part, MixedBatch):
        part.other_targets = part.other_targets[rows]
        part.other_weight = _taken(part.other_weight, rows)
    return part


def counted(loss: Loss, batch: Batch) -> Loss:
    """Return a loss that counts, or nothing for a `Filler`, whatever the task makes of weights."""
    return Loss(loss.sum * 0, loss.weight * 0) if isinstance(batch, Filler) else loss


def _filler(batch: Batch) -> Filler:
    row = slice(0, 1)
    return Filler(
        tuple(block[row] for block in batch.inputs),
        batch.targets[row],
        torch.zeros(1, device=batch.targets.device),
        batch.ids[row],
    )


def _taken(values: Tensor | None, rows: slice) -> Tensor | None:
    return None if values is None else values[rows]
