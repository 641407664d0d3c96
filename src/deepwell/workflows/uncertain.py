"""Judging an uncertainty: what it buys on the test rows, beside one network without it."""

from __future__ import annotations

from typing import Any

from deepwell.artifact import Predictor
from deepwell.artifact.drawing import singles
from deepwell.data import Table
from deepwell.evaluation import EvaluationSettings
from deepwell.evaluation.uncertainty import Trial, judge_uncertainty
from deepwell.evaluation.uncertainty_words import NAMES
from deepwell.tasks.decisions.settings import DEFAULT_COVERAGE
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


def judge_stored(
    predictor: Predictor, rows: Table, own: Predictions, settings: EvaluationSettings
) -> dict[str, Any] | None:
    """Return what the uncertainty of a stored model is worth on other rows, or None.

    One width for all rows cannot stand beside it: the validation rows from which it is learned
    are not in a model folder.

    Args:
        predictor: As stored.
        rows: With the target.
        own: What it says of them, before any decision.
        settings: Resamples, confidence, bins.
    """
    decision = predictor.decision
    if decision is None or not len(rows):
        return None
    source = "quantiles" if decision.draws is None else decision.draws.source
    if source not in NAMES or (decision.draws is None and own.quantiles is None):
        return None
    promised = None if decision.conformal is None else decision.conformal.coverage
    is_number = predictor.task.name == "regression"
    return judge_uncertainty(
        predictor.task,
        decision,
        _trial(predictor, rows, own),
        None,
        source=source,
        coverage=(promised or DEFAULT_COVERAGE) if is_number else None,
        settings=settings,
    )


def _trial(predictor: Predictor, rows: Table, own: Predictions | None = None) -> Trial:
    return Trial(
        truth=predictor.task.truth(rows),
        singles=singles(predictor, rows),
        own=own,
        weight=row_weight(predictor.schema, rows),
    )
