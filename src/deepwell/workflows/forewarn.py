"""Forewarning: what is known before training to come to nothing, said before time is spent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from deepwell.data import Schema, Table
from deepwell.errors import SplitError
from deepwell.evaluation import EvaluationSettings
from deepwell.evaluation.asked import has_costs
from deepwell.tasks import Task
from deepwell.tasks.decisions.conformal import fewest_rows
from deepwell.workflows.decide import hold_apart
from deepwell.workflows.plan import resolve
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.trees import is_grown

TWINS = {
    "learning_rate": "model.learning_rate",
    "epochs": "model.iterations",
    "patience": "model.patience",
    "weight_decay": "model.l2",
}
"""Settings of a network's training → what trees have in their place."""
_OF_ALL = ("device", "devices", "loggers")
"""Settings of the engine that are not about networks alone."""


def forewarn(
    settings: TrainSettings,
    overrides: Mapping[str, Any],
    *,
    task: Task,
    schema: Schema,
    train: Table,
    val: Table,
) -> list[str]:
    """Return what the user should hear before training.

    Args:
        settings: Resolved.
        overrides: What the user chose.
        task: The question.
        schema: Of the data.
        train: Training rows.
        val: Validation rows.

    """
    found = (
        _no_promise(settings, task, schema, val),
        _of_networks_only(settings, overrides, task, schema, len(train)),
        _another_loss(settings, task),
    )
    return [text for text in found if text]


def _no_promise(settings: TrainSettings, task: Task, schema: Schema, val: Table) -> str:
    """Say that too few rows can be held apart for a coverage."""
    coverage = settings.decide.promised(task.name)
    if coverage is None or not len(val):
        return ""
    try:
        _, apart = hold_apart(val, task, schema, settings)
    except SplitError:
        return ""  # it is raised, with its reason, when the rows are needed
    if apart is None:
        return ""
    least, rows, of_class = fewest_rows(coverage), len(apart), ""
    if settings.decide.per_class:
        counts = np.bincount(task.truth(apart), minlength=len(task.labels))
        rows, of_class = int(counts.min()), f' of the class "{task.labels[int(counts.argmin())]}"'
    if rows >= least:
        return ""
    return (
        f"There will be no coverage: {100 * coverage:g} % needs {least:,} validation rows"
        f"{of_class} that are held apart, and there are {rows:,}. A larger split.val or --folds 5 "
        "gives more."
    )


def _of_networks_only(
    settings: TrainSettings,
    overrides: Mapping[str, Any],
    task: Task,
    schema: Schema,
    num_rows: int,
) -> str:
    """Name the settings of a network's training that do nothing where trees are grown."""
    if not is_grown(settings.model.name):
        return ""
    others = {group: values for group, values in overrides.items() if group != "engine"}
    usual = resolve(others, schema, num_rows, question=task.name).engine
    idle = [
        name
        for name in overrides.get("engine", {})
        if name not in _OF_ALL and getattr(settings.engine, name) != getattr(usual, name)
    ]
    if not idle:
        return ""
    named = ", ".join(f"engine.{name}" for name in idle)
    twins = [f"--set {TWINS[name]}" for name in idle if name in TWINS]
    instead = f" Trees have instead: {', '.join(twins)}." if twins else ""
    return f"Of no use to trees, which are not trained by steps: {named}.{instead}"


def _another_loss(settings: TrainSettings, task: Task) -> str:
    """Say that a network whose errors cost differently is trained as if they did not."""
    asked: EvaluationSettings = settings.evaluation
    if task.name != "regression" or not has_costs(asked) or settings.task.loss != "auto":
        return ""
    over, under = (1.0 if cost is None else cost for cost in (asked.cost_over, asked.cost_under))
    if over == under or over + under == 0:
        return ""
    share = under / (over + under)
    how = f"--set task.loss=quantile --set task.quantile={share:.3g}"
    if is_grown(settings.model.name):
        how = f"--model mlp {how}"
    return (
        f"An error above costs {over:g} and one below {under:g} a unit, but the training makes the "
        f"squared error small; for the cost itself: {how}."
    )
