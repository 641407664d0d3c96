"""What the engine asks of a task and of batches; it knows no concrete one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn

from deepwell.types import Batch, Loss


class TaskLike(Protocol):
    """The part of a task that training needs; every `deepwell.tasks.Task` has it."""

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of what `scores` returns."""
        ...

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        """Run the network on a batch; return the loss and the outputs."""
        ...

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return one value a row for each of `score_names`, shape (batch,)."""
        ...


class Batches(Protocol):
    """Rows in batches, epoch after epoch, at any position."""

    def __len__(self) -> int:
        """Batches in an epoch."""
        ...

    @property
    def batch_size(self) -> int | None:
        """Rows in a batch, if known."""
        ...

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Return the batches of one epoch (0, 1, …) from position `start` on.

        The same epoch and position give the same batches each time: a resumed run needs no more.
        """
        ...

    def to(self, device: torch.device, *, channels_last: bool = False) -> Batches:
        """Return the same batches for a device, pictures laid out as asked."""
        ...
