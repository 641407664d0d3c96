"""Losses under their names in Keras: how y is read, what is made small, what counts as right."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from deepwell.catalog import Catalog
from deepwell.errors import ConfigError, DataError, did_you_mean, listing
from deepwell.tasks.losses import (
    RowLoss,
    absolute_error,
    binary_cross_entropy,
    cross_entropy,
    squared_error,
)
from deepwell.types import Batch, Loss

Shape = tuple[int, ...]
Encode = Callable[[NDArray[Any], Shape], NDArray[Any]]
"""Takes y and the shape of one row of outputs, returns the targets for the loss."""

SUM_TOLERANCE = 1e-3
"""How far the sum of the probabilities of a row may be from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """A loss, to be made small by the engine.

    Args:
        name: As in Keras.
        encode: Checks y and turns it into targets.
        row_loss: One value a row from outputs and targets.
        activation: What the loss holds inside, so that the network itself gives logits: "softmax"
            or "sigmoid"; "" if the loss compares the answers themselves.
        metrics: What can be computed beside the loss, by name.
        metric_names: Which of these are computed.
    """

    name: str
    encode: Encode
    row_loss: RowLoss
    activation: str
    metrics: dict[str, RowLoss]
    metric_names: tuple[str, ...] = ()

    @property
    def score_names(self) -> tuple[str, ...]:
        """Names of what `scores` returns."""
        return self.metric_names

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        """Run the network on a batch; return the loss and the outputs."""
        outputs = model(*batch.inputs)
        losses = self.row_loss(outputs.float(), batch.targets)
        return Loss(losses.sum(), losses.new_full((), len(losses))), outputs

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return one value a row for each metric, shape (batch,)."""
        return {name: self.metrics[name](outputs.float(), targets) for name in self.metric_names}

    def measure(self, outputs: Tensor, targets: Tensor) -> dict[str, float]:
        """Return the mean loss and the mean of each metric over all rows."""
        values = {"loss": self.row_loss(outputs, targets), **self.scores(outputs, targets)}
        return {name: float(rows.double().mean()) for name, rows in values.items()}


def _classes(y: NDArray[Any], outputs: Shape) -> NDArray[Any]:
    """Return class numbers, (rows,)."""
    _require_classes(outputs)
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    _require_shape(y, (), "one class number a row")
    if y.dtype.kind not in "biuf" or not np.array_equal(y, np.round(y)):
        raise DataError(
            "y must hold whole numbers, the classes 0, 1, 2, … "
            f"Got: {_example(y)}. For labels as text use DeepClassifier."
        )
    low, high = int(y.min()), int(y.max())
    if low < 0 or high >= outputs[-1]:
        wrong = low if low < 0 else high
        raise DataError(
            f"y holds the class {wrong}, but the last layer has {outputs[-1]} outputs, for the "
            f"classes 0 to {outputs[-1] - 1}: give it more units, or number the classes from 0."
        )
    return y.astype(np.int64)


def _shares(y: NDArray[Any], outputs: Shape) -> NDArray[Any]:
    """Return a probability for each class, (rows, classes)."""
    _require_classes(outputs)
    if y.ndim == 1:
        raise DataError(
            "categorical_crossentropy reads one number for each class and row (one-hot). "
            f"Got: y of shape {y.shape}. For class numbers use sparse_categorical_crossentropy."
        )
    found = _numbers(y, outputs)
    if (found < 0).any() or np.abs(found.sum(axis=1) - 1).max() > SUM_TOLERANCE:
        raise DataError(
            "categorical_crossentropy reads probabilities whose sum is 1 in each row (one-hot). "
            "For several labels a row use binary_crossentropy."
        )
    return found


def _chances(y: NDArray[Any], outputs: Shape) -> NDArray[Any]:
    """Return numbers from 0 to 1, shaped as the outputs."""
    found = _numbers(y, outputs)
    if (found < 0).any() or (found > 1).any():
        raise DataError(
            f"binary_crossentropy reads numbers from 0 to 1. Got: from {found.min():g} to "
            f"{found.max():g}. For several classes use sparse_categorical_crossentropy, for other "
            "numbers mse."
        )
    return found


def _numbers(y: NDArray[Any], outputs: Shape) -> NDArray[np.float32]:
    """Return finite numbers, shaped as the outputs."""
    if y.dtype.kind not in "biuf":
        raise DataError(f"y must hold numbers. Got: {_example(y)}.")
    if y.ndim == 1 and outputs == (1,):
        y = y[:, None]
    _require_shape(y, outputs, "as many numbers a row as the last layer has outputs")
    if not np.isfinite(y).all():
        raise DataError("y holds values that are missing or infinite: leave out such rows.")
    return y.astype(np.float32)


def _require_classes(outputs: Shape) -> None:
    if len(outputs) != 1 or outputs[0] < 2:
        raise DataError(
            "This loss needs one output for each class, two or more, so outputs of shape "
            f"(rows, classes). Got: (rows, {', '.join(map(str, outputs))}). For two classes and "
            "one output use binary_crossentropy; behind pictures put Flatten or "
            "GlobalAveragePooling2D."
        )


def _require_shape(y: NDArray[Any], row: Shape, what: str) -> None:
    if tuple(y.shape[1:]) != row:
        raise DataError(
            f"This loss needs {what}, so y of shape {(len(y), *row)}. Got: {tuple(y.shape)}."
        )


def _example(y: NDArray[Any]) -> str:
    value = y.flat[0]
    return f"{value.item() if isinstance(value, np.generic) else value!r:.40}"


def _flat(row_loss: RowLoss) -> RowLoss:
    """Compare outputs of any shape number by number: (batch, …) each → (batch,)."""
    return lambda outputs, targets: row_loss(outputs.flatten(1), targets.flatten(1))


def _hits(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs.argmax(dim=1) == targets).float()


def _soft_hits(outputs: Tensor, targets: Tensor) -> Tensor:
    return _hits(outputs, targets.argmax(dim=1))


def _binary_hits(outputs: Tensor, targets: Tensor) -> Tensor:
    return ((outputs > 0) == (targets > 0.5)).float().flatten(1).mean(dim=1)


_ERRORS = {"mse": _flat(squared_error), "mae": _flat(absolute_error)}

OBJECTIVES: Catalog[Objective] = Catalog("loss")
"""Name to objective."""
for _objective in (
    Objective(
        name="sparse_categorical_crossentropy",
        encode=_classes,
        row_loss=cross_entropy,
        activation="softmax",
        metrics={"accuracy": _hits},
    ),
    Objective(
        name="categorical_crossentropy",
        encode=_shares,
        row_loss=cross_entropy,
        activation="softmax",
        metrics={"accuracy": _soft_hits},
    ),
    Objective(
        name="binary_crossentropy",
        encode=_chances,
        row_loss=_flat(binary_cross_entropy),
        activation="sigmoid",
        metrics={"accuracy": _binary_hits},
    ),
    Objective(name="mse", encode=_numbers, row_loss=_ERRORS["mse"], activation="", metrics=_ERRORS),
    Objective(name="mae", encode=_numbers, row_loss=_ERRORS["mae"], activation="", metrics=_ERRORS),
):
    OBJECTIVES.add(_objective.name, _objective)


def choose_metrics(objective: Objective, asked: Sequence[str] | None) -> tuple[str, ...]:
    """Return the names of the metrics; None stands for accuracy where there are classes.

    Raises:
        ConfigError: A metric that does not exist or does not go with the loss.
    """
    if asked is None:
        return ("accuracy",) if "accuracy" in objective.metrics else ()
    if isinstance(asked, str):
        asked = [asked]
    for name in asked:
        if name not in objective.metrics:
            hint = did_you_mean(name, objective.metrics)
            raise ConfigError(
                f'The metric "{name}" does not go with the loss {objective.name}.{hint} '
                f"Possible: {listing(objective.metrics)}."
            )
    return tuple(dict.fromkeys(asked))


def infer_objective(y: NDArray[Any], outputs: Shape, activation: str) -> str:
    """Return the loss that suits y.

    Args:
        y: The answers.
        outputs: Shape of one row of outputs.
        activation: Of the last layer: "softmax", "sigmoid", or "".

    Example:
        >>> infer_objective(np.array([0, 2, 1]), (3,), "")
        'sparse_categorical_crossentropy'
        >>> infer_objective(np.array([0.5, 7.25]), (1,), "")
        'mse'
    """
    is_one_a_row = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
    if activation == "sigmoid":
        return "binary_crossentropy"
    if is_one_a_row and outputs[-1] > 1:
        return "sparse_categorical_crossentropy"
    is_binary = y.dtype.kind in "biuf" and bool(((y == 0) | (y == 1)).all())
    is_one_hot = is_binary and y.ndim == 2 and not is_one_a_row and bool((y.sum(1) == 1).all())
    if activation == "softmax" or is_one_hot:
        return "categorical_crossentropy"
    return "binary_crossentropy" if is_binary and y.dtype.kind in "biu" else "mse"


def activated(outputs: Tensor, activation: str) -> Tensor:
    """Turn logits into probabilities.

    Example:
        >>> activated(torch.zeros(1, 2), "softmax").tolist()
        [[0.5, 0.5]]
    """
    if activation == "softmax":
        return outputs.softmax(dim=-1)
    return torch.sigmoid(outputs) if activation == "sigmoid" else outputs
