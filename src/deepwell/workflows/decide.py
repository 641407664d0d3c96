"""Deciding: learn on validation rows how predictions become answers."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.data import Schema, Table, split
from deepwell.errors import ConfigError, SplitError
from deepwell.nn.thinned import dropout_layers
from deepwell.tasks import Task
from deepwell.tasks.decisions import Decision, Draws, Known, fit_decision
from deepwell.workflows.settings import TrainSettings


def hold_apart(
    val: Table, task: Task, schema: Schema, settings: TrainSettings
) -> tuple[Table, Table | None]:
    """Divide the validation rows if a coverage is promised: it needs rows that chose nothing.

    With folds all rows keep it, each by the model that left it out, and none is held apart.

    Rows of one group stay together, and with a time column the later half is held apart, as in the
    division of all rows.

    Returns:
        Rows that choose the epoch, the calibration and the threshold, and rows for the coverage.
    """
    is_promise = settings.decide.promised(task.name) is not None
    if not is_promise or not len(val) or is_by_folds(schema, settings):
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


def is_by_folds(schema: Schema, settings: TrainSettings) -> bool:
    """Say whether the models of a cross-validation keep the promise of the coverage.

    Windows of time do not: only the last model answers, and it has left no row out.

    Raises:
        ConfigError: That is asked for, and there are no folds, or only windows of time.
    """
    asked = settings.decide.conformal
    is_possible = settings.folds.count > 0 and schema.name_of("time") is None
    if asked == "cross" and not is_possible:
        raise ConfigError(
            "decide.conformal = cross needs the models of a cross-validation without a time "
            "column: add --folds 5, or leave it out."
        )
    return is_possible and asked != "split"


def decide(
    predictor: Predictor, val: Table, apart: Table | None, settings: TrainSettings
) -> Decision:
    """Learn the decision of a trained network."""
    draws = draws_of(settings)
    ask_for(predictor, draws)
    return fit_decision(
        predictor.task,
        known(predictor, val),
        settings.decide,
        apart=None if apart is None else known(predictor, apart),
        draws=draws,
        seed=settings.seed,
    )


def draws_of(settings: TrainSettings) -> Draws | None:
    """Return where several answers to each row come from, if they are asked for."""
    asked = settings.decide.uncertainty
    if asked == "mc_dropout":
        return Draws(source="mc_dropout", count=settings.decide.draws, seed=settings.seed)
    if asked == "ensemble" and settings.ensemble > 1:
        return Draws(source="ensemble", count=settings.ensemble)
    return None


def ask_for(predictor: Predictor, draws: Draws | None) -> None:
    """Let a predictor answer by draws from now on, before anything else is decided."""
    if draws is not None:
        task = predictor.task
        size = len(task.labels) or len(task.targets)
        predictor.decision = Decision(task=task.name, size=size, draws=draws)


def check_draws(predictor: Predictor, settings: TrainSettings) -> None:
    """Refuse, before training, draws that the network cannot give.

    Raises:
        ConfigError: MC dropout is asked of a network without dropout.
    """
    if settings.decide.uncertainty == "mc_dropout" and not dropout_layers(predictor.model):
        raise ConfigError(
            f'decide.uncertainty = mc_dropout needs a network with dropout, and "'
            f'{predictor.recipe.name}" has none here: set model.dropout=0.1 where it knows it, '
            "take another --model, or ask for --uncertainty ensemble."
        )


def known(predictor: Predictor, rows: Table) -> Known:
    """Return rows with their truth and what the network says of them before any decision."""
    predictions = predictor.undecided(rows)
    return Known(predictions, predictor.task.truth(rows), row_weight(predictor.schema, rows))


def row_weight(schema: Schema, rows: Table) -> NDArray[np.float64] | None:
    """Return the weight of each row, (rows,), or None for 1 each."""
    name = schema.name_of("weight")
    return None if name is None else rows.series(name).cast(pl.Float64).to_numpy()


def decision_notes(predictor: Predictor) -> tuple[str, ...]:
    """Return what was chosen and why, and what could not be done."""
    return () if predictor.decision is None else predictor.decision.notes
