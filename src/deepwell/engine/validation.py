"""Validation: loss and scores of a network on rows that it does not learn from."""

from __future__ import annotations

import torch
from torch import nn

from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.means import RunningMeans
from deepwell.engine.parallel import Parallel
from deepwell.engine.precision import Precision
from deepwell.engine.processes import ALONE
from deepwell.engine.sharing import counted


@torch.no_grad()
def validate(
    model: nn.Module,
    task: TaskLike,
    batches: Batches,
    precision: Precision,
    *,
    device: torch.device,
    parallel: Parallel | None = None,
) -> dict[str, float]:
    """Return the means over all rows, with their weights.

    The network is in evaluation mode meanwhile and as before afterwards.

    Args:
        model: On the device.
        task: Gives loss and scores.
        batches: On the device.
        precision: What to compute with.
        device: Where network and rows are.
        parallel: The processes that share the rows, each row once; None: this one has all.
    """
    processes = ALONE if parallel is None else parallel.processes
    means = RunningMeans(task.score_names, device, processes)
    was_training = model.training
    model.eval()
    for whole in batches.epoch(0):
        batch = whole if parallel is None else parallel.share(whole)
        # no inference_mode: what a module caches in it could not be used in training
        with precision.autocast():
            loss, outputs = task.training_step(model, batch)
        loss = counted(loss, batch)
        means.add(loss, task.scores(outputs, batch.targets), batch.weight)
    model.train(was_training)
    return means.read()
