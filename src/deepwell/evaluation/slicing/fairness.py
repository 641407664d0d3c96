"""How the groups of named columns fare: scores, rates, and gaps to the best-off group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import DataError
from deepwell.evaluation.intervals import Resamples, around
from deepwell.evaluation.means import Floats, divide
from deepwell.evaluation.metrics import Metric, or_none
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.slicing.bins import Binned, bin_column, group_kind
from deepwell.evaluation.slicing.fairness_words import sentences
from deepwell.evaluation.slicing.rates import (
    FEWEST,
    OF_CLASSES,
    OF_NUMBERS,
    Facts,
    Rate,
    of_rows,
    questions,
)
from deepwell.tasks.base import Task
from deepwell.types import Predictions

FEWEST_ROWS = 20
"""A smaller group is named, but nothing is said about it."""
MOST_OUTCOMES = 10
BINS, MOST_GROUPS = 4, 12

Json = dict[str, Any]


def fairness(
    task: Task,
    schema: Schema,
    test: Table,
    scored: Scored,
    *,
    columns: Sequence[str],
    metric: Metric,
    draws: Resamples,
    weight: Floats | None = None,
) -> Json:
    """Compare the groups of some columns: what the network answers, and how right it is.

    Args:
        task: The question.
        schema: Kinds of the columns.
        test: The test rows.
        scored: Their truth and answers.
        columns: By which people (or things) are grouped; numbers are cut into four parts.
        metric: The score of each group.
        draws: The resamples of the rows, or of whole groups of them.
        weight: Weight of each row, or None.

    Returns:
        `metric` and `columns`: for each column `groups` (name, rows, score with interval) and
        `rates`: for each outcome and rate the value of each group, and its difference and ratio to
        the best-off group (`reference`), each with its interval; `sentences` in plain words.

    Reference:
        Hardt, Price and Srebro (2016), Equality of opportunity in supervised learning; Barocas,
        Hardt and Narayanan (2023), Fairness and machine learning.
    """
    found = [
        bin_column(test, name, group_kind(test, schema, name), bins=BINS, most=MOST_GROUPS)
        for name in columns
    ]
    known = {name: one for name, one in zip(columns, found, strict=True) if one is not None}
    counts = [piece if weight is None else piece * weight[:, None] for piece in draws]
    whole = np.ones(len(test)) if weight is None else weight
    return {
        "metric": metric.name,
        "columns": [_column(task, scored, one, metric, counts, whole) for one in known.values()],
        "left_out": [name for name in columns if name not in known],
    }


def _column(
    task: Task,
    scored: Scored,
    column: Binned,
    metric: Metric,
    counts: Sequence[Floats],
    weight: Floats,
) -> Json:
    members = {
        label: np.flatnonzero(column.codes == code) for code, label in enumerate(column.labels)
    }
    members = {label: rows for label, rows in members.items() if len(rows)}
    large = {label: rows for label, rows in members.items() if len(rows) >= FEWEST_ROWS}
    groups = [
        {
            "name": label,
            "rows": len(rows),
            "is_small": label not in large,
            "score": _score(scored, rows, metric, counts, weight) if label in large else None,
        }
        for label, rows in members.items()
    ]
    rates = [
        _rate(rate, outcome, facts, large, counts, weight)
        for outcome, facts in questions(scored, _outcomes(task)).items()
        for rate in (OF_NUMBERS if task.name == "regression" else OF_CLASSES)
    ]
    rates = [rate for rate in rates if rate["values"]]
    return {
        "column": column.name,
        "groups": groups,
        "rates": rates,
        "sentences": sentences(column.name, groups, rates),
    }


def _outcomes(task: Task) -> dict[int, str]:
    if task.name == "binary":
        return {1: task.labels[1]}
    names = task.labels if task.name == "multiclass" else task.targets
    return dict(list(enumerate(names))[:MOST_OUTCOMES])


def _score(
    scored: Scored,
    rows: NDArray[np.int64],
    metric: Metric,
    counts: Sequence[Floats],
    weight: Floats,
) -> Mapping[str, float | None]:
    chances = None if scored.probabilities is None else scored.probabilities[rows]
    part = Scored(scored.task, scored.truth[rows], Predictions(scored.values[rows], chances))
    value = or_none(metric.compute(part.weighted(weight[rows][:, None]))[0])
    draws = np.concatenate([metric.compute(part.weighted(piece[rows])) for piece in counts])
    return around(value, draws).to_json()


def _rate(
    rate: Rate,
    outcome: str,
    facts: Facts,
    members: Mapping[str, NDArray[np.int64]],
    counts: Sequence[Floats],
    weight: Floats,
) -> Json:
    values: dict[str, float] = {}
    draws: dict[str, Floats] = {}
    for label, rows in members.items():
        own = of_rows(facts, rows)
        value, size = rate.compute(own, weight[rows][:, None])
        if size < FEWEST or not np.isfinite(value[0]):
            continue
        values[label] = float(value[0])
        draws[label] = np.concatenate([rate.compute(own, piece[rows])[0] for piece in counts])
    reference = _best_off(rate, values)
    return {
        "name": rate.name,
        "title": rate.title,
        "outcome": outcome,
        "unit": rate.unit,
        "best": rate.best,
        "reference": reference,
        "values": [
            {
                "group": label,
                **around(value, draws[label]).to_json(),
                **_gap(label, str(reference), values, draws, has_ratio=rate.best != "zero"),
            }
            for label, value in values.items()
        ],
    }


def _best_off(rate: Rate, values: Mapping[str, float]) -> str | None:
    if not values:
        return None
    names = list(values)
    if rate.best == "lower":
        return min(names, key=values.__getitem__)
    if rate.best == "zero":
        return min(names, key=lambda name: abs(values[name]))
    return max(names, key=values.__getitem__)


def _gap(
    label: str,
    reference: str,
    values: Mapping[str, float],
    draws: Mapping[str, Floats],
    *,
    has_ratio: bool,
) -> Json:
    """Return difference and ratio to the reference with their intervals; None for itself."""
    if label == reference:
        return {"difference": None, "ratio": None}
    base = values[reference]
    difference = around(values[label] - base, draws[label] - draws[reference])
    ratio = None
    if has_ratio and base > 0:
        ratio = around(values[label] / base, divide(draws[label], draws[reference])).to_json()
    return {"difference": difference.to_json(), "ratio": ratio}


def check_columns(schema: Schema, test: Table, names: Sequence[str]) -> None:
    """Refuse columns that no groups can be made of.

    Raises:
        ColumnError: There is no such column.
        DataError: It is the target, text or pictures, or the test rows do not have it.
    """
    for name in names:
        column = schema[name]
        if column.role == "target":
            raise DataError(f'"{name}" is the target: --fairness wants columns that form groups.')
        kind = group_kind(test, schema, name)
        if kind in ("text", "image"):
            raise DataError(
                f'No groups can be made of "{name}", which holds {kind}: --fairness wants '
                "categories, numbers or dates."
            )
        if name not in test:
            raise DataError(f'The test rows have no column "{name}", which --fairness names.')
