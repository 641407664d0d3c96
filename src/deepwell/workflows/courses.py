"""Courses: which rows each model learns from, and which rows judge it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from deepwell.data import Table
from deepwell.data.folds import FoldSettings, folds, time_folds
from deepwell.errors import SplitError
from deepwell.nn.ensemble import average_members
from deepwell.tasks import Task
from deepwell.workflows.portfolio import num_folds
from deepwell.workflows.prepare import Prepared

Positions = NDArray[np.int64]
Outputs = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Part:
    """One training: positions of the rows to learn from, and of those that judge."""

    train: Positions
    held_out: Positions


@dataclass(frozen=True, slots=True)
class Course:
    """All trainings of a model.

    Args:
        pool: Rows that may be learned from.
        parts: One a training; each row that judges does so in as many of them.
        words: Where models are judged.
        keeps_last: Whether only the last model answers later: in time it knows the most.
    """

    pool: Table
    parts: tuple[Part, ...]
    words: str
    keeps_last: bool = False

    @property
    def positions(self) -> Positions:
        """Rows that judge, ascending, each once."""
        return np.unique(np.concatenate([part.held_out for part in self.parts]))

    @property
    def truth(self) -> Table:
        """Rows that judge, in the order of `pooled`."""
        return self.pool.take(self.positions)

    def first(self, count: int) -> Course:
        """Return the course of the first trainings only."""
        return replace(self, parts=self.parts[:count])

    def pooled(self, outputs: Sequence[Outputs], task: Task) -> Outputs:
        """Return one answer for each row that judges: the mean of its answers.

        Args:
            outputs: Of each training for its rows, (rows, head_size).
            task: Says how answers are averaged.
        """
        order = np.argsort(np.concatenate([part.held_out for part in self.parts]), kind="stable")
        rows = len(self.positions)
        stacked = np.concatenate(outputs)[order].reshape(rows, len(order) // max(rows, 1), -1)
        if stacked.shape[1] == 1:
            return stacked[:, 0]
        return average_members(torch.from_numpy(stacked), task.link).numpy()


def course_of(prepared: Prepared, pool: Table, num_val: int) -> Course:
    """Return what the settings ask for: folds, an ensemble, or what suits the data.

    Args:
        prepared: Data, task and settings.
        pool: Training and validation rows, in this order.
        num_val: How many of them are validation rows.

    Raises:
        SplitError: The folds that are asked for cannot be.
    """
    settings = prepared.settings
    as_given = Part(np.arange(len(pool) - num_val), np.arange(len(pool) - num_val, len(pool)))
    words = f"the {num_val:,} validation rows"
    if settings.ensemble > 1:
        return Course(pool, (as_given,) * settings.ensemble, words)
    if settings.folds.count:
        return asked_folds(prepared, pool, settings.seed)
    count = num_folds(prepared.schema)
    if count == 1:
        return Course(pool, (as_given,), words)
    try:
        return Course(pool, _dealt(prepared, pool, count, settings.seed), f"{count} folds")
    except SplitError:  # too few groups, or most rows are copies
        if num_val:
            return Course(pool, (as_given,), words)
        raise


def asked_folds(prepared: Prepared, pool: Table, seed: int) -> Course:
    """Return the folds of the settings, dealt anew for each repetition.

    Raises:
        SplitError: Fewer rows, groups or rows of a class than folds.
    """
    asked = prepared.settings.folds
    if prepared.schema.name_of("time") is not None:
        return _in_time(prepared, pool, asked)
    _require_classes(prepared, pool, asked.count)
    parts = [
        part
        for number in range(asked.repeats)
        for part in _dealt(prepared, pool, asked.count, seed + 1000 * number)
    ]
    times = f", {asked.repeats} times" if asked.repeats > 1 else ""
    return Course(pool, tuple(parts), f"{asked.count} folds{times}")


def _in_time(prepared: Prepared, pool: Table, asked: FoldSettings) -> Course:
    if asked.repeats > 1:
        raise SplitError(
            "Folds of rows in time cannot be repeated: there is one order. Leave the repetitions "
            "out, as in --folds 5."
        )
    found = time_folds(pool, prepared.schema, count=asked.count, embargo=asked.embargo)
    parts = tuple(Part(train, held_out) for train, held_out in found)
    return Course(pool, parts, f"{asked.count} folds in time", keeps_last=True)


def _dealt(prepared: Prepared, pool: Table, count: int, seed: int) -> tuple[Part, ...]:
    is_classes = prepared.task.name in ("binary", "multiclass")
    found = folds(
        pool,
        prepared.schema,
        prepared.settings.split,
        count=count,
        seed=seed,
        stratify=prepared.task.truth(pool).astype(np.int64) if is_classes else None,
    )
    every = np.arange(len(pool))
    return tuple(Part(np.setdiff1d(every, rows), rows) for rows in found)


def _require_classes(prepared: Prepared, pool: Table, count: int) -> None:
    """Refuse folds of which some would lack a class."""
    task = prepared.task
    if task.name not in ("binary", "multiclass"):
        return
    sizes = np.bincount(task.truth(pool).astype(np.int64), minlength=len(task.labels))
    if sizes.min() < count:
        rare = int(sizes.argmin())
        raise SplitError(
            f'{count} folds need at least {count} rows of each class, and "{task.labels[rare]}" '
            f"has {sizes[rare]} outside the test rows: ask for fewer folds."
        )
