"""Drawing: several answers to each row from one stored model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.artifact.running import run_network
from deepwell.data.table import Table
from deepwell.errors import ModelError
from deepwell.tasks.decisions.draws import Draws, summarise
from deepwell.types import Predictions

if TYPE_CHECKING:
    from torch import nn

    from deepwell.artifact.predictor import Predictor

MOST_VALUES = 20_000_000
"""Outputs of all draws that are held at a time."""


def draw(
    predictor: Predictor, table: Table, draws: Draws, *, batch_size: int | None = None
) -> Predictions:
    """Return the mean answers for a table and how far the draws are apart, before any decision.

    Raises:
        ColumnError: Input columns are missing, or a value does not fit.
        ModelError: The network cannot give such draws.
    """
    size = max(1, MOST_VALUES // (draws.count * predictor.task.head_size))
    pieces = [
        summarise(
            predictor.task,
            outputs_of_draws(predictor, table.take(np.arange(start, end)), draws, batch_size),
            draws,
        )
        for start in range(0, max(len(table), 1), size)
        for end in (min(start + size, len(table)),)
    ]
    return pieces[0] if len(pieces) == 1 else joined(pieces)


def outputs_of_draws(
    predictor: Predictor, table: Table, draws: Draws, batch_size: int | None = None
) -> NDArray[np.float32]:
    """Return the raw outputs of each draw, (draws, rows, head_size)."""
    width = predictor.task.head_size
    found = run_network(
        _several(predictor.model, draws),
        predictor.encoders,
        table,
        head_size=draws.count * width,
        device=predictor.device,
        batch_size=batch_size,
    )
    return np.ascontiguousarray(found.reshape(len(table), draws.count, width).swapaxes(0, 1))


def joined(pieces: Sequence[Predictions]) -> Predictions:
    """Put predictions for consecutive rows behind each other."""

    def together(name: str, axis: int = 0) -> NDArray[np.float64] | None:
        parts = [getattr(piece, name) for piece in pieces]
        return None if parts[0] is None else np.concatenate(parts, axis=axis)

    values: Any = np.concatenate([piece.values for piece in pieces])
    return Predictions(
        values,
        together("probabilities"),
        together("spread"),
        together("quantiles"),
        together("disagreement"),
        together("parts", axis=1),
    )


def _several(model: nn.Module, draws: Draws) -> nn.Module:
    """Return a network that gives the outputs of all draws side by side."""
    from deepwell.models.ensembles.blend import Blend, Members
    from deepwell.nn.thinned import Thinned, dropout_layers

    if draws.source == "mc_dropout":
        if not dropout_layers(model):
            raise ModelError("The network has no dropout from which draws could be had.")
        return Thinned(model, count=draws.count, seed=draws.seed)
    if not isinstance(model, Blend) or len(model.members) % draws.count:
        raise ModelError(f"The model does not consist of {draws.count} parts that can be asked.")
    return Members(model, count=draws.count)


def singles(predictor: Predictor, table: Table) -> list[Predictions]:
    """Return what one network alone says of a table, before any decision.

    Of an ensemble it is each of its networks, one after the other; else the network itself, with
    nothing of it left out.

    Raises:
        ColumnError: Input columns are missing, or a value does not fit.
    """
    draws = None if predictor.decision is None else predictor.decision.draws
    if draws is None or draws.source != "ensemble":
        return [predictor.task.decode(predictor.outputs(table))]
    return [predictor.task.decode(one) for one in outputs_of_draws(predictor, table, draws)]
