"""Fitting a table: train on rows in memory; nothing is read, written or tested here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from deepwell.data import Schema, Table, conform, split
from deepwell.tasks import Task, TaskSettings
from deepwell.tasks.base import TaskName
from deepwell.tasks.decisions import check_decision, needs_rows
from deepwell.workflows.learn import Learned, assemble, fit_encoders, learn
from deepwell.workflows.plan import resolve
from deepwell.workflows.prepare import readable_by_model
from deepwell.workflows.settings import TrainSettings


class Question(Protocol):
    """What is asked, before its numbers are learned; every `tasks.Formulation` is one."""

    @property
    def name(self) -> TaskName:
        """Which task it is."""
        ...

    def strata(self, table: Table) -> NDArray[np.int64] | None:
        """Return a class code for each row, for a stratified split, or None."""
        ...

    def fit(self, train: Table, settings: TaskSettings) -> Task:
        """Learn classes, means and weights from the training rows only."""
        ...


def fit_table(
    table: Table,
    schema: Schema,
    question: Question,
    *,
    overrides: Mapping[str, Any],
    module: nn.Module | None = None,
    callbacks: Sequence[object] = (),
) -> Learned:
    """Train on a table as `train` does, without a run folder and without test rows.

    Where ``split.val`` of the rows would be fewer than ``split.min_rows``, there is no validation
    part: all rows are trained on.

    Args:
        table: Rows with a value in each target.
        schema: What the columns are.
        question: What is asked about the targets.
        overrides: The user's settings, nested as in `TrainSettings`; ``split.test`` is not used.
        module: The user's own network, trained in place; None takes the catalog's.
        callbacks: Told about steps and epochs.

    Raises:
        DeepwellError: The data or a setting cannot be used.
    """
    asked = TrainSettings.model_validate(overrides)
    if module is None:
        schema = readable_by_model(schema, overrides, len(table))
    table = conform(table, schema)
    train, val = divide(table, schema, question, asked)
    settings = resolve(
        overrides, schema, len(train), question=question.name, is_own=module is not None
    )
    task = question.fit(train, settings.task)
    check_decision(settings.decide, task)
    if not len(val):
        needs_rows(settings.decide)
    encoders = fit_encoders(train, schema, task, settings, module)
    # building draws the first weights from torch's global numbers, which are the caller's
    with torch.random.fork_rng(devices=[]):
        predictor = assemble(encoders, task, schema, settings, module)
    return learn(predictor, train, val, settings=settings, callbacks=callbacks)


def divide(
    table: Table, schema: Schema, question: Question, asked: TrainSettings
) -> tuple[Table, Table]:
    """Return rows to learn from and rows that decide when to stop, which may be none.

    Raises:
        SplitError: A share that makes no sense, or groups or copies that cannot be divided.
    """
    shares = asked.split
    if 0 <= shares.val < 1 and round(shares.val * len(table)) < shares.min_rows:
        shares = shares.model_copy(update={"val": 0.0, "min_rows": 1})
    strata = question.strata(table)
    splits = split(table, schema, shares, seed=asked.seed, stratify=strata, has_test=True)
    return table.take(splits.train), table.take(splits.val)
