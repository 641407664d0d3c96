"""Tasks: which problem is this, what is its loss, how are outputs decoded."""

from collections.abc import Mapping
from typing import Any

from deepwell.tasks.base import Task
from deepwell.tasks.classification import Binary, Multiclass
from deepwell.tasks.formulate import TASKS, Formulation, formulate
from deepwell.tasks.multilabel import Multilabel
from deepwell.tasks.regression import Regression
from deepwell.tasks.settings import TaskSettings

__all__ = [
    "TASKS",
    "Binary",
    "Formulation",
    "Multiclass",
    "Multilabel",
    "Regression",
    "Task",
    "TaskSettings",
    "formulate",
    "from_json",
]


def from_json(state: Mapping[str, Any]) -> Task:
    """Rebuild a task from `Task.to_json`."""
    return TASKS[state["name"]].from_json(state)
