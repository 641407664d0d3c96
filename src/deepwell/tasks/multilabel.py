"""Multi-label classification: several yes-or-no questions about each row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.errors import TaskError
from deepwell.tasks.base import Task, TaskName
from deepwell.tasks.classification import (
    MARGIN_LOSSES,
    ClassValue,
    class_indices,
    class_texts,
    classes_of,
    sigmoid,
)
from deepwell.tasks.loss_catalog import losses_for
from deepwell.tasks.regression import prediction_names, weighted
from deepwell.tasks.settings import TaskSettings
from deepwell.types import Loss, Predictions

if TYPE_CHECKING:
    from torch import Tensor

    from deepwell.data.table import Table
    from deepwell.tasks.losses import RowLoss


class Multilabel(Task):
    """Answer one yes-or-no question for each target column.

    Args:
        targets: Names of the target columns.
        classes: For each target its two values, (no, yes).
        settings: Loss, smoothing.
        reason: Why this task was chosen.
    """

    name: ClassVar[TaskName] = "multilabel"
    score_names: tuple[str, ...] = ("accuracy",)
    primary_metric: ClassVar[str] = "f1"

    def __init__(
        self,
        *,
        targets: tuple[str, ...],
        classes: Sequence[Sequence[ClassValue]] | None = None,
        settings: TaskSettings | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(targets=targets, reason=reason)
        self.settings = settings or TaskSettings()
        known = losses_for("labels")
        if self.settings.loss not in ("auto", *known):
            raise TaskError(
                f"Several labels are learned with {', '.join(known[:-1])} or {known[-1]}. "
                f'Got: loss="{self.settings.loss}".'
            )
        self._row_loss: RowLoss | None = None
        self.classes = tuple(tuple(pair) for pair in classes or [(False, True)] * len(targets))

    @classmethod
    def fit(
        cls, table: Table, targets: tuple[str, ...], settings: TaskSettings, reason: str
    ) -> Self:
        """Learn the two values of each target from the training rows.

        Raises:
            TaskError: A target that has one value only, or more than two, or weights of classes.
        """
        if settings.class_weight != "none":
            raise TaskError(
                "class_weight is for one target with classes, and these are several labels: weigh "
                "rows by a column (--weight), choose thresholds (--threshold f1), or leave it out."
            )
        classes = [classes_of(table.series(name)) for name in targets]
        for name, values in zip(targets, classes, strict=True):
            if len(values) != 2:
                raise TaskError(
                    f'Target "{name}" must have two values in the training rows. '
                    f"Got: {len(values)}."
                )
        return cls(targets=targets, classes=classes, settings=settings, reason=reason)

    @property
    def labels(self) -> tuple[str, ...]:
        """The names of the targets."""
        return self.targets

    @property
    def head_size(self) -> int:
        """One logit a target."""
        return len(self.targets)

    @property
    def link(self) -> Literal["none", "sigmoid"]:
        """The sigmoid, unless the loss knows no probabilities."""
        return "none" if self.settings.loss in MARGIN_LOSSES else "sigmoid"

    def truth(self, table: Table) -> NDArray[np.int64]:
        """Return 0 or 1 for each row and target, shape (rows, targets)."""
        columns = [
            class_indices(table.series(name), list(class_texts(pl.Series(list(pair)))))
            for name, pair in zip(self.targets, self.classes, strict=True)
        ]
        return np.stack(columns, axis=1)

    def encode(self, table: Table) -> NDArray[np.float32]:
        """Return 0 or 1 for each row and target, shape (rows, targets)."""
        return self.truth(table).astype(np.float32)

    def loss(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Loss:
        """Return the chosen loss, cross-entropy by default, averaged over the targets."""
        if self._row_loss is None:
            from deepwell.tasks.losses import label_loss

            self._row_loss = label_loss(self.settings)
        return weighted(self._row_loss(outputs.float(), targets), weight)

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the share of right answers in each row."""
        return {"accuracy": ((outputs > 0) == (targets > 0.5)).float().mean(dim=1)}

    def decode(self, outputs: NDArray[np.float32]) -> Predictions:
        """Return answers and probabilities, both of shape (rows, targets)."""
        probabilities = sigmoid(outputs.astype(np.float64))
        return Predictions((outputs > 0).astype(np.int64), probabilities)

    def columns(self, predictions: Predictions) -> dict[str, pl.Series]:
        """Return `prediction_<target>` and `probability_<target>` for each target."""
        columns: dict[str, pl.Series] = {}
        for index, name in enumerate(prediction_names(self.targets)):
            values = pl.Series(name, list(self.classes[index]))
            columns[name] = values.gather(predictions.values[:, index])
        if predictions.probabilities is not None:
            for index, target in enumerate(self.targets):
                name = f"probability_{target}"
                columns[name] = pl.Series(name, predictions.probabilities[:, index])
        return columns

    def to_json(self) -> dict[str, Any]:
        """Return the fitted task as plain JSON."""
        return {
            "name": self.name,
            "targets": list(self.targets),
            "reason": self.reason,
            "settings": self.settings.to_json(),
            "classes": [list(pair) for pair in self.classes],
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild the task from `to_json`."""
        return cls(
            targets=tuple(state["targets"]),
            classes=state["classes"],
            settings=TaskSettings.model_validate(state["settings"]),
            reason=state["reason"],
        )
