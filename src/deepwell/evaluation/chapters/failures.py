"""The chapter that tells where the net fails: confused classes, or residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from deepwell.evaluation.figures import histogram, scatter
from deepwell.evaluation.numerals import MISSING, count, number, percent, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter

MOST_CLASSES = 20
"""A confusion matrix with more classes than this is told as its most confused pairs."""


DENSE = 12
"""With more classes than this the cells of the matrix are narrow."""
MOST_TARGETS = 6
"""Figures are drawn for this many targets of a regression; the others are named."""


def failures_chapter(record: Record) -> Chapter | None:
    """Return where the net fails: confusion of classes, or residuals."""
    evaluation = record.evaluation
    if evaluation.get("confusion"):
        title, view = "Right and wrong answers", _confusion(evaluation["confusion"])
    elif evaluation.get("residuals"):
        title, view = "Predicted and actual", _residuals(evaluation["residuals"])
    else:
        return None
    return Chapter("failures", title, view)


def _confusion(confusion: Json) -> dict[str, Any]:
    labels = [str(label) for label in confusion["labels"]]
    matrix = np.asarray(confusion["matrix"], dtype=np.float64).reshape(len(labels), len(labels))
    actual = matrix.sum(axis=1)
    shares = np.divide(
        matrix, actual[:, None], out=np.zeros_like(matrix), where=actual[:, None] > 0
    )
    view: dict[str, Any] = {"kind": "pairs", "pairs": _pairs(labels, matrix, shares)}
    if len(labels) > MOST_CLASSES:
        view["num_classes"] = len(labels)
        view["hardest"] = _hardest(labels, matrix, shares)
        return view
    view["kind"] = "matrix"
    view["look"] = "dense" if len(labels) > DENSE else "few" if len(labels) <= 4 else "normal"
    decimals = 0 if len(labels) > DENSE else 1
    view["pairs"] = view["pairs"][:5] if len(labels) > 2 else []
    view["labels"] = [shortened(label, 18) for label in labels]
    view["rows"] = [
        {
            "label": shortened(label, 28),
            "total": count(actual[index]),
            "cells": [_cell(matrix[index, k], shares[index, k]) for k in range(len(labels))],
            "recall": percent(shares[index, index], decimals) if actual[index] else MISSING,
        }
        for index, label in enumerate(labels)
    ]
    predicted = matrix.sum(axis=0)
    view["precision"] = [
        percent(matrix[index, index] / predicted[index], decimals) if predicted[index] else MISSING
        for index in range(len(labels))
    ]
    return view


def _cell(amount: float, share: float) -> dict[str, Any]:
    """Return a cell; its shade goes by the root of the share, so that rare mistakes are seen."""
    return {
        "count": count(amount),
        "share": _rough(share),
        "shade": round(10 * share**0.5) if amount else 0,
        "is_empty": amount == 0,
        "is_visible": share >= 0.01,
    }


def _rough(share: float) -> str:
    """Write a share without decimals; only nothing is 0 % and only all is 100 %."""
    if 0 < share < 0.01:
        return f"<{percent(0.01, 0)}"
    if 0.99 < share < 1:
        return f">{percent(0.99, 0)}"
    return percent(share, 0)


def _pairs(
    labels: Sequence[str], matrix: NDArray[np.float64], shares: NDArray[np.float64]
) -> list[dict[str, str]]:
    """Return the twelve most frequent mistakes."""
    mistakes = matrix.copy()
    np.fill_diagonal(mistakes, 0)
    order = np.argsort(-mistakes, axis=None, kind="stable")[:12]
    places = [np.unravel_index(place, matrix.shape) for place in order]
    most = max((shares[place] for place in places), default=0.0) or 1.0
    return [
        {
            "actual": shortened(labels[int(i)], 40),
            "predicted": shortened(labels[int(j)], 40),
            "count": count(mistakes[i, j]),
            "share": percent(shares[i, j]),
            "width": f"{100 * shares[i, j] / most:.1f}",
        }
        for i, j in places
        if mistakes[i, j] > 0
    ]


def _hardest(
    labels: Sequence[str], matrix: NDArray[np.float64], shares: NDArray[np.float64]
) -> list[dict[str, str]]:
    """Return the ten classes that are found least often."""
    totals = matrix.sum(axis=1)
    recall = np.where(totals > 0, np.diag(shares), 2.0)
    return [
        {
            "label": shortened(labels[int(i)], 40),
            "total": count(totals[i]),
            "recall": percent(recall[i]),
            "width": f"{100 * recall[i]:.1f}",
        }
        for i in np.argsort(recall, kind="stable")[:10]
        if totals[i] > 0
    ]


def _residuals(residuals: Sequence[Json]) -> dict[str, Any]:
    targets = [_target_figures(one) for one in residuals[:MOST_TARGETS]]
    return {
        "kind": "residuals",
        "targets": targets,
        "left_out": [shortened(one["target"], 60) for one in residuals[MOST_TARGETS:]],
    }


def _target_figures(residual: Json) -> dict[str, Any]:
    actual = np.asarray(residual["actual"], dtype=np.float64)
    predicted = np.asarray(residual["predicted"], dtype=np.float64)
    is_finite = np.isfinite(actual) & np.isfinite(predicted)
    actual, predicted = actual[is_finite], predicted[is_finite]
    name = str(residual["target"])
    if len(actual) == 0:
        return {"name": shortened(name, 60), "figures": [], "words": "No row has a prediction."}
    errors = predicted - actual
    half, most = (float(edge) for edge in np.quantile(np.abs(errors), [0.5, 0.9]))
    too_high = float((errors > 0).mean())
    words = (
        f"Half of the predictions miss by less than {number(half, 3)}, nine of ten by less than "
        f"{number(most, 3)}. {percent(too_high, 0)} are too high, "
        f"{percent(1 - too_high, 0)} too low."
    )
    figures: list[Markup] = [
        scatter(actual, predicted, target=name),
        histogram(errors, target=name),
    ]
    return {"name": shortened(name, 60), "figures": figures, "words": words}
