"""What the two estimators share: the settings, the training and the raw answers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, Self, cast

import numpy as np
import polars as pl
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import nn

from deepwell.artifact import Predictor
from deepwell.artifact.running import default_batch_size
from deepwell.config import merge
from deepwell.data import DataSettings, Schema, infer_schema
from deepwell.data.schema import KindName
from deepwell.engine import FitResult, Progress
from deepwell.errors import ConfigError, SplitError
from deepwell.estimators.inputs import (
    TrainingRows,
    check_rows,
    is_frame,
    read_new_rows,
    read_training_rows,
)
from deepwell.types import Predictions
from deepwell.workflows.fit_table import Question, fit_table
from deepwell.workflows.settings import TrainSettings

ROW_MULTIPLE = 16
"""Rows of tables are computed in multiples of this: so the rounding of an answer does not depend
on how many other rows are asked for."""

ELSEWHERE = {
    "target": "give y to fit",
    "task.kind": "choose DeepClassifier or DeepRegressor",
    "split.val": "use validation_fraction",
    "split.test": "use scikit-learn's train_test_split or cross_validate",
    "data.test": "use scikit-learn's train_test_split or cross_validate",
}
"""Settings that an estimator does not take, and what takes their place."""


class DeepEstimator(BaseEstimator):
    """Base of `DeepClassifier` and `DeepRegressor`, where the arguments are described."""

    _target_kind: ClassVar[KindName]

    n_features_in_: int
    predictor_: Predictor
    history_: list[dict[str, Any]]
    n_iter_: int
    _names: tuple[str, ...]
    _is_named: bool

    def __init__(
        self,
        model: str | nn.Module = "auto",
        *,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float = 0.15,
        settings: Mapping[str, Any] | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: bool = False,
    ) -> None:
        self.model = model
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.settings = settings
        self.random_state = random_state
        self.verbose = verbose

    def _read(self, rows: Any, answers: Any, sample_weight: Any) -> TrainingRows:
        """Check and read what `fit` was given."""
        settings = TrainSettings.model_validate(self._given())
        read = read_training_rows(self, rows, answers, sample_weight, settings.data)
        self._names, self._is_named = read.names, is_frame(rows) or isinstance(rows, pl.LazyFrame)
        return read

    def _train(
        self, rows: TrainingRows, targets: Mapping[str, pl.Series], question: Question
    ) -> Self:
        """Train on the rows with these targets beside them, and keep what comes out."""
        table = rows.table
        for name, column in targets.items():
            table = table.with_column(name, column.alias(name))
        overrides = self._overrides()
        data = self._data_settings(TrainSettings.model_validate(overrides).data, rows)
        schema = infer_schema(table, targets=rows.targets, settings=data)
        module = copy.deepcopy(self.model) if isinstance(self.model, nn.Module) else None
        try:
            learned = fit_table(
                table,
                self._with_some_input(schema),
                question,
                overrides=overrides,
                module=module,
                callbacks=[Progress()] if self.verbose else (),
            )
        except SplitError as error:
            raise SplitError(
                f"{error} To train without validation rows, set validation_fraction=0."
            ) from error
        self.predictor_ = learned.predictor
        self._keep(learned.fit)
        return self

    def _keep(self, result: FitResult) -> None:
        self.history_ = result.history
        self.n_iter_ = len(result.history)
        if result.interrupted:
            # a search over settings must end as well, instead of going on with its next fit
            raise KeyboardInterrupt(f"{result.stopped} The estimator keeps the best weights.")

    def _data_settings(self, settings: DataSettings, rows: TrainingRows) -> DataSettings:
        """Add what y and sample_weight say about the columns."""
        if rows.weight is not None and settings.weight is not None:
            raise ConfigError(
                "Weights are given twice, as sample_weight and as the setting data.weight: leave "
                "one of them out."
            )
        kinds = {**settings.kinds, **dict.fromkeys(rows.targets, self._target_kind)}
        weight = rows.weight or settings.weight
        return settings.model_copy(update={"kinds": kinds, "weight": weight})

    def _with_some_input(self, schema: Schema) -> Schema:
        """Keep the columns of an array if all are constant: the answer is then the same for all."""
        if schema.inputs or self._is_named:
            return schema
        return schema.set_role(self._names, "input", "there is no other column")

    def _given(self) -> dict[str, Any]:
        """Return the nested settings, without those that have another place here."""
        settings = cast("object", {} if self.settings is None else self.settings)
        if not isinstance(settings, Mapping):
            raise ConfigError(
                'settings is a nested mapping such as {"model": {"dropout": 0.3}}. '
                f"Got: {settings!r}."
            )
        given = {str(key): value for key, value in cast("Mapping[Any, Any]", settings).items()}
        for name, instead in ELSEWHERE.items():
            group, _, key = name.rpartition(".")
            place: Any = given.get(group, {}) if group else given
            if isinstance(place, Mapping) and key in place:
                raise ConfigError(f'The setting "{name}" is not for an estimator: {instead}.')
        return given

    def _overrides(self) -> dict[str, Any]:
        """Return all that the user chose, nested as in `TrainSettings`."""
        self._check_arguments()
        given = self._given()
        named: dict[str, Any] = {
            "engine": {
                name: _plain(value)
                for name in ("epochs", "batch_size", "learning_rate")
                if (value := getattr(self, name)) is not None
            },
            "split": {"val": _plain(self.validation_fraction)},
        }
        if isinstance(self.model, str) and self.model != "auto":
            named["model"] = {"name": self.model}
        if self.random_state is not None or "seed" not in given:
            named["seed"] = self._seed()
        return merge(given, named)

    def _check_arguments(self) -> None:
        """Check what no class of settings checks."""
        model = cast("object", self.model)
        if not isinstance(model, str | nn.Module):
            raise ConfigError(f"model is a name of the catalog or a torch module. Got: {model!r}.")
        if not 0 <= self.validation_fraction < 1:
            raise ConfigError(
                "validation_fraction is a share of the rows, from 0 to below 1. "
                f"Got: {self.validation_fraction!r}."
            )
        seed = self.random_state
        if isinstance(seed, int | np.integer) and not 0 <= seed < 2**31:
            raise ConfigError(f"random_state is a number from 0 to 2**31 - 1. Got: {seed}.")

    def _seed(self) -> int:
        """Return the seed itself if one was given, so that it means the same as in `train`."""
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _predictions(self, rows: Any) -> Predictions:
        """Answer for new rows."""
        check_is_fitted(self)
        rows = check_rows(self, rows, is_fit=False)
        predictor = self.predictor_
        table = read_new_rows(predictor, rows, self._names, named=self._is_named)
        spec = predictor.encoders.spec
        is_drawn = predictor.decision is not None and predictor.decision.draws is not None
        if spec.image_shape is not None or is_drawn:
            return predictor.predict_table(table)
        count = len(table)
        padded = table.take(np.arange(-(-count // ROW_MULTIPLE) * ROW_MULTIPLE) % count)
        size = max(default_batch_size(spec) // ROW_MULTIPLE, 1) * ROW_MULTIPLE
        return predictor.decode(predictor.outputs(padded, batch_size=size)[:count])


def _plain(value: Any) -> Any:
    """Return a number of NumPy, as searches draw them, as one of Python."""
    return value.item() if isinstance(value, np.generic) else value
