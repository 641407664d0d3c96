"""Batches: rows that stay on the device and are gathered by index, in an order made by seed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from deepwell.engine.interfaces import Batches
from deepwell.errors import DataError
from deepwell.types import Batch

Array = Tensor | NDArray[Any]
Augmentation = Callable[[tuple[Tensor, ...], torch.Generator], tuple[Tensor, ...]]
"""Changes the inputs of a training batch at random; takes its random numbers from the generator."""

ORDER_STREAM, AUGMENT_STREAM = 0, 1
"""Names of the two streams of random numbers, so that they never coincide."""


class TensorBatches:
    """Batches out of tensors in memory: no worker processes, no copies of single rows.

    `fit` moves the tensors to its device once. With `shuffle` the rows are dealt anew in each
    epoch, in an order that depends on (seed, epoch) alone; without it, batches are views. The
    last batch is smaller and is kept; only if it would hold a single row, that row joins the
    batch before it, because batch normalisation cannot learn from one row.

    Args:
        inputs: One tensor or array a block, first dimension = rows. Pictures stay bytes.
        targets: Encoded targets, first dimension = rows.
        weight: Weight of each row, (rows,), or None for 1 each.
        ids: Stable row ids, (rows,); None: 0, 1, 2, …
        batch_size: Rows in a batch.
        shuffle: Whether to deal the rows anew in each epoch.
        seed: Of order and augmentation.
        augment: Changes the inputs of each batch; called with the inputs and a generator on the
            processor that is seeded by (seed, epoch, number of the batch).

    Raises:
        DataError: No rows, or lengths that differ.

    Example:
        >>> batches = TensorBatches((torch.arange(5.0)[:, None],), torch.arange(5), batch_size=2)
        >>> [batch.targets.tolist() for batch in batches]
        [[0, 1], [2, 3, 4]]
    """

    def __init__(
        self,
        inputs: Sequence[Array],
        targets: Array,
        *,
        weight: Array | None = None,
        ids: Array | None = None,
        batch_size: int = 128,
        shuffle: bool = False,
        seed: int = 0,
        augment: Augmentation | None = None,
    ) -> None:
        self._inputs = tuple(_tensor(block) for block in inputs)
        self._targets = _tensor(targets)
        self._weight = None if weight is None else _tensor(weight).float()
        count = len(self._targets)
        self._ids = torch.arange(count) if ids is None else _tensor(ids).long()
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.seed = seed
        self.augment = augment
        self._check()
        left_over = count % batch_size
        joins = left_over == 1 and count > 1
        self._num_batches = count // batch_size + (1 if left_over and not joins else 0)
        # layout of the pictures in memory: rows, height, width, channels
        self._is_channels_last = False

    def _check(self) -> None:
        count = len(self._targets)
        if count == 0:
            raise DataError("There is no row to make batches of.")
        if self.batch_size < 1:
            raise DataError(f"A batch needs at least one row. Got: batch_size={self.batch_size}.")
        if self.seed < 0:
            raise DataError(f"A seed must be 0 or more. Got: seed={self.seed}.")
        blocks = {f"input {index}": len(block) for index, block in enumerate(self._inputs)}
        blocks["ids"] = len(self._ids)
        if self._weight is not None:
            blocks["weight"] = len(self._weight)
        for name, length in blocks.items():
            if length != count:
                raise DataError(
                    f"Inputs, targets, weight and ids must have the same number of rows. "
                    f"Got: {count} targets and {length} rows of {name}."
                )

    @property
    def rows(self) -> int:
        """Rows in an epoch."""
        return len(self._targets)

    def first_rows(self, count: int) -> tuple[Tensor, ...]:
        """Return the first rows of each block of inputs, as they lie there, not augmented.

        Example:
            >>> TensorBatches((torch.arange(5)[:, None],), torch.arange(5)).first_rows(2)
            (tensor([[0],
                    [1]]),)
        """
        return tuple(block[:count] for block in self._inputs)

    def __len__(self) -> int:
        return self._num_batches

    def __iter__(self) -> Iterator[Batch]:
        return self.epoch(0)

    def to(self, device: torch.device | str, *, channels_last: bool = False) -> TensorBatches:
        """Return the batches with all tensors on the device.

        Args:
            device: Where the rows shall be kept.
            channels_last: Whether 4-dimensional inputs come out in the layout that
                convolutions like best. Shapes and numbers do not change.
        """
        moved = TensorBatches(
            [block.to(device) for block in self._inputs],
            self._targets.to(device),
            weight=None if self._weight is None else self._weight.to(device),
            ids=self._ids.to(device),
            batch_size=self.batch_size,
            shuffle=self.shuffle,
            seed=self.seed,
            augment=self.augment,
        )
        moved._is_channels_last = self._is_channels_last
        if channels_last and not self._is_channels_last:
            moved._inputs = tuple(_rows_of_pixels(block) for block in moved._inputs)
            moved._is_channels_last = True
        return moved

    def epoch(self, epoch: int, *, start: int = 0) -> Generator[Batch]:
        """Yield the batches of one epoch from position `start` on.

        Args:
            epoch: 0, 1, …
            start: How many batches to leave out.
        """
        order = self._order(epoch) if self.shuffle else None
        last = len(self) - 1
        for index in range(start, len(self)):
            first = index * self.batch_size
            stop = self.rows if index == last else first + self.batch_size
            batch = self._gather(slice(first, stop) if order is None else order[first:stop])
            if self.augment is not None:
                generator = seeded(self.seed, epoch, AUGMENT_STREAM, index)
                batch.inputs = self.augment(batch.inputs, generator)
            yield batch

    def _order(self, epoch: int) -> Tensor:
        order = torch.randperm(self.rows, generator=seeded(self.seed, epoch, ORDER_STREAM))
        return order.to(self._targets.device)

    def _gather(self, rows: slice | Tensor) -> Batch:
        if isinstance(rows, slice):
            inputs = tuple(block[rows] for block in self._inputs)
            targets, ids = self._targets[rows], self._ids[rows]
            weight = None if self._weight is None else self._weight[rows]
        else:
            # a list is made faster than a generator runs
            inputs = tuple([block.index_select(0, rows) for block in self._inputs])
            targets, ids = self._targets.index_select(0, rows), self._ids.index_select(0, rows)
            weight = None if self._weight is None else self._weight.index_select(0, rows)
        if self._is_channels_last:
            inputs = tuple(_pictures(block) for block in inputs)
        return Batch(inputs, targets, weight, ids)


class IterableBatches:
    """Batches out of anything that can be iterated again and again, such as a DataLoader.

    Args:
        source: Gives `Batch` objects or pairs (inputs, targets), where inputs are a tensor, an
            array, or a tuple of them. It must have a length.
        device: Where the batches are put.
        channels_last: See `TensorBatches.to`.

    Raises:
        DataError: The source can be read only once, or has no length.

    A resumed run skips the batches that it has seen. This is exact if the source gives the same
    batches in each pass, or draws its order from torch's global random numbers as a DataLoader
    does.
    """

    def __init__(
        self,
        source: Iterable[Any],
        *,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
    ) -> None:
        if isinstance(source, Iterator):
            raise DataError(
                "An iterator or generator gives its batches only once, and training needs them "
                "in each epoch: pass a list, a DataLoader or TensorBatches."
            )
        if not hasattr(source, "__len__"):
            raise DataError(
                f"The number of batches must be known: give {type(source).__name__} the method "
                "__len__."
            )
        self.source = source
        self._device = torch.device(device)
        self._channels_last = channels_last
        if len(self) == 0:
            raise DataError("There is no batch to train or validate on.")

    @property
    def batch_size(self) -> int | None:
        """Rows in a batch, if the source knows it."""
        size = getattr(self.source, "batch_size", None)
        return size if isinstance(size, int) else None

    def __len__(self) -> int:
        return len(cast(Sequence[Any], self.source))

    def to(self, device: torch.device | str, *, channels_last: bool = False) -> IterableBatches:
        """Return the same batches for another device."""
        return IterableBatches(self.source, device=device, channels_last=channels_last)

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """Return an iterator over one pass, behind the first `start` batches.

        The batches before are read at once, not when the first one is asked for: a source that
        draws its order from torch's global random numbers must do so now.
        """
        set_epoch = getattr(getattr(self.source, "sampler", None), "set_epoch", None)
        if set_epoch is not None:
            set_epoch(epoch)
        iterator = iter(self.source)
        first_id = sum(len(self._batch(item, 0).ids) for item in islice(iterator, start))
        return self._convert(iterator, first_id)

    def _convert(self, iterator: Iterator[Any], first_id: int) -> Generator[Batch]:
        for item in iterator:
            batch = self._batch(item, first_id)
            first_id += len(batch.ids)
            yield batch

    def _batch(self, item: Any, first_id: int) -> Batch:
        if isinstance(item, Batch):
            weight = None if item.weight is None else self._move(item.weight)
            inputs = tuple(self._move(block) for block in item.inputs)
            return Batch(inputs, self._move(item.targets), weight, item.ids)
        if not (isinstance(item, tuple | list) and len(cast(Sequence[Any], item)) == 2):
            raise DataError(
                "Each batch must be a deepwell.types.Batch or a pair (inputs, targets). "
                f"Got: {type(item).__name__}."
            )
        inputs, targets = cast(Sequence[Any], item)
        blocks = cast(Sequence[Any], inputs if isinstance(inputs, tuple | list) else (inputs,))
        targets = self._move(targets)
        ids = torch.arange(first_id, first_id + len(targets))
        return Batch(tuple(self._move(block) for block in blocks), targets, None, ids)

    def _move(self, value: Any) -> Tensor:
        tensor = torch.as_tensor(value).to(self._device, non_blocking=True)
        if self._channels_last and tensor.ndim == 4:
            tensor = tensor.contiguous(memory_format=torch.channels_last)
        return tensor


def as_batches(source: Batches | Iterable[Any]) -> Batches:
    """Return the source itself if it is made for the engine, else wrap it.

    Args:
        source: `TensorBatches`, or an iterable of `Batch` or of pairs (inputs, targets).

    Raises:
        DataError: The source can be read only once, or has no length.

    Example:
        >>> pairs = [(torch.zeros(2, 3), torch.zeros(2, 1))]
        >>> len(as_batches(pairs))
        1
    """
    if hasattr(source, "epoch") and hasattr(source, "to"):
        return cast(Batches, source)
    if not isinstance(source, Iterable):
        raise DataError(
            "Batches must be TensorBatches or an iterable of Batch or (inputs, targets). "
            f"Got: {type(source).__name__}."
        )
    return IterableBatches(source)


def seed_of(*numbers: int) -> int:
    """Mix numbers (0 or more) into one seed; near numbers give unrelated streams."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def seeded(*numbers: int) -> torch.Generator:
    """Return a generator on the processor whose stream depends on these numbers alone."""
    return torch.Generator().manual_seed(seed_of(*numbers))


def _tensor(values: Array) -> Tensor:
    """Return a tensor that shares the memory of an array wherever torch allows it."""
    if isinstance(values, Tensor):
        return values.detach()
    # torch shares memory only with arrays that may be written and have no negative strides
    is_shareable = values.flags.writeable and min(values.strides, default=0) >= 0
    return torch.from_numpy(values if is_shareable else values.copy())


def _rows_of_pixels(block: Tensor) -> Tensor:
    """(rows, K, H, W) → (rows, H, W, K) in memory; other blocks stay."""
    return block.permute(0, 2, 3, 1).contiguous() if block.ndim == 4 else block


def _pictures(block: Tensor) -> Tensor:
    """(batch, H, W, K) → (batch, K, H, W) without a copy, channels last in memory."""
    return block.permute(0, 3, 1, 2) if block.ndim == 4 else block
