"""Which input columns tell most about the target: only for choosing what to show first."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import KindName, Schema
from deepwell.data.table import Table
from deepwell.evaluation.means import Floats
from deepwell.evaluation.scored import Scored

MOST_QUESTIONS = 20
"""Targets or classes that are looked at."""
TEXT = 0.5
"""Free text is put in the middle: how much it tells cannot be seen by a simple sum."""


def by_relevance(schema: Schema, table: Table, scored: Scored) -> list[str]:
    """Return the columns of a table, those that explain most of the target first.

    For numbers and dates: the squared correlation of ranks. For categories: the share of the
    target's variance between the categories, less what chance alone would give.

    Args:
        schema: Kinds of the columns.
        table: Rows with the columns to put in order.
        scored: The truth of the same rows.
    """
    questions = _questions(scored)
    scores = {
        name: _relevance(schema[name].kind, table.series(name), questions) for name in table.names
    }
    return sorted(table.names, key=lambda name: -scores[name])  # stable: ties keep their order


def _questions(scored: Scored) -> Floats:
    """The truth as columns of numbers, centred, shape (n, questions)."""
    if scored.task == "regression":
        columns = np.argsort(np.argsort(scored.truth, axis=0), axis=0).astype(np.float64)
    else:
        columns = scored.is_yes.astype(np.float64)
    columns = columns[:, :MOST_QUESTIONS]
    return columns - columns.mean(axis=0)


def _relevance(kind: KindName, series: pl.Series, questions: Floats) -> float:
    if kind == "text":
        return TEXT
    total = float((questions**2).sum())
    if total == 0 or series.null_count() == len(series):
        return 0.0
    if kind in ("category", "boolean"):
        codes = series.cast(pl.String).fill_null("").rank("dense").to_numpy().astype(np.int64) - 1
        return _between(codes, questions, total)
    if series.dtype == pl.Boolean:
        series = series.cast(pl.Int8)
    ranks = series.rank("average").to_numpy().astype(np.float64)
    ranks = np.nan_to_num(ranks - np.nanmean(ranks))
    spread = float((ranks**2).sum())
    return float(((ranks @ questions) ** 2).sum() / (spread * total)) if spread else 0.0


def _between(codes: NDArray[np.int64], questions: Floats, total: float) -> float:
    groups = int(codes.max()) + 1
    counts = np.bincount(codes, minlength=groups)
    sums = np.stack(
        [np.bincount(codes, weights=column, minlength=groups) for column in questions.T], axis=1
    )
    share = float((sums**2 / counts[:, None]).sum() / total)
    by_chance = (groups - 1) / max(1, len(codes) - 1)
    return (share - by_chance) / (1 - by_chance) if by_chance < 1 else 0.0
