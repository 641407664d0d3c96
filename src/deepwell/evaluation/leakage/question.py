"""One target as the search for leaks sees it: a vector, a metric, and a scale from 0 to 1."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.table import Table
from deepwell.evaluation.intervals import Interval, Resamples, intervals
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import METRICS, Metric, value_of
from deepwell.evaluation.scored import Scored
from deepwell.tasks.base import Task
from deepwell.types import Predictions

MOST_TARGETS = 5
"""Of more targets or labels, the first ones are looked at."""
RESAMPLES = 200


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One target.

    Args:
        target: Its name.
        truth: Numbers of shape (n,), or class indices.
        labels: Names of the classes; empty for numbers.
    """

    target: str
    truth: NDArray[Any]
    labels: tuple[str, ...] = ()

    @property
    def metric(self) -> Metric:
        """R² for numbers, ROC AUC for two classes, balanced accuracy for several."""
        names = {0: "r2", 2: "roc_auc"}
        return METRICS[names.get(len(self.labels), "balanced_accuracy")]

    @property
    def chance(self) -> float:
        """What an answer without any input scores."""
        classes = len(self.labels)
        return 0.0 if classes == 0 else 1 / classes

    def skill(self, score: float | None) -> float:
        """Bring a score to a scale on which 0 is chance and 1 is perfect."""
        if score is None:
            return 0.0
        return max(0.0, (score - self.chance) / (1 - self.chance))

    def scored(self, answers: Floats, rows: NDArray[Any] | None = None) -> Scored:
        """Pair answers with the truth.

        Args:
            answers: Numbers (m,), or the probability of each class (m, K).
            rows: Which rows they are for; None: all.
        """
        truth = self.truth if rows is None else self.truth[rows]
        if not self.labels:
            return Scored("regression", truth[:, None], Predictions(answers[:, None]))
        if len(self.labels) == 2:
            values = answers.argmax(axis=1)
            return Scored("binary", truth, Predictions(values, answers))
        # balanced accuracy wants the class that is most raised above its share
        shares = np.bincount(self.truth, minlength=len(self.labels)) / len(self.truth)
        values = (answers / np.maximum(shares, 1e-12)).argmax(axis=1)
        return Scored("multiclass", truth, Predictions(values, answers))

    def score(self, answers: Floats, rows: NDArray[Any] | None = None) -> float | None:
        """Return the metric of these answers."""
        return value_of(self.metric, self.scored(answers, rows))

    def interval(self, answers: Floats, seed: int) -> Interval:
        """Return the metric of these answers, one for each row, with its 95 % interval."""
        resamples = Resamples(len(self.truth), count=RESAMPLES, seed=seed)
        found = intervals(self.scored(answers), [self.metric], resamples)
        return found[self.metric.name]


def questions(task: Task, table: Table) -> Iterator[Question]:
    """Yield each target or label of a task by itself; the first five, and none that is constant."""
    truth = task.truth(table)
    if truth.ndim == 1:
        single = [Question(task.targets[0], truth, task.labels)]
    elif task.name == "multilabel":
        single = [
            Question(name, truth[:, index], ("no", "yes"))
            for index, name in enumerate(task.labels[:MOST_TARGETS])
        ]
    else:
        single = [
            Question(name, truth[:, index])
            for index, name in enumerate(task.targets[:MOST_TARGETS])
        ]
    for question in single:
        if len(np.unique(question.truth)) > 1:
            yield question
