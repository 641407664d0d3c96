"""Truth beside predictions, and the sums over weighted rows from which every metric is made.

A bootstrap resample is nothing but a weight for each row: how often the row was drawn. So each
metric is written once, as a function of row weights, for many sets of weights at a time. The
value itself is the case of one set of weights.

Shapes: n rows, K classes or labels, T targets, R sets of weights.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.means import Floats, divide
from deepwell.evaluation.ranking import Ranking
from deepwell.tasks.base import TaskName
from deepwell.types import Predictions


class Counts(NamedTuple):
    """Weight of the rows of each class, or of the yes of each label; each of shape (K, R).

    Args:
        hits: Predicted so and truly so.
        predicted: Predicted so.
        actual: Truly so.
        total: All rows, shape (R,).
    """

    hits: Floats
    predicted: Floats
    actual: Floats
    total: Floats


class Scored:
    """Truth and predictions for the same rows, and what can be prepared before any weight.

    Args:
        task: Name of the task.
        truth: As `Task.truth` returns it: (n,) class index, (n, K) of 0 and 1, or (n, T) numbers.
        predictions: As `Task.decode` returns them, same rows.
    """

    def __init__(self, task: TaskName, truth: NDArray[Any], predictions: Predictions) -> None:
        self.task: TaskName = task
        self.truth = truth
        self.values: NDArray[Any] = predictions.values
        self.probabilities = predictions.probabilities

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def has_probabilities(self) -> bool:
        """Whether log loss and ranking metrics can be computed."""
        return self.probabilities is not None

    @cached_property
    def is_yes(self) -> NDArray[np.bool_]:
        """Whether the row truly has the class or label, shape (n, K)."""
        if self.task == "multilabel":
            return self.truth == 1
        return self.truth[:, None] == np.arange(self.num_classes)

    @cached_property
    def num_classes(self) -> int:
        """K: classes of the task, or its labels."""
        if self.probabilities is not None:
            return self.probabilities.shape[1]
        if self.task == "multilabel":
            return self.truth.shape[1]
        return max(2, int(self.truth.max(initial=0)) + 1, int(self.values.max(initial=0)) + 1)

    @cached_property
    def absolute_errors(self) -> Floats:
        """|predicted − actual|, shape (n, T)."""
        return np.abs(self.values - self.truth)

    @cached_property
    def error_orders(self) -> NDArray[np.int64]:
        """Rows from the smallest to the largest error of each target, shape (n, T)."""
        return np.argsort(self.absolute_errors, axis=0, kind="stable")

    @cached_property
    def row_losses(self) -> Floats:
        """−log of the probability given to the truth, shape (n,); labels are averaged."""
        probabilities = cast(Floats, self.probabilities)
        smallest = np.finfo(np.float64).eps
        clipped = np.clip(probabilities, smallest, 1 - smallest)
        if self.task == "multilabel":
            of_truth = np.where(self.is_yes, clipped, 1 - clipped)
            return -np.log(of_truth).mean(axis=1)
        return -np.log(clipped[np.arange(len(self)), self.truth])

    @cached_property
    def rankings(self) -> tuple[Ranking, ...]:
        """One ranking of the rows a class; with two classes that of the positive one."""
        probabilities = cast(Floats, self.probabilities)
        first = 1 if self.task == "binary" else 0
        return tuple(
            Ranking(self.is_yes[:, index], probabilities[:, index])
            for index in range(first, self.num_classes)
        )

    @cached_property
    def members(self) -> tuple[Any, Any, Any]:
        """Sparse (K, n) matrices that add up the rows of each class: hits, predicted, actual."""
        from scipy import sparse

        rows = np.arange(len(self))
        shape = (self.num_classes, len(self))
        right = np.flatnonzero(self.values == self.truth)
        ones = np.ones(len(self))
        return (
            sparse.csr_matrix((ones[right], (self.truth[right], right)), shape=shape),
            sparse.csr_matrix((ones, (self.values, rows)), shape=shape),
            sparse.csr_matrix((ones, (self.truth, rows)), shape=shape),
        )

    def weighted(self, weights: Floats) -> Weighted:
        """Pair these rows with R sets of row weights, shape (n, R)."""
        return Weighted(self, weights)


class Weighted:
    """Scored rows under R sets of row weights; sums that several metrics need are kept.

    Args:
        scored: The rows.
        weights: Shape (n, R).
    """

    def __init__(self, scored: Scored, weights: Floats) -> None:
        self.scored = scored
        self.weights = weights

    @cached_property
    def total(self) -> Floats:
        """Sum of the weights, shape (R,)."""
        return self.weights.sum(axis=0)

    def mean(self, values: Floats) -> Floats:
        """Weighted mean of a value a row, shape (n,) to (R,) or (n, T) to (T, R)."""
        return divide(values.T @ self.weights, self.total)

    @cached_property
    def counts(self) -> Counts:
        """Hits, predicted and actual weight of each class or label."""
        if self.scored.task == "multilabel":
            truth = self.scored.is_yes.astype(np.float64).T
            predicted = (self.scored.values == 1).astype(np.float64).T
            sums = [matrix @ self.weights for matrix in (truth * predicted, predicted, truth)]
        else:
            sums = [matrix @ self.weights for matrix in self.scored.members]
        return Counts(sums[0], sums[1], sums[2], self.total)

    @cached_property
    def areas(self) -> tuple[Floats, Floats]:
        """ROC AUC and average precision of each ranking, each of shape (K, R) or (1, R)."""
        pairs = [ranking.areas(self.weights, self.total) for ranking in self.scored.rankings]
        return np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])
