"""Judging an uncertainty: what it buys on the test rows, beside one network without it."""

from __future__ import annotations

from typing import Any

from deepwell.artifact import Predictor
from deepwell.artifact.drawing import singles
from deepwell.data import Table
from deepwell.evaluation.uncertainty import Trial, judge_uncertainty
from deepwell.types import Predictions
from deepwell.workflows.decide import hold_apart, row_weight
from deepwell.workflows.prepare import Prepared


def judge(prepared: Prepared, predictor: Predictor, own: Predictions) -> dict[str, Any] | None:
    """Return what the uncertainty is worth that was asked for, or None.

    Args:
        prepared: Data, task and settings.
        predictor: With its decision.
        own: What it says of the test rows, before any decision.
    """
    settings, task = prepared.settings, prepared.task
    if settings.decide.uncertainty == "none" or predictor.decision is None:
        return None
    _, apart = hold_apart(prepared.val, task, prepared.schema, settings)
    return judge_uncertainty(
        task,
        predictor.decision,
        _trial(predictor, prepared.test, own),
        None if apart is None else _trial(predictor, apart),
        source=settings.decide.uncertainty,
        coverage=settings.decide.promised(task.name),
        settings=settings.evaluation,
        seed=settings.seed,
    )


def _trial(predictor: Predictor, rows: Table, own: Predictions | None = None) -> Trial:
    return Trial(
        truth=predictor.task.truth(rows),
        singles=singles(predictor, rows),
        own=own,
        weight=row_weight(predictor.schema, rows),
    )
