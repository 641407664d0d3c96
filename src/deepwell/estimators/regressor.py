"""The regressor for scikit-learn."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import Tags

from deepwell.data.schema import KindName
from deepwell.errors import TaskError
from deepwell.estimators.base import DeepEstimator
from deepwell.tasks import Formulation


class DeepRegressor(RegressorMixin, DeepEstimator):
    """A network that predicts numbers, as an estimator of scikit-learn.

    X is a pandas or Polars frame with columns of any kind, gaps allowed; an array of finite
    numbers; or pictures as bytes, (rows, H, W), (rows, H, W, K) or (rows, K, H, W). y holds one
    number a row, or several, (rows, targets). Nothing is written to the disk; `predictor_.save`
    makes a portable model.

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
        predictor_: The trained network, which also answers with columns beside the data.
        history_: One dictionary an epoch, see `deepwell.engine.FitResult`.
        n_iter_: Epochs done.
        n_features_in_: Columns of X.
        feature_names_in_: Their names, if X was a frame.

    Example:
        >>> import polars as pl
        >>> rooms = pl.DataFrame({"rooms": [2, 3, 4, 5] * 10, "town": ["Ulm", "Bonn"] * 20})
        >>> price = 50 * rooms["rooms"] + 30 * (rooms["town"] == "Ulm").cast(int)
        >>> network = DeepRegressor("linear", epochs=200, learning_rate=0.1, random_state=0)
        >>> bool(network.fit(rooms, price).score(rooms, price) > 0.99)
        True
    """

    _target_kind: ClassVar[KindName] = "number"

    _is_single: bool

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train.

        Args:
            X: Rows.
            y: Numbers, (rows,) or (rows, targets).
            sample_weight: Weight of each row, (rows,); None: 1 each.

        Raises:
            ValueError: X, y or a weight cannot be used.
            ConfigError: A setting that does not exist or has a wrong value.
            TrainingError: The loss is not a finite number.
            KeyboardInterrupt: Stopped by Ctrl-C; the estimator keeps the best weights.
        """
        rows = self._read(X, y, sample_weight)
        try:
            values = rows.answers.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise TaskError(
                f"y must hold numbers ({error}). For labels use DeepClassifier."
            ) from error
        self._is_single = values.ndim == 1
        grid = values.reshape(len(values), -1)
        columns = {name: pl.Series(grid[:, i]) for i, name in enumerate(rows.targets)}
        reason = f"{len(columns)} {'column' if len(columns) == 1 else 'columns'} of numbers."
        return self._train(rows, columns, Formulation("regression", rows.targets, reason))

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the predicted numbers, shaped as y was: (rows,) or (rows, targets).

        Raises:
            NotFittedError: `fit` was not called (scikit-learn's class).
            ValueError: X has other columns than in `fit`, or values that cannot be used.
        """
        values = self._predictions(X).values.astype(np.float64)
        return values[:, 0] if self._is_single else values

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
