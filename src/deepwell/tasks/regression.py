"""Regression: one or several numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.errors import TaskError
from deepwell.tasks.base import Task, TaskName
from deepwell.tasks.loss_catalog import losses_for
from deepwell.tasks.settings import TaskSettings
from deepwell.types import Loss, Predictions

if TYPE_CHECKING:
    from torch import Tensor

    from deepwell.data.table import Table
    from deepwell.tasks.losses import RowLoss

_LARGEST = 1e37
"""Just below the largest 32-bit float, so that sums and errors can be written as well."""


class Regression(Task):
    """Predict numbers.

    The network learns standardised targets; `decode` returns the units of the data. With the loss
    "poisson" it learns the logarithm of counts over their mean instead.

    Args:
        targets: Names of the target columns.
        mean: Mean of each target over the training rows, after the transform.
        std: Standard deviation of each target over the training rows, after the transform.
        settings: Loss and transform.
        reason: Why this task was chosen.

    Example:
        >>> task = Regression(targets=("price",), mean=[10.0], std=[2.0])
        >>> task.decode(np.array([[0.5]], dtype=np.float32)).values
        array([[11.]])
    """

    name: ClassVar[TaskName] = "regression"
    score_names: tuple[str, ...] = ("mae",)
    primary_metric: ClassVar[str] = "rmse"

    def __init__(
        self,
        *,
        targets: tuple[str, ...],
        mean: list[float] | None = None,
        std: list[float] | None = None,
        settings: TaskSettings | None = None,
        reason: str = "",
    ) -> None:
        super().__init__(targets=targets, reason=reason)
        self.settings = settings or TaskSettings()
        known = losses_for("numbers")
        if self.settings.loss not in ("auto", *known):
            raise TaskError(
                f'The loss "{self.settings.loss}" is for classes, but the target is a number: '
                f"use {', '.join(known[:-1])} or {known[-1]}."
            )
        if self.settings.label_smoothing:
            raise TaskError("label_smoothing is for classes, but the target is a number.")
        self.mean = np.array(mean or [0.0] * len(targets), dtype=np.float64)
        self.std = np.array(std or [1.0] * len(targets), dtype=np.float64)
        self._row_loss: RowLoss | None = None
        self._device_scale: tuple[Tensor, Tensor] | None = None

    @classmethod
    def fit(
        cls, table: Table, targets: tuple[str, ...], settings: TaskSettings, reason: str
    ) -> Self:
        """Learn mean and standard deviation of the targets from the training rows.

        Raises:
            TaskError: Numbers so large or so close together that 32-bit floats cannot tell them,
                or weights of classes.
        """
        if settings.class_weight != "none":
            raise TaskError(
                "class_weight is for classes, but the target is a number: for weights of rows name "
                "a column with --weight."
            )
        task = cls(targets=targets, settings=settings, reason=reason)
        values = task._transform(task.truth(table))
        for name, column in zip(targets, values.T, strict=True):
            _check_size(name, column)
        spread = values.std(axis=0)
        task.mean = values.mean(axis=0)
        if settings.loss == "poisson":  # a rate has a unit, but no zero of its own
            spread, task.mean = task.mean, np.zeros(len(targets))
        task.std = np.where(spread > 0, spread, 1.0)
        return task

    @property
    def head_size(self) -> int:
        """One output a target; two with `gaussian_nll`: means, then logarithms of variances.

        With several quantiles one each: all targets of the first quantile first.
        """
        if self.settings.quantiles is not None:
            return len(self.targets) * len(self.settings.quantiles)
        return len(self.targets) * (2 if self.settings.loss == "gaussian_nll" else 1)

    @property
    def middle(self) -> int:
        """Which of several quantiles is the answer: the one next to 0.5; 0 without several."""
        shares = self.settings.quantiles or (0.5,)
        return min(range(len(shares)), key=lambda place: abs(shares[place] - 0.5))

    @property
    def share(self) -> float:
        """Share of the targets that lie below the answer, with the loss "quantile"."""
        if self.settings.quantiles is not None:
            return self.settings.quantiles[self.middle]
        return 0.5 if self.settings.quantile is None else self.settings.quantile

    @property
    def link(self) -> Literal["none", "exp"]:
        """The exponential for counts, whose logarithm is learned; none otherwise."""
        return "exp" if self.settings.loss == "poisson" else "none"

    def truth(self, table: Table) -> NDArray[np.float64]:
        """Return the targets in the units of the data, shape (rows, targets)."""
        columns = [_numbers(table.series(name)) for name in self.targets]
        return np.stack(columns, axis=1)

    def encode(self, table: Table) -> NDArray[np.float32]:
        """Return standardised targets, shape (rows, targets)."""
        values = self._transform(self.truth(table))
        return ((values - self.mean) / self.std).astype(np.float32)

    def _transform(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        if self.settings.loss == "poisson" and np.any(values < 0):
            raise TaskError(
                "loss = poisson needs counts, which are 0 or more. "
                f"Got: {float(values.min()):g} in {self.targets[0]}."
            )
        if self.settings.target_transform == "none":
            return values
        if np.any(values <= 0):
            raise TaskError(
                "target_transform = log needs targets greater than 0. "
                f"Got: {float(values.min()):g} in {self.targets[0]}."
            )
        return np.log(values)

    def loss(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Loss:
        """Return the chosen loss on standardised targets."""
        if self._row_loss is None:
            from deepwell.tasks.losses import number_loss

            self._row_loss = number_loss(self.settings)
        return weighted(self._row_loss(outputs.float(), targets), weight)

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the mean absolute error of each row in the units of the data."""
        first = self.middle * len(self.targets)
        outputs = outputs[:, first : first + len(self.targets)].float()
        if self.settings.loss == "poisson":
            outputs = outputs.exp()
        predicted, actual = self._to_units(outputs), self._to_units(targets)
        return {"mae": (predicted - actual).abs().mean(dim=1)}

    def _to_units(self, scaled: Tensor) -> Tensor:
        if self._device_scale is None or self._device_scale[0].device != scaled.device:
            # kept on the device: a copy in each step would wait for the host
            self._device_scale = (
                scaled.new_tensor(self.mean.tolist()),
                scaled.new_tensor(self.std.tolist()),
            )
        mean, std = self._device_scale
        values = scaled * std + mean
        return values.exp() if self.settings.target_transform == "log" else values

    def decode(self, outputs: NDArray[np.float32]) -> Predictions:
        """Return numbers in the units of the data, shape (rows, targets).

        Quantiles that cross are put in order, which brings each of them nearer to its share.

        Reference:
            Chernozhukov, Fernández-Val, Galichon: Quantile and Probability Curves Without
            Crossing (2010).
        """
        if self.settings.quantiles is not None:
            return self._quantiles(outputs)
        answers = outputs[:, : len(self.targets)].astype(np.float64)
        if self.settings.loss == "poisson":
            answers = np.exp(answers)
        values = answers * self.std + self.mean
        if self.settings.target_transform == "log":
            return Predictions(np.exp(values))
        if self.settings.loss == "gaussian_nll":
            log_variances = outputs[:, len(self.targets) :].astype(np.float64)
            return Predictions(values, spread=np.exp(0.5 * log_variances) * self.std)
        return Predictions(values)

    def _quantiles(self, outputs: NDArray[np.float32]) -> Predictions:
        shape = len(outputs), self.head_size // len(self.targets), len(self.targets)
        stated = outputs.astype(np.float64).reshape(shape)
        values = np.sort(stated, axis=1) * self.std + self.mean
        if self.settings.target_transform == "log":
            values = np.exp(values)
        return Predictions(values[:, self.middle], quantiles=values.transpose(0, 2, 1))

    def columns(self, predictions: Predictions) -> dict[str, pl.Series]:
        """Return `prediction`, or `prediction_<target>` for several targets.

        Several quantiles follow as `quantile_0.05` and so on, or `quantile_0.05_<target>`.
        """
        columns = {
            name: pl.Series(name, predictions.values[:, index])
            for index, name in enumerate(prediction_names(self.targets))
        }
        if predictions.quantiles is None:
            return columns
        for index, target in enumerate(self.targets):
            for place, share in enumerate(self.settings.quantiles or ()):
                name = f"quantile_{share:g}" + (f"_{target}" if len(self.targets) > 1 else "")
                columns[name] = pl.Series(name, predictions.quantiles[:, index, place])
        return columns

    def to_json(self) -> dict[str, Any]:
        """Return the fitted task as plain JSON."""
        return {
            "name": self.name,
            "targets": list(self.targets),
            "reason": self.reason,
            "settings": self.settings.to_json(),
            "mean": self.mean.tolist(),
            "std": self.std.tolist(),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Regression:
        """Rebuild the task from `to_json`."""
        return cls(
            targets=tuple(state["targets"]),
            mean=state["mean"],
            std=state["std"],
            settings=TaskSettings.model_validate(state["settings"]),
            reason=state["reason"],
        )


def prediction_names(targets: tuple[str, ...]) -> list[str]:
    """Name the output columns: `prediction`, or one name a target when there are several."""
    return ["prediction"] if len(targets) == 1 else [f"prediction_{name}" for name in targets]


def weighted(losses: Tensor, weight: Tensor | None) -> Loss:
    """Sum losses of shape (batch,) with the rows' weights."""
    if weight is None:
        return Loss(losses.sum(), losses.new_full((), len(losses)))
    return Loss((losses * weight).sum(), weight.sum())


def _check_size(name: str, values: NDArray[np.float64]) -> None:
    """Refuse numbers that do not survive as 32-bit floats, in which a network computes."""
    largest = float(np.abs(values).max())
    if largest > _LARGEST or 0 < float(np.ptp(values)) < 1 / _LARGEST:
        raise TaskError(
            f'Target "{name}" holds numbers up to {largest:.3g}, too '
            f"{'large' if largest > _LARGEST else 'small'} to compute with: "
            "write it in another unit."
        )


def _numbers(series: pl.Series) -> NDArray[np.float64]:
    numbers = series.cast(pl.Float64, strict=False)
    is_missing = numbers.is_null() | numbers.is_nan()
    if is_missing.any():
        row = int(is_missing.arg_max() or 0)
        raise TaskError(
            f'Target "{series.name}" must be a number in each row. '
            f"Got: {series[row]!r} in data row {row + 1}."
        )
    return numbers.to_numpy()
