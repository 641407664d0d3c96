"""The check-up behind each training: numbers for the diagnosis that need no training."""

from __future__ import annotations

from typing import Any

from deepwell.artifact import Predictor
from deepwell.evaluation.asked import Asked, metric_named
from deepwell.evaluation.diagnosis.measuring import (
    floor_of_repeats,
    score_rows,
    some_rows,
    suspects_among,
)
from deepwell.nn.adapt import num_known
from deepwell.types import Predictions
from deepwell.workflows.prepare import Prepared


def check_up(
    prepared: Prepared, predictor: Predictor, primary: str, test: Predictions
) -> dict[str, Any]:
    """Return scores on training and validation rows, suspicious labels and the noise floor.

    A network that answers from its training rows has no score on these.

    Args:
        prepared: The rows.
        predictor: Trained.
        primary: Name of the metric that decides.
        test: The answers for the test rows.
    """
    task, seed = prepared.task, prepared.settings.seed
    asked = Asked(prepared.settings.evaluation, prepared.settings.decide)
    metric = metric_named(primary, task, asked)
    train, val = some_rows(prepared.train, seed), some_rows(prepared.val, seed)
    answers: dict[str, Predictions] = {}
    if not num_known(predictor.model):  # else each training row would find itself
        answers["train"] = predictor.predict_table(train)
    if len(val):
        answers["val"] = predictor.predict_table(val)
    rows = {"train": train, "val": val}
    measured: dict[str, Any] = {
        "scores": {
            side: score_rows(task, metric, rows[side], found, seed=seed)
            for side, found in answers.items()
        },
        "repeats": floor_of_repeats(task, metric, prepared.schema, prepared.train),
    }
    unseen = {"test": (prepared.test, test)}
    if "val" in answers:
        unseen["val"] = (val, answers["val"])
    labels = suspects_among(task, unseen)
    return measured if labels is None else {**measured, "labels": labels}
