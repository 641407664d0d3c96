"""Numbers for the diagnosis that need the rows and the network, but no training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.row_hashes import hash_rows
from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.diagnosis.labels import Unseen, suspects_json
from deepwell.evaluation.intervals import Resamples, intervals
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.scored import Scored
from deepwell.tasks.base import Task
from deepwell.types import Predictions

MOST_ROWS = 2000
"""Training rows that are answered to be compared with new ones."""
MOST_HASHED = 200_000
FEWEST_REPEATS = 50
"""Rows with repeated inputs below which they say nothing about noise."""


def score_rows(
    task: Task, metric: Metric, rows: Table, predictions: Predictions, *, seed: int = 0
) -> dict[str, float | None] | None:
    """Return one metric with its interval, or None for fewer than five rows.

    Args:
        task: The question.
        metric: What to compute.
        rows: With their targets.
        predictions: For the same rows.
        seed: Of the bootstrap.
    """
    if len(rows) < 5 or _is_broken(predictions):
        return None
    scored = Scored(task.name, task.truth(rows), predictions)
    draws = Resamples(len(rows), count=200, seed=seed)
    return intervals(scored, [metric], draws)[metric.name].to_json()


def _is_broken(predictions: Predictions) -> bool:
    parts = (predictions.values, predictions.probabilities)
    return any(part is not None and not np.isfinite(part).all() for part in parts)


def some_rows(table: Table, seed: int) -> Table:
    """Return the table, or a part of it drawn at random if it is large."""
    if len(table) <= MOST_ROWS:
        return table
    rows = np.random.default_rng(seed).choice(len(table), MOST_ROWS, replace=False)
    return table.take(np.sort(rows))


def suspects_among(
    task: Task, answered: Mapping[str, tuple[Table, Predictions]]
) -> dict[str, Any] | None:
    """Return labels that are probably wrong among rows that a network has not learned from.

    Args:
        task: The question; only classes have suspects.
        answered: Side → rows and what the network says about them.
    """
    if task.name not in ("binary", "multiclass"):
        return None
    parts = [
        unseen_rows(task, side, rows, predictions.probabilities)
        for side, (rows, predictions) in answered.items()
        if len(rows) and predictions.probabilities is not None
    ]
    return suspects_json(join(parts), task.labels) if parts else None


def unseen_rows(
    task: Task, side: str, rows: Table, probabilities: NDArray[np.float64] | None
) -> Unseen:
    """Put labels and probabilities of rows together."""
    given = task.truth(rows).astype(np.int64)
    if probabilities is None:
        raise ValueError("Suspects need probabilities.")
    return Unseen(rows.ids, np.full(len(rows), side), given, probabilities)


def join(parts: list[Unseen]) -> Unseen:
    """Put several sides together."""
    return Unseen(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.sides for part in parts]),
        np.concatenate([part.given for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
    )


def floor_of_repeats(
    task: Task, metric: Metric, schema: Schema, rows: Table
) -> dict[str, Any] | None:
    """Estimate the smallest error that anyone can reach, from rows with equal inputs.

    Where inputs are equal and answers differ, the difference cannot be learned. Regression: the
    root of the pooled variance inside groups of equal inputs. Classes: the chance e to be wrong,
    from the chance 2 e (1 − e) that two rows with equal inputs have different labels.

    Args:
        task: The question.
        metric: The one that decides; RMSE and accuracy have a floor.
        schema: Of the rows.
        rows: Training rows.

    Returns:
        `rows` and `floor` (as an error), None if too few rows are repeated.
    """
    if metric.name not in ("rmse", "accuracy") or len(rows) > MOST_HASHED:
        return None
    if any(column.kind == "image" for column in schema.inputs) or len(task.targets) > 1:
        return None
    truth = np.asarray(task.truth(rows), dtype=np.float64).reshape(len(rows), -1)[:, 0]
    _, codes, sizes = np.unique(hash_rows(rows, schema), return_inverse=True, return_counts=True)
    repeated = int(sizes[sizes > 1].sum())
    if repeated < FEWEST_REPEATS:
        return None
    floor = _noise(truth, codes, sizes) if metric.name == "rmse" else _mistakes(truth, codes, sizes)
    return {"rows": repeated, "floor": floor}


def _noise(truth: NDArray[Any], codes: NDArray[Any], sizes: NDArray[Any]) -> float:
    means = np.bincount(codes, truth) / sizes
    squares = np.bincount(codes, (truth - means[codes]) ** 2)
    many = sizes > 1
    return float(np.sqrt(squares[many].sum() / (sizes[many] - 1).sum()))


def _mistakes(truth: NDArray[Any], codes: NDArray[Any], sizes: NDArray[Any]) -> float:
    pairs = np.unique(np.stack([codes.astype(np.float64), truth]), axis=1, return_counts=True)
    together = np.bincount(pairs[0][0].astype(np.int64), pairs[1] * (pairs[1] - 1.0))
    many = sizes > 1
    chances = 1 - together[many] / (sizes[many] * (sizes[many] - 1.0))
    different = min(float(np.average(chances, weights=sizes[many])), 0.5)
    return float((1 - np.sqrt(1 - 2 * different)) / 2)
