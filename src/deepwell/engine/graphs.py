"""CUDA graphs: what a card does for a batch of one shape, recorded once and replayed in one call.

A small network keeps a card waiting for the processor, which sends every operation by itself. This
was written by torch's documentation and has not been run on a card yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from deepwell.types import Batch

Named = dict[str, Tensor]
Found = tuple[Named, Tensor, Tensor, Named]
"""Gradients by name, sum and weight of the loss, scores (batch,)."""
Compute = Callable[[Named, Named, Batch], Found]

_WARM_UP = 3
"""Calls before a recording, as torch asks for: libraries reserve their memory in the first ones."""


class Recorded:
    """A computation on weights, buffers and a batch, replayed where they lay when it was recorded.

    Weights and buffers are read and changed where they are, so they may only be changed in place.
    A batch is copied to the place of the recorded one, and what was found is copied away, since
    the next replay overwrites it. Random numbers go on from the state of the card's generator.

    Args:
        compute: Computes, without waiting for the card.
        learned: Weights.
        buffers: May be changed by the computation.
        batch: Of the shape of all that follow.

    Raises:
        RuntimeError: The computation cannot be recorded, because it waits for the card.

    Reference:
        Gray: Getting Started with CUDA Graphs (2019).
    """

    def __init__(self, compute: Compute, learned: Named, buffers: Named, batch: Batch) -> None:
        self._batch = replace(
            batch,
            inputs=tuple(block.clone() for block in batch.inputs),
            targets=batch.targets.clone(),
            weight=None if batch.weight is None else batch.weight.clone(),
        )
        self._places = _tensors(self._batch)
        self._replay, self._found = record(lambda: compute(learned, buffers, self._batch))

    def __call__(self, learned: Named, buffers: Named, batch: Batch) -> Found:
        """Compute for another batch; weights and buffers are those that were recorded."""
        for place, values in zip(self._places, _tensors(batch), strict=True):
            place.copy_(values, non_blocking=True)
        self._replay()
        gradients, loss_sum, weight, scores = self._found
        return _copies(gradients), loss_sum.clone(), weight.clone(), _copies(scores)


def are_on(device: torch.device) -> bool:
    """Return whether a device replays graphs.

    Example:
        >>> are_on(torch.device("cpu"))
        False
    """
    return device.type == "cuda"


def record(compute: Callable[[], Any]) -> tuple[Callable[[], object], Any]:
    """Record a computation on the current card.

    Returns:
        What replays it, and the tensors that hold its results after each replay.
    """
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UP):
            compute()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        found = compute()
    return graph.replay, found


def _tensors(batch: Batch) -> list[Tensor]:
    weight = [] if batch.weight is None else [batch.weight]
    return [*batch.inputs, batch.targets, *weight]


def _copies(tensors: Mapping[str, Tensor]) -> Named:
    return {name: tensor.clone() for name, tensor in tensors.items()}
