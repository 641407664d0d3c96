"""Parallel: one network trained by several processes, with the gradient of the whole batch."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from deepwell.engine.best import weights_of
from deepwell.engine.compiled import untouched
from deepwell.engine.interfaces import TaskLike
from deepwell.engine.means import SMALLEST_WEIGHT
from deepwell.engine.processes import Processes, is_lost_peer, lost_peer
from deepwell.engine.sharding import shard, whole_tensor
from deepwell.engine.shared_norm import SharedNorm
from deepwell.engine.sharing import Filler, counted, share_of
from deepwell.types import Batch

if TYPE_CHECKING:
    from deepwell.engine.trainer import Trainer


class Parallel:
    """The network of one process, and how its gradient becomes that of all.

    "ddp": each process has the whole network, and gradients are added up while they are computed.
    "fsdp": each has a part of every weight, its gradient and its optimizer state; a block's
    weights are put together when it is their turn.

    Args:
        model: On its device; "ddp" trains it itself, "fsdp" a divided copy.
        processes: Those that train together, two or more.
        is_sharded: Whether "fsdp" was asked for.

    Reference:
        Li et al.: PyTorch Distributed (2020). Zhao et al.: PyTorch FSDP (2023).
    """

    def __init__(self, model: nn.Module, processes: Processes, *, is_sharded: bool) -> None:
        self.processes = processes
        self.is_sharded = is_sharded
        self._whole = model
        self.model = model
        if is_sharded:  # a card shall not hold the whole network twice, nor all the time
            device = next(iter(model.parameters())).device
            self.model = shard(copy.deepcopy(model.cpu()), processes, device)
        self.norm = SharedNorm(self.model)
        self.network: nn.Module = self.model

    def note(self, batch_rows: int | None) -> str:
        """Say in words what the processes do."""
        each = "a part of every weight" if self.is_sharded else "the whole network"
        rows = "" if batch_rows is None else f" of {batch_rows:,} rows"
        return f"{self.processes.size} processes share each batch{rows}; each has {each}."

    @contextlib.contextmanager
    def in_force(
        self, task: TaskLike, batches: Iterator[Batch], device: torch.device
    ) -> Generator[None]:
        """Join the networks of all processes for the time of a training.

        Args:
            task: Gives the loss.
            batches: Training rows, of which one batch is looked at.
            device: Of the network.
        """
        with self.norm.in_force():
            if not self.is_sharded:
                self.network = self._joined(task, next(batches), device)
            try:
                yield
            except RuntimeError as error:
                if is_lost_peer(error):
                    raise lost_peer() from error
                raise
            finally:
                self.network = self.model  # what joins the networks must go before the group

    def _joined(self, task: TaskLike, batch: Batch, device: torch.device) -> nn.Module:
        return DistributedDataParallel(
            self.model,
            device_ids=[device] if device.type == "cuda" else None,
            find_unused_parameters=self.processes.any(self._has_unused(task, batch, device)),
            gradient_as_bucket_view=True,
        )

    def _has_unused(self, task: TaskLike, batch: Batch, device: torch.device) -> bool:
        """Return whether a parameter gets no gradient, which must be known before."""
        part = self.share(batch)
        self.model.train()
        with untouched(self.model, device):
            self.model.zero_grad(set_to_none=True)
            loss, _ = task.training_step(self.model, part)
            loss.sum.backward()
            return any(p.requires_grad and p.grad is None for p in self.model.parameters())

    def share(self, batch: Batch) -> Batch:
        """Return the rows of this process; the network must read them next."""
        part = share_of(batch, self.processes)
        self.norm.counts = not isinstance(part, Filler)
        return part

    def silent(self) -> AbstractContextManager[object]:
        """Return the context in which gradients are only added up here, not sent."""
        if isinstance(self.network, DistributedDataParallel):
            return self.network.no_sync()
        return self._unsent()

    @contextlib.contextmanager
    def _unsent(self) -> Generator[None]:
        network: Any = self.network
        network.set_requires_gradient_sync(False)
        try:
            yield
        finally:
            network.set_requires_gradient_sync(True)

    def release(self) -> nn.Module:
        """Return the network with whole weights, which "fsdp" has to put together."""
        if not self.is_sharded:
            return self._whole
        device = next(iter(self.model.parameters())).device
        parts = weights_of(self.model)
        with torch.no_grad():
            for name, tensor in weights_of(self._whole).items():
                tensor.copy_(whole_tensor(parts[name]))
        return self._whole.to(device)


def shared_step(trainer: Trainer, rows: Iterator[Batch]) -> bool:
    """Do one optimizer step as `train_step` does, each process on its rows of every batch.

    Every loss is divided by the weight of the first batch over all processes. torch takes the
    mean of the gradients over the processes, and the house their sum: hence the factor `size`.
    All but the last of accumulated batches keep their gradients to themselves.

    Returns:
        False if the epoch has no batch left; nothing was done then.
    """
    parallel, size = trainer.parallel_in_force, trainer.processes.size
    first: Tensor | None = None
    total: Tensor | None = None
    for batch, is_last in _with_last(islice(rows, trainer.micro_batches)):
        part = parallel.share(batch)
        with contextlib.nullcontext() if is_last else parallel.silent():
            with trainer.precision.for_training():
                loss, outputs = trainer.task.training_step(parallel.network, part)
            loss = counted(loss, part)
            trainer.note(part, loss, outputs, rows=len(batch.targets))
            weight = trainer.processes.total(loss.weight)
            if first is None or total is None:
                first = total = weight.clamp_min(SMALLEST_WEIGHT)
            else:
                total = total + weight
            trainer.scale(loss.sum * size / first).backward()
    if first is None or total is None:
        return False
    trainer.update(None if first is total else first / total)
    return True


def _with_last(batches: Iterator[Batch]) -> Generator[tuple[Batch, bool]]:
    """Yield each batch, and whether it is the last one."""
    batch = next(batches, None)
    while batch is not None:
        following = next(batches, None)
        yield batch, following is None
        batch = following
