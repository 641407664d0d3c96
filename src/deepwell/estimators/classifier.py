"""The classifier for scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import Tags
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from deepwell.data import Table
from deepwell.data.arrays import value_series
from deepwell.data.schema import KindName
from deepwell.errors import TaskError, listing
from deepwell.estimators.base import DeepEstimator
from deepwell.estimators.inputs import TrainingRows
from deepwell.tasks import Formulation, Multilabel, Task, TaskSettings
from deepwell.tasks.base import TaskName
from deepwell.tasks.classification import class_texts


class DeepClassifier(ClassifierMixin, DeepEstimator):
    """A network that classifies, as an estimator of scikit-learn.

    X is a pandas or Polars frame with columns of any kind, gaps allowed; an array of finite
    numbers; or pictures as bytes, (rows, H, W), (rows, H, W, K) or (rows, K, H, W). y holds one
    label a row, text or numbers, or is an array of zeros and ones, (rows, labels). Nothing is
    written to the disk; `predictor_.save` makes a portable model.

    Args:
        model: Name in the catalog, or a network of your own, which is copied for each fit and
            starts with the weights it has. "auto" chooses one by the data.
        epochs: How often the training rows are seen; None chooses by the data.
        batch_size: Rows in a step; None chooses by the data.
        learning_rate: Size of a step; None chooses by the data.
        validation_fraction: Share of the rows that decides which epoch is the best; 0: none. Where
            that would be fewer than 5 rows, there are none.
        settings: All else, nested as in `TrainSettings`, such as ``{"model": {"dropout": 0.3}}``.
            The other arguments go before it.
        random_state: The same number gives the same network; None draws from NumPy's.
        verbose: Whether to show the progress on stderr.

    Attributes:
        classes_: The labels, sorted; for several labels a row their numbers.
        predictor_: The trained network, which also answers with the labels and probabilities as
            columns beside the data.
        history_: One dictionary an epoch, see `deepwell.engine.FitResult`.
        n_iter_: Epochs done.
        n_features_in_: Columns of X.
        feature_names_in_: Their names, if X was a frame.

    Example:
        >>> import numpy as np
        >>> X = np.random.default_rng(0).normal(size=(60, 2))
        >>> y = np.where(X[:, 0] > 0, "right", "left")
        >>> network = DeepClassifier("linear", epochs=30, learning_rate=0.1, random_state=0)
        >>> network.fit(X, y).predict([[2.0, 0.0], [-2.0, 0.0]]).tolist()
        ['right', 'left']
        >>> bool(network.score(X, y) > 0.9)
        True
    """

    _target_kind: ClassVar[KindName] = "category"

    classes_: NDArray[Any]
    _places: NDArray[np.int64] | None

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train.

        Args:
            X: Rows.
            y: Labels.
            sample_weight: Weight of each row, (rows,); None: 1 each.

        Raises:
            ValueError: X, y or a weight cannot be used, or there is one class only.
            ConfigError: A setting that does not exist or has a wrong value.
            TrainingError: The loss is not a finite number.
            KeyboardInterrupt: Stopped by Ctrl-C; the estimator keeps the best weights.
        """
        rows = self._read(X, y, sample_weight)
        if rows.answers.ndim == 2:
            return self._fit_labels(rows)
        classes, codes = _classes(rows.answers)
        # labels that read the same as text, such as "a" and " a", are told apart by number
        values = value_series("class", classes)
        if class_texts(values).n_unique() < len(classes):
            values = pl.Series("class", np.arange(len(classes)))
        name = "binary" if len(classes) == 2 else "multiclass"
        question = Formulation(name, rows.targets, f"{len(classes)} different values.")
        (target,) = rows.targets
        self._train(rows, {target: values.gather(codes)}, question)
        self.classes_ = classes
        self._places = self.predictor_.task.truth(Table({target: values})).astype(np.int64)
        return self

    def _fit_labels(self, rows: TrainingRows) -> Self:
        """Train on an array of zeros and ones."""
        kind = type_of_target(rows.answers, input_name="y")
        if kind != "multilabel-indicator":
            raise TaskError(
                "y with several columns must hold zeros and ones, a column for each label. "
                f"Got: {kind}. Train a classifier for each column instead."
            )
        values = rows.answers.astype(np.int64)
        columns = {name: pl.Series(values[:, i]) for i, name in enumerate(rows.targets)}
        self._train(rows, columns, _Labels(rows.targets))
        self.classes_ = np.arange(len(rows.targets))
        self._places = None
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the label of each row, (rows,), or zeros and ones, (rows, labels).

        Raises:
            NotFittedError: `fit` was not called (scikit-learn's class).
            ValueError: X has other columns than in `fit`, or values that cannot be used.
        """
        values = self._predictions(X).values
        if self._places is None:
            return values
        return self.classes_[np.argsort(self._places)[values.astype(np.int64)]]

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Return the probability of each class, in the order of `classes_`, (rows, classes).

        Raises:
            NotFittedError: `fit` was not called (scikit-learn's class).
            ValueError: X has other columns than in `fit`, or values that cannot be used.
        """
        probabilities = self._predictions(X).probabilities
        if probabilities is None:  # a task of classes always has them
            raise TypeError("The task gives no probabilities.")
        return probabilities if self._places is None else probabilities[:, self._places]

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


def _classes(labels: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the sorted classes, and the place of each label among them."""
    try:
        check_classification_targets(labels)
        classes, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:  # such things cannot be sorted
        kinds = listing(sorted({type(label).__name__ for label in labels}))
        raise TaskError(f"The labels in y must be of one type. Got: {kinds}.") from error
    if len(classes) < 2:
        raise TaskError(
            f"y has one class only ({classes[0]}): a classifier needs rows of two or more."
        )
    return classes, codes


@dataclass(frozen=True, slots=True)
class _Labels:
    """Several questions of yes or no; a label may be the same in all rows of a fold."""

    targets: Sequence[str]
    name: TaskName = "multilabel"

    def strata(self, table: Table) -> None:
        """Return nothing: rows with several labels are divided at random."""

    def fit(self, train: Table, settings: TaskSettings) -> Task:
        """Return the task; its classes are 0 and 1 whatever the rows hold."""
        return Multilabel(
            targets=tuple(self.targets),
            classes=[(0, 1)] * len(self.targets),
            settings=settings,
            reason=f"{len(self.targets)} columns of zeros and ones.",
        )
