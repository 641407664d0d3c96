"""The task: what is asked of the network, apart from how the network is built."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from deepwell.types import Loss, Predictions

if TYPE_CHECKING:
    import polars as pl
    from torch import Tensor, nn

    from deepwell.data.table import Table
    from deepwell.types import Batch

TaskName = Literal["regression", "binary", "multiclass", "multilabel"]


class Task(ABC):
    """What is asked: how targets become tensors, how outputs are scored and become answers.

    A task knows nothing of files, devices, optimizers or architectures; a network knows nothing
    of tasks. The engine brings the two together in `training_step`.

    Args:
        targets: Names of the target columns.
        reason: Why this task was chosen, in words.
    """

    name: ClassVar[TaskName]
    score_names: tuple[str, ...]
    """What `scores` returns: per-row quantities that the engine averages while training."""
    primary_metric: ClassVar[str]
    """The metric by which the verdict is given; its direction is in `evaluation.metrics`."""

    def __init__(self, *, targets: tuple[str, ...], reason: str) -> None:
        self.targets = targets
        self.reason = reason

    @property
    @abstractmethod
    def head_size(self) -> int:
        """How many numbers the network must return for each row."""

    @property
    def link(self) -> Literal["none", "sigmoid", "softmax", "exp"]:
        """What turns outputs into answers, so that answers of several networks can be averaged."""
        return "none"

    @property
    def labels(self) -> tuple[str, ...]:
        """Class names as text (classification), label names (multi-label), or ()."""
        return ()

    @abstractmethod
    def truth(self, table: Table) -> NDArray[np.float64] | NDArray[np.int64]:
        """Return the targets as `Predictions.values` has them: units of the data, class index.

        Raises:
            TaskError: A value that the task has never seen, or a missing value.
        """

    @abstractmethod
    def encode(self, table: Table) -> NDArray[np.float32] | NDArray[np.int64]:
        """Return the targets as `loss` wants them, one row a row of the table.

        Raises:
            TaskError: A value that the task has never seen, or a missing value.
        """

    @abstractmethod
    def loss(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Loss:
        """Return the loss as a sum over the rows and the weight of these rows."""

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        """Run the network on a batch; return the loss and the outputs (batch, head_size).

        In training, a network of several members may return (batch · members, head_size), the
        answers of all members to the first row first. The loss is then the mean of the members'
        losses, not that of their mean, and the outputs returned are the members' means.
        """
        outputs = model(*batch.inputs)
        members = len(outputs) // max(1, len(batch.targets))
        if members <= 1:
            return self.loss(outputs, batch.targets, batch.weight), outputs
        targets = batch.targets.repeat_interleave(members, dim=0)
        weight = batch.weight
        if weight is not None:
            weight = weight.repeat_interleave(members)
        loss = self.loss(outputs, targets, weight)
        means = outputs.unflatten(0, (-1, members)).mean(dim=1)
        return Loss(loss.sum / members, loss.weight / members), means

    @abstractmethod
    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return one value a row for each of `score_names`, shape (batch,), on the device."""

    @abstractmethod
    def decode(self, outputs: NDArray[np.float32]) -> Predictions:
        """Turn raw outputs (rows, head_size) into answers."""

    @abstractmethod
    def columns(self, predictions: Predictions) -> dict[str, pl.Series]:
        """Name the answers as columns: `prediction`, `probability_<class>` and so on."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return the fitted task as plain JSON; `tasks.from_json` reads it."""
