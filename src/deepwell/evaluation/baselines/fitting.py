"""Fitting the baselines that suit the data, on the network's own training rows."""

from __future__ import annotations

import time
from collections.abc import Callable

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import ConfigError
from deepwell.evaluation.baselines.baseline import Baseline
from deepwell.evaluation.baselines.boosting import predict_boosting
from deepwell.evaluation.baselines.constant import predict_constant
from deepwell.evaluation.baselines.linear import predict_linear
from deepwell.evaluation.means import Floats
from deepwell.evaluation.settings import BaselineName, EvaluationSettings
from deepwell.tasks.base import Task
from deepwell.types import Predictions

Answer = tuple[str, Predictions, str]


def applicable(
    schema: Schema, settings: EvaluationSettings | None = None
) -> tuple[BaselineName, ...]:
    """Return the names of the baselines that will be fitted. Cheap: call it before training.

    Raises:
        ConfigError: A baseline was asked for that does not fit the data.
    """
    chosen = (settings or EvaluationSettings()).baselines
    has_images = any(column.kind == "image" for column in schema.inputs)
    if chosen == "auto":
        return ("constant", "linear") if has_images else ("constant", "linear", "boosting")
    if has_images and "boosting" in chosen:
        raise ConfigError(
            'The baseline "boosting" is for tables, but these data hold pictures: '
            "use evaluation.baselines = constant,linear."
        )
    return chosen


def fit_baselines(
    task: Task,
    schema: Schema,
    train: Table,
    test: Table,
    *,
    settings: EvaluationSettings | None = None,
    seed: int = 0,
    weight: Floats | None = None,
) -> dict[str, Baseline]:
    """Fit the baselines on the network's training rows and let them answer the test rows.

    Args:
        task: The question.
        schema: Roles and kinds of the columns.
        train: The rows on which the network was trained.
        test: The rows on which both are scored.
        settings: Which baselines.
        seed: Same seed, same answers.
        weight: Weight of each training row, shape (rows,), or None.

    Returns:
        Name ("constant", "linear", "boosting") to answers, in this order.

    Raises:
        ConfigError: A baseline was asked for that does not fit the data.
    """

    def constant() -> Answer:
        return predict_constant(task, task.truth(train), len(test), weight)

    def linear() -> Answer:
        return predict_linear(task, schema, train, test, seed=seed, weight=weight)

    def boosting() -> Answer:
        return predict_boosting(task, schema, train, test, seed=seed, weight=weight)

    ways: dict[str, Callable[[], Answer]] = {
        "constant": constant,
        "linear": linear,
        "boosting": boosting,
    }
    chosen = applicable(schema, settings)
    return {name: _timed(way) for name, way in ways.items() if name in chosen}


def _timed(way: Callable[[], Answer]) -> Baseline:
    start = time.perf_counter()
    title, predictions, note = way()
    return Baseline(title, predictions, time.perf_counter() - start, note)
