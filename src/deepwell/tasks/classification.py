"""Classification: one of two classes, or one of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.errors import TaskError, listing
from deepwell.tasks.base import Task, TaskName
from deepwell.tasks.loss_catalog import losses_for
from deepwell.tasks.regression import prediction_names, weighted
from deepwell.tasks.settings import TaskSettings
from deepwell.types import Loss, Predictions

if TYPE_CHECKING:
    from torch import Tensor

    from deepwell.data.table import Table
    from deepwell.tasks.losses import RowLoss

ClassValue = str | int | bool

MARGIN_LOSSES = ("hinge", "perceptron")
"""Losses whose outputs are distances from the boundary, not logits."""


class Classification(Task):
    """What binary and multi-class tasks share: the classes and their weights.

    Args:
        targets: Name of the target column, as a tuple of one.
        classes: The values of the target, in the order of their indices.
        weights: Weight of each class in the loss, or None for 1 each.
        settings: Loss, smoothing.
        reason: Why this task was chosen.
    """

    score_names: tuple[str, ...] = ("accuracy",)
    primary_metric: ClassVar[str] = "accuracy"

    def __init__(
        self,
        *,
        targets: tuple[str, ...] = ("target",),
        classes: Sequence[ClassValue],
        weights: Sequence[float] | None = None,
        settings: TaskSettings | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(targets=targets, reason=reason)
        self.settings = settings or TaskSettings()
        known = losses_for("classes")
        if self.settings.loss not in ("auto", *known):
            raise TaskError(
                f'The loss "{self.settings.loss}" is for numbers, but the target is a class: '
                f"use {', '.join(known[:-1])} or {known[-1]}."
            )
        self.classes = tuple(classes)
        self.weights = None if weights is None else tuple(float(value) for value in weights)
        self._device_weights: Tensor | None = None
        self._row_loss: RowLoss | None = None

    @classmethod
    def fit(
        cls, table: Table, targets: tuple[str, ...], settings: TaskSettings, reason: str
    ) -> Self:
        """Learn the classes and their weights from the training rows."""
        classes = classes_of(table.series(targets[0]), settings.positive)
        task = cls(targets=targets, classes=classes, settings=settings, reason=reason)
        if settings.class_weight == "balanced":
            counts = np.bincount(task.truth(table), minlength=len(classes))
            task.weights = tuple((counts.sum() / (len(classes) * counts)).tolist())
        return task

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes as text."""
        return tuple(class_texts(pl.Series(list(self.classes))))

    def truth(self, table: Table) -> NDArray[np.int64]:
        """Return the class index of each row, shape (rows,).

        Raises:
            TaskError: A class that training never saw, or a missing value.
        """
        series = table.series(self.targets[0])
        return class_indices(series, self.labels)

    def row_weight(self, targets: Tensor, weight: Tensor | None) -> Tensor | None:
        """Return weight × weight of the class, shape (batch,)."""
        if self.weights is None:
            return weight
        if self._device_weights is None or self._device_weights.device != targets.device:
            import torch

            self._device_weights = torch.tensor(self.weights, device=targets.device)
        of_class = self._device_weights[targets.long()]
        return of_class if weight is None else of_class * weight

    def columns(self, predictions: Predictions) -> dict[str, pl.Series]:
        """Return `prediction` and `probability_<class>` for each class."""
        answers = pl.Series("prediction", list(self.classes)).gather(predictions.values)
        columns = {prediction_names(self.targets)[0]: answers}
        if predictions.probabilities is not None:
            for index, label in enumerate(self.labels):
                name = f"probability_{label}"
                columns[name] = pl.Series(name, predictions.probabilities[:, index])
        return columns

    def to_json(self) -> dict[str, Any]:
        """Return the fitted task as plain JSON."""
        return {
            "name": self.name,
            "targets": list(self.targets),
            "reason": self.reason,
            "settings": self.settings.to_json(),
            "classes": list(self.classes),
            "weights": None if self.weights is None else list(self.weights),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """Rebuild the task from `to_json`."""
        return cls(
            targets=tuple(state["targets"]),
            classes=state["classes"],
            weights=state["weights"],
            settings=TaskSettings.model_validate(state["settings"]),
            reason=state["reason"],
        )


class Binary(Classification):
    """Predict one of two classes with a single output: the logit of the second class.

    Example:
        >>> task = Binary(classes=["no", "yes"])
        >>> task.decode(np.array([[0.0], [2.0]], dtype=np.float32)).values.tolist()
        [0, 1]
    """

    name: ClassVar[TaskName] = "binary"

    @property
    def head_size(self) -> int:
        """One logit."""
        return 1

    @property
    def link(self) -> Literal["none", "sigmoid"]:
        """The sigmoid, unless the loss knows no probabilities."""
        return "none" if self.settings.loss in MARGIN_LOSSES else "sigmoid"

    def encode(self, table: Table) -> NDArray[np.float32]:
        """Return 0 or 1 for each row, shape (rows, 1)."""
        return self.truth(table).astype(np.float32)[:, None]

    def loss(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Loss:
        """Return the chosen loss, cross-entropy by default."""
        if self._row_loss is None:
            from deepwell.tasks.losses import label_loss

            self._row_loss = label_loss(self.settings)
        losses = self._row_loss(outputs.float(), targets)
        return weighted(losses, self.row_weight(targets[:, 0], weight))

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return 1 for each row that is right."""
        return {"accuracy": ((outputs > 0) == (targets > 0.5)).float()[:, 0]}

    def decode(self, outputs: NDArray[np.float32]) -> Predictions:
        """Return class indices (rows,) and probabilities (rows, 2)."""
        positive = sigmoid(outputs[:, 0].astype(np.float64))
        # the logit decides, not the probability: that one rounds to 0.5 near the boundary
        values = (outputs[:, 0] > 0).astype(np.int64)
        return Predictions(values, np.stack([1 - positive, positive], axis=1))


class Multiclass(Classification):
    """Predict one of several classes with one logit a class.

    Example:
        >>> task = Multiclass(classes=["cat", "dog", "cow"])
        >>> task.decode(np.array([[0.0, 2.0, 1.0]], dtype=np.float32)).values.tolist()
        [1]
    """

    name: ClassVar[TaskName] = "multiclass"

    @property
    def head_size(self) -> int:
        """One logit a class."""
        return len(self.classes)

    @property
    def link(self) -> Literal["none", "softmax"]:
        """The softmax, unless the loss knows no probabilities."""
        return "none" if self.settings.loss in MARGIN_LOSSES else "softmax"

    def encode(self, table: Table) -> NDArray[np.int64]:
        """Return class indices, shape (rows,)."""
        return self.truth(table)

    def loss(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Loss:
        """Return the chosen loss, cross-entropy by default."""
        if self._row_loss is None:
            from deepwell.tasks.losses import class_loss

            self._row_loss = class_loss(self.settings)
        losses = self._row_loss(outputs.float(), targets)
        return weighted(losses, self.row_weight(targets, weight))

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return 1 for each row that is right."""
        return {"accuracy": (outputs.argmax(dim=1) == targets).float()}

    def decode(self, outputs: NDArray[np.float32]) -> Predictions:
        """Return class indices (rows,) and probabilities (rows, classes)."""
        logits = outputs.astype(np.float64)
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return Predictions(logits.argmax(axis=1), powers / powers.sum(axis=1, keepdims=True))


def sigmoid(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(−x)) without overflow."""
    return 0.5 * (1 + np.tanh(0.5 * logits))


def class_texts(series: pl.Series) -> pl.Series:
    """Return class values as text, so that 1, 1.0 and "1" from different files are one class."""
    if series.dtype.is_float():
        series = series.fill_nan(None)
        whole = series.cast(pl.Int64, strict=False)
        # a number too large for Int64 becomes missing
        if whole.null_count() == series.null_count() and (whole.cast(series.dtype) == series).all():
            series = whole
    return series.cast(pl.String).str.strip_chars()


def classes_of(series: pl.Series, positive: str | None = None) -> list[ClassValue]:
    """Return the classes in a stable order; with two classes `positive` comes last.

    Raises:
        TaskError: `positive` is not one of two classes.
    """
    texts = class_texts(series.drop_nulls().unique())
    as_numbers = texts.cast(pl.Int64, strict=False)
    is_whole = as_numbers.null_count() == 0 and (as_numbers.cast(pl.String) == texts).all()
    classes: list[ClassValue]
    if series.dtype == pl.Boolean:
        classes = [value == "true" for value in sorted(texts)]
    elif series.dtype.is_numeric() and is_whole:
        classes = sorted(as_numbers.to_list())
    else:
        classes = sorted(texts.to_list())
    if positive is not None:
        by_text = {str(value).lower(): value for value in classes}
        if len(classes) != 2 or positive.lower() not in by_text:
            raise TaskError(
                f'positive = "{positive}" must name one of two classes. '
                f"Got: {listing(str(value) for value in classes)}."
            )
        chosen = by_text[positive.lower()]
        classes = [value for value in classes if value != chosen] + [chosen]
    return classes


def class_indices(series: pl.Series, labels: Sequence[str]) -> NDArray[np.int64]:
    """Return the index of each row's class, shape (rows,).

    Raises:
        TaskError: A class that is not among the labels, or a missing value.
    """
    texts = class_texts(series)
    known = {label: index for index, label in enumerate(labels)}
    indices = texts.replace_strict(known, default=None, return_dtype=pl.Int64)
    if indices.null_count():
        row = int(indices.is_null().arg_max() or 0)
        if texts[row] is None:
            raise TaskError(
                f'Target "{series.name}" has no value in data row {row + 1}: '
                "remove such rows or fill them in."
            )
        raise TaskError(
            f'Target "{series.name}" holds the class "{texts[row]}", which training never saw '
            f"(data row {row + 1}). Classes of the training rows: {listing(labels)}."
        )
    return indices.to_numpy(writable=True)
