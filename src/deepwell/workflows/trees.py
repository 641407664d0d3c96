"""Growing: what training is for a model of trees."""

from __future__ import annotations

import math
import time
from importlib import import_module
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.data import Table
from deepwell.engine import FitResult
from deepwell.errors import ConfigError
from deepwell.models.catalog import MODELS
from deepwell.models.catalog import resolve as model_settings
from deepwell.models.ensembles.logarithm import Question, Rows, logarithm
from deepwell.tasks import Regression, Task
from deepwell.tasks.classification import Classification
from deepwell.workflows.settings import TrainSettings

_QUESTIONS: dict[str, Question] = {
    "regression": "numbers",
    "binary": "labels",
    "multilabel": "labels",
    "multiclass": "classes",
}


def is_grown(model: str) -> bool:
    """Tell whether a model consists of trees, which are grown at once.

    Example:
        >>> is_grown("symmetric_trees"), is_grown("mlp")
        (True, False)
    """
    return model in MODELS and MODELS[model].learner == "trees"


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
    check_for_trees(settings)
    name = settings.model.name
    began = time.perf_counter()
    grower: Any = import_module(MODELS[name].module)
    options: Any = model_settings(name, settings.model.options, group="model")
    task = predictor.task
    zero = _zero(task) if options.log_targets else None
    learned, held_out = _rows(predictor, train, zero), _rows(predictor, val, zero)
    trees, grown = grower.grow(
        _QUESTIONS[task.name],
        predictor.encoders.spec,
        learned,
        held_out if len(val) else None,
        settings=options,
        seed=settings.seed,
        head_size=task.head_size,
        seconds=seconds,
    )
    if zero is not None:
        trees.zero.copy_(torch.from_numpy(zero))
    filled = Predictor(
        trees,
        task=predictor.task,
        encoders=predictor.encoders,
        schema=predictor.schema,
        architecture={"name": name, "settings": grown.model_dump()},
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
            f"{settings.model.name} knows squared error and cross-entropy. Got: "
            f'loss="{settings.task.loss}": choose another --model, or leave the loss out.'
        )
    if settings.task.label_smoothing:
        raise ConfigError(
            f"{settings.model.name} has no label_smoothing: choose another --model, or leave it "
            "out."
        )


def _zero(task: Task) -> NDArray[np.float64]:
    """Return where zero lies among the standardised targets.

    Raises:
        ConfigError: They are classes.
    """
    if not isinstance(task, Regression):
        raise ConfigError("log_targets is for numbers, but the target has classes: leave it out.")
    return -task.mean / task.std


def _rows(predictor: Predictor, table: Table, zero: NDArray[np.float64] | None) -> Rows:
    blocks = predictor.encoders.encode(table)
    inputs = np.concatenate([block.astype(np.float32) for block in blocks], axis=1)
    name = predictor.schema.name_of("weight")
    weight = None if name is None else table.series(name).to_numpy().astype(np.float64)
    weight = _with_classes(predictor.task, table, weight)
    rows = inputs, predictor.task.encode(table), weight
    return rows if zero is None else logarithm(rows, zero)


def _with_classes(
    task: Task, table: Table, weight: NDArray[np.float64] | None
) -> NDArray[np.float64] | None:
    """Return weight × weight of the class, (rows,), as the loss of a network has it."""
    if not isinstance(task, Classification) or task.weights is None:
        return weight
    of_class = np.array(task.weights)[task.truth(table)]
    return of_class if weight is None else of_class * weight
