"""The baseline of gradient-boosted trees, the strongest simple model for tables."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.baselines.baseline import (
    answers,
    choose_rows,
    num_classes,
    rows_note,
    spread_out,
)
from deepwell.evaluation.baselines.features import Matrix, TreeFeatures
from deepwell.evaluation.means import Floats
from deepwell.tasks.base import Task
from deepwell.types import Predictions

ROUNDS = 100
"""Scikit-learn's default number of boosting rounds."""
WORK = 2.5e10
"""Rows × columns × trees that may be spent: about a minute on two cores."""
FEWEST_ROWS = 2000


def predict_boosting(
    task: Task, schema: Schema, train: Table, test: Table, *, seed: int, weight: Floats | None
) -> tuple[str, Predictions, str]:
    """Return title, answers and note of histogram gradient boosting with its default settings.

    Gaps and categories are handled by the trees themselves. Several targets or labels get one
    model each.

    Args:
        task: The question.
        schema: Roles and kinds.
        train: The network's training rows.
        test: Rows to predict.
        seed: For the rows that the early stopping of large fits sets aside.
        weight: Weight of each training row, or None.
    """
    features = TreeFeatures(train, schema)
    inputs, test_inputs = features.matrix(train), features.matrix(test)
    known = ~np.isnan(inputs).all(axis=0)  # a column without any value cannot be binned
    truth = task.truth(train)
    models = truth.shape[1] if truth.ndim == 2 else 1
    trees = ROUNDS * models * (num_classes(task) if task.name == "multiclass" else 1)
    limit = max(FEWEST_ROWS, int(WORK / (trees * max(1, int(known.sum())))))
    rows = choose_rows(truth, limit, seed=seed, task=task.name)
    trees_of = _Trees(
        inputs[rows][:, known],
        test_inputs[:, known],
        is_category=features.is_category[known],
        weight=None if weight is None else weight[rows],
        seed=seed,
    )
    predictions = _predict(task, trees_of, truth[rows])
    note = "Scikit-learn's histogram gradient boosting with its default settings."
    return "Gradient-boosted trees", predictions, note + rows_note(len(rows), len(train))


def _predict(task: Task, trees: _Trees, truth: NDArray[Any]) -> Predictions:
    if task.name == "regression":
        columns = [trees.numbers(truth[:, index]) for index in range(truth.shape[1])]
        return Predictions(np.stack(columns, axis=1))
    if task.name == "multilabel":
        columns = [trees.classes(truth[:, index], 2)[:, 1] for index in range(truth.shape[1])]
        return answers(task.name, np.stack(columns, axis=1))
    return answers(task.name, trees.classes(truth, num_classes(task)))


class _Trees:
    """The same inputs for one or several targets."""

    def __init__(
        self,
        inputs: Matrix,
        test_inputs: Matrix,
        *,
        is_category: NDArray[np.bool_],
        weight: Floats | None,
        seed: int,
    ) -> None:
        self._inputs = inputs
        self._test_inputs = test_inputs
        self._weight = weight
        self._options: dict[str, Any] = {
            "categorical_features": is_category,
            "random_state": seed,
        }

    def numbers(self, truth: Floats) -> Floats:
        """Return predicted numbers, shape (test rows,)."""
        from sklearn.ensemble import HistGradientBoostingRegressor

        model = HistGradientBoostingRegressor(**self._options)
        model.fit(self._inputs, truth, self._weight)
        return np.asarray(model.predict(self._test_inputs), dtype=np.float64)

    def classes(self, truth: NDArray[np.int64], width: int) -> Floats:
        """Return probabilities, shape (test rows, width)."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        seen, counts = np.unique(truth, return_counts=True)
        if len(seen) == 1:
            return spread_out(np.ones((len(self._test_inputs), 1)), seen, width)
        # early stopping sets rows of each class aside: with one row that cannot be done
        stopping: Any = "auto" if counts.min() > 1 else False
        model: Any = HistGradientBoostingClassifier(early_stopping=stopping, **self._options)
        model.fit(self._inputs, truth, self._weight)
        return spread_out(model.predict_proba(self._test_inputs), model.classes_, width)
