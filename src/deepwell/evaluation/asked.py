"""Which metrics are shown, and which one decides: that of the task, or what a setting asks for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from deepwell.errors import ConfigError
from deepwell.evaluation import measures
from deepwell.evaluation.metrics import METRICS, Metric, metrics_for
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.evaluation.success import parse_success
from deepwell.tasks.base import Task
from deepwell.tasks.decisions.settings import DecisionSettings
from deepwell.tasks.decisions.thresholds import cost_threshold, least_cost
from deepwell.tasks.regression import Regression
from deepwell.types import Predictions

UNMOVED = "average_precision"
"""Judges where a threshold was chosen for another end: no threshold moves it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked of scores and answers.

    Args:
        evaluation: How rows are scored.
        decide: How probabilities become answers.
    """

    evaluation: EvaluationSettings
    decide: DecisionSettings | None = None


def metrics_of(
    task: Task,
    settings: EvaluationSettings,
    *,
    has_probabilities: bool = True,
    decide: DecisionSettings | None = None,
) -> list[Metric]:
    """Return the metrics of a task, with their settings, in the order in which they are shown.

    Args:
        task: The question.
        settings: Costs and quantile of numbers, the threshold of success.
        has_probabilities: Whether there are more than answers.
        decide: Costs of classes.

    Example:
        >>> prices = Regression(targets=("price",))
        >>> asked = EvaluationSettings(cost_under=5, quantile=0.9)
        >>> [metric.name for metric in metrics_of(prices, asked)][-2:]
        ['cost', 'pinball']
    """
    metrics = metrics_for(task.name, has_probabilities=has_probabilities)
    named = settings.success and parse_success(settings.success, task.name).metric
    if not isinstance(task, Regression):
        if decide is not None and decide.cost is not None:
            compute = partial(measures.cost_of_answers, costs=np.array(decide.cost))
            metrics.append(replace(METRICS["cost"], tasks=(task.name,), compute=compute))
        return metrics
    if has_costs(settings) or named == "cost":
        over, under = (1.0 if c is None else c for c in (settings.cost_over, settings.cost_under))
        compute = partial(measures.cost, over=over, under=under)
        metrics.append(replace(METRICS["cost"], compute=compute))
    quantile = settings.quantile
    if quantile is None and task.settings.loss == "quantile":
        quantile = task.share
    if quantile is not None or named == "pinball":
        compute = partial(measures.pinball, quantile=0.5 if quantile is None else quantile)
        metrics.append(replace(METRICS["pinball"], compute=compute))
    return metrics


def primary_of(
    task: Task, settings: EvaluationSettings, decide: DecisionSettings | None = None
) -> Metric:
    """Return the metric by which the verdict is given: the cost, if somebody said what it is.

    A threshold that was chosen, or learned for an F1, a precision or a recall, makes another
    answer than the likelier one, so that accuracy says little: average precision decides then.
    """
    if task.name == "regression":
        return METRICS["cost" if has_costs(settings) else task.primary_metric]
    rule = "auto" if decide is None else decide.rule.name
    named = {"auto": task.primary_metric, "cost": "cost"}.get(rule, UNMOVED)
    return METRICS[named]


def metric_named(name: str, task: Task, asked: Asked) -> Metric:
    """Return a metric with the costs or the quantile that were asked for."""
    found = metrics_of(task, asked.evaluation, decide=asked.decide)
    return next((metric for metric in found if metric.name == name), METRICS[name])


def by_costs(task: Task, predictions: Predictions, decide: DecisionSettings | None) -> Predictions:
    """Answer with the least expected cost, where costs of classes were given.

    Example:
        >>> from deepwell.tasks.classification import Binary
        >>> task = Binary(targets=("sold",), classes=["no", "yes"])
        >>> stated = Predictions(np.array([0]), np.array([[0.7, 0.3]]))
        >>> by_costs(task, stated, DecisionSettings(cost="1,9")).values.tolist()
        [1]
    """
    stated = predictions.probabilities
    if task.name == "regression" or decide is None or decide.cost is None or stated is None:
        return predictions
    cost = np.array(decide.cost)
    if task.name == "multilabel":
        return replace(predictions, values=(stated >= cost_threshold(cost)).astype(np.int64))
    return replace(predictions, values=least_cost(np.asarray(stated, np.float64), cost))


def has_costs(settings: EvaluationSettings) -> bool:
    """Say whether somebody said what errors cost."""
    return settings.cost_over is not None or settings.cost_under is not None


def check_asked(task: Task, settings: EvaluationSettings) -> None:
    """Refuse costs and quantiles of classes.

    Raises:
        ConfigError: The target is no number.
    """
    if task.name == "regression":
        return
    if has_costs(settings):
        raise ConfigError(
            "evaluation.cost_over and cost_under are for numbers, but the target is a class: say "
            "with --cost what its mistakes cost."
        )
    if settings.quantile is not None:
        raise ConfigError("evaluation.quantile is for numbers, but the target is a class.")
