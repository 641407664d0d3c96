"""Formulating: which question is this?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import ColumnSpec, Schema
from deepwell.data.table import Table
from deepwell.errors import TaskError, listing
from deepwell.tasks.base import Task, TaskName
from deepwell.tasks.classification import Binary, Multiclass, class_texts
from deepwell.tasks.multilabel import Multilabel
from deepwell.tasks.regression import Regression
from deepwell.tasks.settings import TaskSettings

MAX_CLASSES_OF_NUMBERS = 20
"""A target of whole numbers with at most this many values is taken for classes."""
MAX_CLASSES = 1000


@dataclass(frozen=True, slots=True)
class Formulation:
    """A question, before its numbers are learned from the training rows.

    Args:
        name: The task.
        targets: Names of the target columns.
        reason: Why, in words.
    """

    name: TaskName
    targets: tuple[str, ...]
    reason: str

    def strata(self, table: Table) -> NDArray[np.int64] | None:
        """Return a class code for each row, for a stratified split, or None."""
        if self.name not in ("binary", "multiclass"):
            return None
        texts = class_texts(table.series(self.targets[0]))
        return texts.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()

    def fit(self, train: Table, settings: TaskSettings) -> Task:
        """Learn classes, means and weights from the training rows only."""
        return TASKS[self.name].fit(train, self.targets, settings, self.reason)


TASKS: dict[str, type[Regression | Binary | Multiclass | Multilabel]] = {
    task.name: task for task in (Regression, Binary, Multiclass, Multilabel)
}


def formulate(schema: Schema, table: Table, settings: TaskSettings) -> Formulation:
    """Decide which question is asked, by the kinds of the target columns.

    Args:
        schema: With at least one target.
        table: The rows.
        settings: `kind` overrides the decision.

    Raises:
        TaskError: There is no target, or it does not fit the task that was asked for.
    """
    targets = schema.targets
    names = [column.name for column in targets]
    if not names:
        inputs = listing(column.name for column in schema.inputs)
        raise TaskError(f"Name the column to predict with --target. Columns: {inputs}.")
    for column in targets:
        if column.kind in ("date", "image"):
            raise TaskError(
                f'Target "{column.name}" is of kind {column.kind}: choose a number or a category.'
            )
    if len(names) > 1:
        return _several(targets, tuple(names), settings)
    return _single(schema[names[0]], table, settings)


def _single(column: ColumnSpec, table: Table, settings: TaskSettings) -> Formulation:
    series = table.series(column.name)
    distinct = series.drop_nulls().n_unique()
    asked = settings.kind
    if asked == "multilabel":
        raise TaskError("Several labels need several targets: --target a,b,c.")
    if column.kind == "number":
        few = _is_whole(series) and distinct <= min(MAX_CLASSES_OF_NUMBERS, len(series) // 5)
        if asked == "regression" or (asked == "auto" and not few):
            why = "as asked" if asked != "auto" else f"{distinct:,} different numbers"
            return Formulation("regression", (column.name,), f"Regression: {why}.")
    elif asked == "regression":
        raise TaskError(
            f'--task regression needs a number, but "{column.name}" is of kind {column.kind}. '
            f"If its values are numbers, say --kind {column.name}=number."
        )
    if distinct > MAX_CLASSES:
        raise TaskError(
            f'Target "{column.name}" has {distinct:,} classes; at most {MAX_CLASSES:,} can be '
            "learned. If its values are numbers, use --task regression."
        )
    rows = len(series.drop_nulls())
    if asked == "classification" and 2 * distinct > rows:
        raise TaskError(
            f'Target "{column.name}" has {distinct:,} classes in {rows:,} rows: '
            "each class needs several rows, to learn from and to be tested on. If its values are "
            "numbers, use --task regression."
        )
    name: TaskName = "binary" if distinct == 2 else "multiclass"
    why = f"{distinct} different values"
    if column.kind == "number" and asked == "auto":
        why += " that are whole numbers; say --task regression if they measure something"
    return Formulation(name, (column.name,), f"{TITLES[name]}: {why}.")


def _several(
    targets: tuple[ColumnSpec, ...], names: tuple[str, ...], settings: TaskSettings
) -> Formulation:
    kinds = {column.kind for column in targets}
    two_valued = all(column.distinct == 2 for column in targets)
    if settings.kind in ("auto", "regression") and kinds == {"number"}:
        return Formulation("regression", names, f"Regression: {len(names)} targets, all numbers.")
    if settings.kind != "regression" and two_valued:
        reason = f"Several labels: {len(names)} targets with two values each."
        return Formulation("multilabel", names, reason)
    described = listing(f"{c.name} ({c.kind}, {c.distinct} values)" for c in targets)
    raise TaskError(
        "Several targets must be all numbers, or all columns of two values. "
        f"Got: {described}. Train one model for each instead."
    )


def _is_whole(series: pl.Series) -> bool:
    if series.dtype.is_integer():
        return True
    values = series.drop_nulls()
    return values.dtype.is_float() and bool((values == values.round()).all())


TITLES: dict[TaskName, str] = {
    "regression": "Regression",
    "binary": "Classification into two classes",
    "multiclass": "Classification into several classes",
    "multilabel": "Several labels",
}
