"""The metrics: what each is called, which way is better, and how it is computed.

Conventions, the same as scikit-learn's where it has the metric:

- Two classes: precision, recall, specificity, F1, ROC AUC and average precision are those of the
  positive class (index 1).
- Several classes and several labels: the plain mean over the classes (macro), one against the
  rest. A class that neither the rows nor the predictions hold is left out; ROC AUC and average
  precision leave out classes that the rows do not hold.
- Several labels: accuracy asks for all labels of a row to be right.
- Several numeric targets: each metric is the plain mean of its values for the single targets;
  `by_target` gives these.
- A precision without any positive prediction is 0. What cannot be measured (the recall of a class
  that no row has, R² of a constant) is None, never NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepwell.catalog import Catalog
from deepwell.errors import ConfigError
from deepwell.evaluation import measures
from deepwell.evaluation.means import Floats
from deepwell.evaluation.scored import Scored, Weighted
from deepwell.tasks.base import TaskName
from deepwell.types import Predictions

NUMBERS: tuple[TaskName, ...] = ("regression",)
LABELS: tuple[TaskName, ...] = ("binary", "multiclass", "multilabel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A number that says how good predictions are.

    Args:
        name: Short name, as in `result.json` and `--success`.
        title: Name for people.
        better: Which way is better.
        unit: "target" = units of the data; "share" = between 0 and 1; "plain" = a pure number.
        tasks: The tasks that have it.
        compute: Weighted rows to one value a set of weights, shape (R,); NaN = undefined.
        needs_probabilities: Whether it needs more than the predicted classes.
        is_ranking: Whether it ranks all rows once for each class, which costs more.
        is_optional: Whether it is only shown where a setting asks for it.
    """

    name: str
    title: str
    better: Literal["higher", "lower"]
    unit: Literal["target", "share", "plain"]
    tasks: tuple[TaskName, ...]
    compute: Callable[[Weighted], Floats]
    needs_probabilities: bool = False
    is_ranking: bool = False
    is_optional: bool = False

    def __call__(
        self,
        task: TaskName,
        truth: NDArray[Any],
        predictions: Predictions,
        weight: Floats | None = None,
    ) -> float | None:
        """Return the value for these rows, or None where it is undefined.

        Args:
            task: Name of the task.
            truth: As `Task.truth` returns it.
            predictions: Same rows.
            weight: Weight of each row, shape (n,), or None for 1 each.

        Example:
            >>> truth, answers = np.array([0, 1, 1]), Predictions(np.array([0, 1, 0]))
            >>> METRICS["recall"]("binary", truth, answers)
            0.5
        """
        return value_of(self, Scored(task, truth, predictions), weight)


METRICS: Catalog[Metric] = Catalog("metric")


def metrics_for(task: TaskName, *, has_probabilities: bool = True) -> list[Metric]:
    """Return the metrics of a task in the order in which they are shown.

    Example:
        >>> [metric.name for metric in metrics_for("regression")]
        ['rmse', 'mae', 'median_error', 'r2']
    """
    return [
        metric
        for _, metric in METRICS.items()
        if task in metric.tasks
        and not metric.is_optional
        and (has_probabilities or not metric.needs_probabilities)
    ]


def value_of(metric: Metric, scored: Scored, weight: Floats | None = None) -> float | None:
    """Return the value of a metric for scored rows, or None where it is undefined."""
    weights = np.ones(len(scored)) if weight is None else np.asarray(weight, dtype=np.float64)
    return or_none(metric.compute(scored.weighted(weights[:, None]))[0])


def values_of(
    metrics: Iterable[Metric], scored: Scored, weight: Floats | None = None
) -> dict[str, float | None]:
    """Return the values of several metrics; what they share is computed once."""
    weights = np.ones(len(scored)) if weight is None else np.asarray(weight, dtype=np.float64)
    weighted = scored.weighted(weights[:, None])
    return {metric.name: or_none(metric.compute(weighted)[0]) for metric in metrics}


def by_target(
    truth: Floats, predictions: Predictions, weight: Floats | None = None
) -> list[dict[str, float | None]]:
    """Return the regression metrics of each target, in the order of the targets.

    Args:
        truth: Shape (n, T).
        predictions: Values of shape (n, T).
        weight: Weight of each row, shape (n,), or None.
    """
    metrics = metrics_for("regression")
    single = [
        Scored("regression", truth[:, [index]], Predictions(predictions.values[:, [index]]))
        for index in range(truth.shape[1])
    ]
    return [values_of(metrics, scored, weight) for scored in single]


def or_none(value: float) -> float | None:
    """Return a plain float, or None for NaN and infinity, which JSON does not have."""
    return float(value) if np.isfinite(value) else None


def metric_for(name: str, task: TaskName) -> Metric:
    """Return a metric by name.

    Raises:
        ConfigError: There is no such metric, or the task does not have it.
    """
    metric = METRICS[name]
    if task not in metric.tasks:
        known = ", ".join(metric.name for metric in metrics_for(task))
        raise ConfigError(f'The metric "{name}" is not one of {task}. Use one of: {known}.')
    return metric


def _register(
    compute: Callable[[Weighted], Floats],
    title: str,
    tasks: tuple[TaskName, ...],
    unit: Literal["target", "share", "plain"] = "share",
    *,
    better: Literal["higher", "lower"] = "higher",
    needs_probabilities: bool = False,
    is_ranking: bool = False,
    is_optional: bool = False,
) -> None:
    metric = Metric(
        name=compute.__name__,
        title=title,
        better=better,
        unit=unit,
        tasks=tasks,
        compute=compute,
        needs_probabilities=needs_probabilities or is_ranking,
        is_ranking=is_ranking,
        is_optional=is_optional,
    )
    METRICS.add(metric.name, metric)


_register(measures.rmse, "RMSE", NUMBERS, "target", better="lower")
_register(measures.mae, "Mean absolute error", NUMBERS, "target", better="lower")
_register(measures.median_error, "Median absolute error", NUMBERS, "target", better="lower")
_register(measures.r2, "R²", NUMBERS, "plain")
_register(measures.cost, "Cost of errors", NUMBERS, "plain", better="lower", is_optional=True)
_register(measures.pinball, "Quantile loss", NUMBERS, "target", better="lower", is_optional=True)
_register(measures.accuracy, "Accuracy", LABELS)
_register(measures.balanced_accuracy, "Balanced accuracy", LABELS)
_register(measures.precision, "Precision", LABELS)
_register(measures.recall, "Recall", LABELS)
_register(measures.specificity, "Specificity", LABELS)
_register(measures.f1, "F1", LABELS)
_register(measures.mcc, "Matthews correlation", LABELS, "plain")
_register(measures.hamming_loss, "Hamming loss", ("multilabel",), better="lower")
_register(measures.log_loss, "Log loss", LABELS, "plain", better="lower", needs_probabilities=True)
_register(measures.brier, "Brier score", LABELS, "plain", better="lower", needs_probabilities=True)
_register(measures.roc_auc, "ROC AUC", LABELS, is_ranking=True)
_register(measures.average_precision, "Average precision", LABELS, is_ranking=True)
