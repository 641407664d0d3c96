"""The threshold that a person sets before training: what counts as success?"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

from deepwell.errors import ConfigError
from deepwell.evaluation.metrics import METRICS, metric_for
from deepwell.tasks.base import TaskName

Operator = Literal["<", "<=", ">", ">="]
OPERATORS: dict[Operator, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
PATTERN = re.compile(r"^\s*(?P<name>\w+)\s*(?P<sign><=|>=|≤|≥|<|>)\s*(?P<number>[^<>=≤≥]+?)\s*$")
NUMBER = re.compile(r"^[+-]?(\d{1,3}([,_ ]\d{3})+|\d+)?(\.\d+)?(e[+-]?\d+)?\s?%?$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Success:
    """A threshold for one metric.

    Args:
        expression: As it was written.
        metric: Name of the metric.
        operator: "<", "<=", ">" or ">=".
        threshold: The number.
    """

    expression: str
    metric: str
    operator: Operator
    threshold: float

    def check(self, value: float | None) -> dict[str, Any]:
        """Return the outcome as it stands in `evaluation.json`.

        The value itself decides, not its interval; a value that is undefined does not meet it.

        Example:
            >>> parse_success("rmse < 25,000", "regression").check(24000.0)["met"]
            True
        """
        is_met = value is not None and OPERATORS[self.operator](value, self.threshold)
        return {
            "expression": self.expression,
            "metric": self.metric,
            "operator": self.operator,
            "threshold": self.threshold,
            "value": value,
            "met": is_met,
        }


def parse_success(text: str, task: TaskName | None = None) -> Success:
    """Read what counts as success. Needs no data: call it before training.

    Args:
        text: Such as "rmse < 25000", "accuracy >= 0.9" or "recall ≥ 90%".
        task: Name of the task, which decides the metrics there are; None while no row is read.

    Raises:
        ConfigError: It cannot be read, the task has no such metric, or it can never be met.

    Example:
        >>> parse_success("accuracy ≥ 90%", "binary").threshold
        0.9
        >>> parse_success("acuracy > 0.9", "binary")
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: Unknown metric "acuracy". Did you mean "accuracy"? Known: \
rmse, mae, median_error, r2, cost, pinball, accuracy, balanced_accuracy, precision, recall, \
specificity, f1, mcc, hamming_loss, log_loss, brier, roc_auc, average_precision.
    """
    match = PATTERN.match(text)
    number = match["number"].replace(" ", "") if match else ""
    if match is None or not NUMBER.match(match["number"]) or not any(c.isdigit() for c in number):
        raise ConfigError(
            f'Success "{text}" cannot be read: write a metric, one of < <= > >=, and a number, '
            'for example "rmse < 25000" or "accuracy >= 0.9".'
        )
    name = match["name"].lower()
    # prices may be set for every task: whether they are, `check_success` says
    metric = METRICS[name] if task is None or name == "cost" else metric_for(name, task)
    threshold = float(number.rstrip("%").replace(",", "").replace("_", ""))
    threshold = threshold / 100 if number.endswith("%") else threshold
    if metric.unit == "share" and not 0 <= threshold <= 1:
        raise ConfigError(
            f'Success "{text}": {metric.name} lies between 0 and 1. '
            f"Write {threshold / 100:g} or {threshold:g}% for {threshold:g} percent."
        )
    sign = {"≤": "<=", "≥": ">="}.get(match["sign"], match["sign"])
    if (metric.better == "higher") != sign.startswith(">"):
        raise ConfigError(
            f'Success "{text}": a {metric.better} {metric.name} is better, so write '
            f"{'>=' if metric.better == 'higher' else '<='} instead of {sign}."
        )
    return Success(text.strip(), metric.name, cast(Operator, sign), threshold)


def check_success(text: str, task: TaskName, *, has_prices: bool) -> None:
    """Raise if what counts as success cannot be told of a task.

    Args:
        text: See `parse_success`.
        task: Name of the task.
        has_prices: Whether the costs of classes are set.

    Raises:
        ConfigError: See `parse_success`; or it is a cost of classes, and no prices are set.

    Example:
        >>> check_success("cost < 0.4", "binary", has_prices=True)
    """
    metric = parse_success(text, task).metric
    if metric == "cost" and task != "regression" and not has_prices:
        raise ConfigError(
            f'Success "{text}" wants to know what an error costs: train with prices, as in --cost '
            '1,5 (a false yes, a missed yes) or --cost "0,1,2;1,0,2;9,9,0".'
        )
