"""Deciding: learn on validation rows how predictions become answers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.data import Schema, Table, split
from deepwell.errors import SplitError
from deepwell.tasks import Task
from deepwell.tasks.decisions import Decision, Known, fit_decision
from deepwell.workflows.settings import TrainSettings


def hold_apart(
    val: Table, task: Task, schema: Schema, settings: TrainSettings
) -> tuple[Table, Table | None]:
    """Divide the validation rows if a coverage is promised: it needs rows that chose nothing.

    Rows of one group stay together, and with a time column the later half is held apart, as in the
    division of all rows.

    Returns:
        Rows that choose the epoch, the calibration and the threshold, and rows for the coverage.
    """
    if settings.decide.coverage is None or not len(val):
        return val, None
    is_classes = task.name in ("binary", "multiclass")
    shares = settings.split.model_copy(update={"val": 0.5, "min_rows": 1})
    try:
        halves = split(
            val,
            schema,
            shares,
            seed=settings.seed,
            stratify=task.truth(val).astype(np.int64) if is_classes else None,
            has_test=True,
        )
    except SplitError as error:
        raise SplitError(
            f"For the coverage half of the {len(val):,} validation rows is held apart, which does "
            f"not work: {error} Choose a larger split.val, or leave the coverage out."
        ) from error
    return val.take(halves.train), val.take(halves.val)


def decide(
    predictor: Predictor, val: Table, apart: Table | None, settings: TrainSettings
) -> Decision:
    """Learn the decision of a trained network."""
    return fit_decision(
        predictor.task,
        known(predictor, val),
        settings.decide,
        apart=None if apart is None else known(predictor, apart),
        seed=settings.seed,
    )


def known(predictor: Predictor, rows: Table) -> Known:
    """Return rows with their truth and what the network says of them before any decision."""
    predictions = predictor.task.decode(predictor.outputs(rows))
    return Known(predictions, predictor.task.truth(rows), row_weight(predictor.schema, rows))


def row_weight(schema: Schema, rows: Table) -> NDArray[np.float64] | None:
    """Return the weight of each row, (rows,), or None for 1 each."""
    name = schema.name_of("weight")
    return None if name is None else rows.series(name).cast(pl.Float64).to_numpy()


def decision_notes(predictor: Predictor) -> tuple[str, ...]:
    """Return what was chosen and why, and what could not be done."""
    return () if predictor.decision is None else predictor.decision.notes
