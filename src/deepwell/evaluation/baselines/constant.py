"""The constant guess: the same answer for each row, as good as one answer can be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.baselines.baseline import answers, num_classes
from deepwell.evaluation.means import Floats
from deepwell.tasks.base import Task
from deepwell.types import Predictions


def predict_constant(
    task: Task, truth: NDArray[Any], num_rows: int, weight: Floats | None
) -> tuple[str, Predictions, str]:
    """Return title, answers and note of the guess that ignores the inputs.

    Numbers: the mean, which makes the squared error smallest. Classes: the most common one, with
    the frequencies as probabilities. Labels: the same for each label.

    Args:
        task: The question.
        truth: Of the training rows.
        num_rows: Rows to predict.
        weight: Weight of each training row, or None.
    """
    if task.name == "regression":
        mean = np.average(truth, axis=0, weights=weight)
        title = "Mean of the training rows"
        note = "The one number with the smallest squared error."
        return title, Predictions(np.tile(mean, (num_rows, 1))), note
    if task.name == "multilabel":
        shares = np.average(truth, axis=0, weights=weight)
        title = "Most common answer for each label"
    else:
        counts = np.bincount(truth, weights=weight, minlength=num_classes(task))
        shares = counts / counts.sum()
        title = "Most common class"
    note = "Its probabilities are the shares in the training rows."
    return title, answers(task.name, np.tile(shares, (num_rows, 1))), note
