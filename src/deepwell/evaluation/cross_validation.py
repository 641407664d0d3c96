"""Cross-validation: the score of each fold, their spread, and the score of all rows together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.asked import metrics_of, primary_of
from deepwell.evaluation.evaluate import group_codes
from deepwell.evaluation.intervals import Resamples, affordable, around, bootstrap
from deepwell.evaluation.metrics import values_of
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.tasks.base import Task
from deepwell.types import Predictions

Judged = tuple[Table, Predictions]
"""Rows with their targets, and answers of a model that has not learned from them."""


def cross_validated(
    task: Task,
    schema: Schema,
    parts: Sequence[Judged],
    pooled: Judged,
    *,
    settings: EvaluationSettings,
    seed: int,
) -> dict[str, Any]:
    """Score each fold, and all rows together with an interval.

    The spread of the folds is that of one training on as many rows; the interval of all rows is
    for the rows, drawn by groups where there are some. Neither knows that folds share rows to learn
    from, so both are a little too narrow.

    Args:
        task: The question.
        schema: Roles of the columns.
        parts: One a fold.
        pooled: Each row once.
        settings: Metrics, resamples, confidence.
        seed: For the bootstrap.

    Returns:
        Plain JSON: "metrics": name to "title", "folds", "mean", "std", "value", "low" and "high";
        "primary" and the "rows" of each fold.
    """
    rows, predictions = pooled
    scored = Scored(task.name, task.truth(rows), predictions)
    weight = _weight(schema, rows)
    metrics = metrics_of(task, settings, has_probabilities=scored.has_probabilities)
    count = affordable(settings.resamples, scored, metrics)
    groups = group_codes(schema, rows)
    resamples = Resamples(len(rows), count=count, seed=seed, groups=groups)
    draws = bootstrap({"model": scored}, metrics, resamples, weight)["model"]
    values = values_of(metrics, scored, weight)
    of_folds = [
        values_of(metrics, Scored(task.name, task.truth(table), answers), _weight(schema, table))
        for table, answers in parts
    ]
    found: dict[str, Any] = {}
    for metric in metrics:
        each = [values[metric.name] for values in of_folds]
        known = [value for value in each if value is not None]
        interval = around(values[metric.name], draws[metric.name], settings.confidence)
        found[metric.name] = {
            "title": metric.title,
            "folds": each,
            "mean": float(np.mean(known)) if known else None,
            "std": float(np.std(known, ddof=1)) if len(known) > 1 else None,
            **interval.to_json(),
        }
    return {
        "primary": primary_of(task, settings).name,
        "rows": [len(table) for table, _ in parts],
        "pooled_rows": len(rows),
        "metrics": found,
    }


def _weight(schema: Schema, rows: Table) -> NDArray[np.float64] | None:
    name = schema.name_of("weight")
    return None if name is None else rows.series(name).cast(pl.Float64).to_numpy()
