"""What a baseline gives, and the few things that all baselines do with rows and classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.means import Floats
from deepwell.tasks.base import Task, TaskName
from deepwell.types import Predictions


@dataclass(frozen=True, slots=True)
class Baseline:
    """A simple model's answers for the test rows.

    Args:
        title: Name for people.
        predictions: In the form of the network's.
        seconds: Time to fit and to predict.
        note: What was done, and where a limit on time or memory was kept.
    """

    title: str
    predictions: Predictions
    seconds: float
    note: str


def num_classes(task: Task) -> int:
    """Return how many columns the probabilities have: classes, or labels."""
    return len(task.labels)


def answers(task: TaskName, probabilities: Floats) -> Predictions:
    """Turn probabilities, shape (n, K), into answers as a task's `decode` gives them."""
    if task == "multilabel":
        return Predictions((probabilities > 0.5).astype(np.int64), probabilities)
    return Predictions(probabilities.argmax(axis=1), probabilities)


def spread_out(probabilities: Floats, classes: NDArray[Any], width: int) -> Floats:
    """Put the columns of the classes a model has seen at their places among all classes."""
    full = np.zeros((len(probabilities), width))
    full[:, np.asarray(classes, dtype=np.int64)] = probabilities
    return full


def choose_rows(truth: NDArray[Any], limit: int, *, seed: int, task: TaskName) -> NDArray[np.int64]:
    """Return at most about `limit` rows, in order; a few rows of each class are always kept.

    Args:
        truth: As `Task.truth` returns it.
        limit: Rows that can be afforded.
        seed: Same seed, same rows.
        task: Name of the task.

    Example:
        >>> choose_rows(np.zeros(5), 10, seed=0, task="regression").tolist()
        [0, 1, 2, 3, 4]
    """
    if limit >= len(truth):
        return np.arange(len(truth))
    order = np.random.default_rng(seed).permutation(len(truth))
    chosen = order[:limit]
    if task in ("binary", "multiclass"):
        by_class = order[np.argsort(truth[order], kind="stable")]
        starts = np.flatnonzero(np.diff(truth[by_class], prepend=-1))
        first_two = np.concatenate([starts, starts + 1])
        chosen = np.append(chosen, by_class[first_two[first_two < len(order)]])
    return np.unique(chosen)


def rows_note(used: int, total: int) -> str:
    """Say that fewer rows than there are were used, or nothing."""
    return (
        f" Fitted on {used:,} of the {total:,} training rows to save time." if used < total else ""
    )
