"""Which metrics are shown: those of the task, and those that a setting asks for."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from deepwell.errors import ConfigError
from deepwell.evaluation import measures
from deepwell.evaluation.metrics import METRICS, Metric, metrics_for
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.evaluation.success import parse_success
from deepwell.tasks.base import Task
from deepwell.tasks.regression import Regression


def metrics_of(
    task: Task, settings: EvaluationSettings, *, has_probabilities: bool = True
) -> list[Metric]:
    """Return the metrics of a task, with their settings, in the order in which they are shown.

    Example:
        >>> prices = Regression(targets=("price",))
        >>> asked = EvaluationSettings(cost_under=5, quantile=0.9)
        >>> [metric.name for metric in metrics_of(prices, asked)][-2:]
        ['cost', 'pinball']
    """
    metrics = metrics_for(task.name, has_probabilities=has_probabilities)
    named = settings.success and parse_success(settings.success, task.name).metric
    if not isinstance(task, Regression):
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


def primary_of(task: Task, settings: EvaluationSettings) -> Metric:
    """Return the metric by which the verdict is given: the cost, if somebody said what it is."""
    is_by_cost = task.name == "regression" and has_costs(settings)
    return METRICS["cost" if is_by_cost else task.primary_metric]


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
