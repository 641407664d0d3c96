"""Growing: what training is for a model of trees."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.data import Table
from deepwell.engine import FitResult
from deepwell.errors import ConfigError
from deepwell.tasks import Regression, Task
from deepwell.tasks.classification import Classification
from deepwell.workflows.settings import TrainSettings

if TYPE_CHECKING:
    from deepwell.models.ensembles.boosted_trees import Question

TREES = "boosted_trees"
"""The name of the model in the catalog."""
_QUESTIONS: dict[str, Question] = {
    "regression": "numbers",
    "binary": "labels",
    "multilabel": "labels",
    "multiclass": "classes",
}


def grow_trees(
    predictor: Predictor,
    train: Table,
    val: Table,
    settings: TrainSettings,
    *,
    seconds: float = math.inf,
) -> tuple[Predictor, FitResult]:
    """Grow trees on the training rows; the validation rows say when to stop.

    Args:
        predictor: With encoders for trees; it is not changed.
        train: Rows to learn from.
        val: Rows that decide when to stop; may be empty.
        settings: Resolved.
        seconds: How long it may take.

    Returns:
        A predictor that has the trees, and how it went; there is no history of epochs.

    Raises:
        ConfigError: The loss is none that trees are grown for, or the targets have no logarithm.
    """
    from deepwell.models.ensembles.boosted_trees import (
        BoostedTreesSettings,
        grow,
        grow_logarithms,
    )

    check_for_trees(settings)
    began = time.perf_counter()
    options = BoostedTreesSettings.model_validate(settings.model.options)
    rows = _rows(predictor, train), _rows(predictor, val) if len(val) else None
    spec, task = predictor.encoders.spec, predictor.task
    common: dict[str, Any] = {"settings": options, "seed": settings.seed, "seconds": seconds}
    if options.log_targets:
        trees, grown = grow_logarithms(spec, *rows, zero=_zero(task), **common)
    else:
        question = _QUESTIONS[task.name]
        trees, grown = grow(question, spec, *rows, head_size=task.head_size, **common)
    filled = Predictor(
        trees,
        task=predictor.task,
        encoders=predictor.encoders,
        schema=predictor.schema,
        architecture={"name": TREES, "settings": grown.model_dump()},
        device=predictor.device,
    )
    words = f"Grew {grown.num_trees:,} trees"
    words += " until the validation rows said enough." if len(val) else "."
    result = FitResult(
        history=[],
        best_epoch=None,
        steps=grown.num_trees,
        seconds=time.perf_counter() - began,
        stopped=words,
        interrupted=False,
        precision="Trees compare 32-bit numbers as they are in the data.",
        device=str(predictor.device),
    )
    return filled, result


def check_for_trees(settings: TrainSettings) -> None:
    """Refuse what is asked of the loss and trees do not have.

    Raises:
        ConfigError: The loss is none that trees are grown for, or its targets are smoothed.
    """
    if settings.task.loss not in ("auto", "mse", "cross_entropy"):
        raise ConfigError(
            f'boosted_trees knows squared error and cross-entropy. Got: loss="{settings.task.loss}"'
            ": choose another --model, or leave the loss out."
        )
    if settings.task.label_smoothing:
        raise ConfigError(
            "boosted_trees has no label_smoothing: choose another --model, or leave it out."
        )


def _zero(task: Task) -> NDArray[np.float64]:
    """Return where zero lies among the standardised targets.

    Raises:
        ConfigError: They are classes.
    """
    if not isinstance(task, Regression):
        raise ConfigError("log_targets is for numbers, but the target has classes: leave it out.")
    return -task.mean / task.std


def _rows(
    predictor: Predictor, table: Table
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]:
    blocks = predictor.encoders.encode(table)
    inputs = np.concatenate([block.astype(np.float32) for block in blocks], axis=1)
    name = predictor.schema.name_of("weight")
    weight = None if name is None else table.series(name).to_numpy().astype(np.float64)
    return inputs, predictor.task.encode(table), _with_classes(predictor.task, table, weight)


def _with_classes(
    task: Task, table: Table, weight: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Return weight × weight of the class, (rows,), as the loss of a network has it."""
    if not isinstance(task, Classification) or task.weights is None:
        return weight
    of_class = np.array(task.weights)[task.truth(table)]
    return of_class if weight is None else of_class * weight
