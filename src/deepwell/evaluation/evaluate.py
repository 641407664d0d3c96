"""Scoring the test rows, once: metrics with intervals, baselines, verdict, mistakes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import DataError, TrainingError
from deepwell.evaluation.asked import Asked, by_costs, metrics_of, primary_of
from deepwell.evaluation.baselines import Baseline
from deepwell.evaluation.calibration import Calibration, calibrate
from deepwell.evaluation.intervals import (
    FEWEST_GROUPS,
    Difference,
    Interval,
    Resamples,
    affordable,
    around,
    bootstrap,
    difference,
)
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import METRICS, by_target, values_of
from deepwell.evaluation.mistakes import Mistake, worst_mistakes
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.evaluation.success import parse_success
from deepwell.evaluation.verdict import Comparison, compare, verdict, what_is
from deepwell.tasks.base import Task
from deepwell.types import Predictions

NETWORK = "network"
MOST_POINTS = 2000
"""Points of the residual figure."""
MOST_CLASSES = 200
"""A confusion matrix of more classes cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the test rows say about a network. `to_json` is the file `evaluation.json`.

    Args:
        task: Name of the task.
        targets: Names of the targets.
        labels: Names of classes or labels.
        primary: The metric that decides.
        rows: Rows of train, val and test.
        metrics: Metric to value and interval, of the network.
        by_target: Several numeric targets: target to metric to value.
        baselines: Baseline to metric to value and interval.
        baseline_titles: Baseline to its name for people.
        baseline_seconds: Baseline to the time it took.
        baseline_notes: Baseline to what was done.
        comparisons: The network against each baseline.
        verdict: In plain words.
        success: Outcome of the threshold that was set, or None.
        confusion: Counts of true class (row) and predicted class (column), or None.
        calibration: Predicted probabilities against reality, or None.
        residuals: Actual and predicted numbers of at most 2,000 rows, or None.
        mistakes: The worst rows.
    """

    task: str
    targets: tuple[str, ...]
    labels: tuple[str, ...]
    primary: str
    rows: Mapping[str, int]
    metrics: Mapping[str, Interval]
    by_target: Mapping[str, Mapping[str, float | None]] | None
    baselines: Mapping[str, Mapping[str, Interval]]
    baseline_titles: Mapping[str, str]
    baseline_seconds: Mapping[str, float]
    baseline_notes: Mapping[str, str]
    comparisons: tuple[Comparison, ...]
    verdict: str
    success: Mapping[str, Any] | None
    confusion: Mapping[str, Any] | None
    calibration: Calibration | None
    residuals: list[dict[str, Any]] | None
    mistakes: tuple[Mistake, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON without NaN: what is undefined is None."""
        return {
            "task": self.task,
            "targets": list(self.targets),
            "labels": list(self.labels),
            "primary": self.primary,
            "rows": dict(self.rows),
            "metrics": _scores_json(self.metrics),
            "titles": {name: METRICS[name].title for name in self.metrics},
            "by_target": self.by_target,
            "baselines": {name: _scores_json(scores) for name, scores in self.baselines.items()},
            "baseline_titles": dict(self.baseline_titles),
            "baseline_seconds": dict(self.baseline_seconds),
            "baseline_notes": dict(self.baseline_notes),
            "comparisons": [comparison.to_json() for comparison in self.comparisons],
            "verdict": self.verdict,
            "success": self.success,
            "confusion": self.confusion,
            "calibration": None if self.calibration is None else self.calibration.to_json(),
            "residuals": self.residuals,
            "mistakes": [mistake.to_json() for mistake in self.mistakes],
        }


def _scores_json(scores: Mapping[str, Interval]) -> dict[str, Any]:
    return {name: interval.to_json() for name, interval in scores.items()}


def evaluate(
    task: Task,
    schema: Schema,
    *,
    test: Table,
    predictions: Predictions,
    baselines: Mapping[str, Baseline],
    settings: EvaluationSettings | Asked | None = None,
    seed: int = 0,
    model: str = "",
) -> Evaluation:
    """Score a network and its baselines on the test rows.

    Rows are weighted by the column with the role "weight", if there is one; rows of one group
    (role "group") are drawn together by the bootstrap.

    Args:
        task: The question.
        schema: Roles and kinds of the columns.
        test: The test rows, targets included.
        predictions: The network's answers for them.
        baselines: From `fit_baselines`, may be empty.
        settings: Resamples, threshold and so on; `Asked` with what decides the answers. Where that
            is a cost, the simple models answer by it as well.
        seed: For the bootstrap and the choice of shown points.
        model: Name of the model, to be told from a network where it is none.

    Raises:
        ConfigError: The threshold of success cannot be read.
        DataError: There is no test row, or none has a weight.
        TaskError: A target that is missing, or a class that training never saw.
        TrainingError: The network answers with NaN or infinity.
    """
    asked = settings if isinstance(settings, Asked) else Asked(settings or EvaluationSettings())
    settings, decide = asked.evaluation, asked.decide
    success = None if settings.success is None else parse_success(settings.success, task.name)
    weight = _weight(schema, test)
    _check(test, predictions, weight)
    truth = task.truth(test)
    models = {NETWORK: Scored(task.name, truth, predictions)}
    for name, baseline in baselines.items():
        models[name] = Scored(task.name, truth, by_costs(task, baseline.predictions, decide))
    groups = group_codes(schema, test)
    scores, differences = _score(task, models, weight, asked, seed=seed, groups=groups)
    primary = primary_of(task, settings, decide)
    comparisons = tuple(compare(name, primary, paired) for name, paired in differences.items())
    network = models[NETWORK]
    own = scores[NETWORK]
    return Evaluation(
        task=task.name,
        targets=task.targets,
        labels=task.labels,
        primary=primary.name,
        rows={"test": len(test)},
        metrics=own,
        by_target=_by_target(task, truth, predictions, weight),
        baselines={name: scores[name] for name in baselines},
        baseline_titles={
            name: _title(name, one, task, primary.name) for name, one in baselines.items()
        },
        baseline_seconds={name: one.seconds for name, one in baselines.items()},
        baseline_notes={name: one.note for name, one in baselines.items()},
        comparisons=comparisons,
        verdict=verdict(
            primary,
            own[primary.name],
            comparisons,
            task=task.name,
            confidence=settings.confidence,
            noun=what_is(model),
        ),
        success=success and success.check(own[success.metric].value),
        confusion=_confusion(task, network),
        calibration=calibrate(network, weight=weight, num_bins=settings.calibration_bins),
        residuals=_residuals(task, network, seed),
        mistakes=worst_mistakes(task, schema, test, network, limit=settings.mistakes),
    )


def _title(name: str, baseline: Baseline, task: Task, primary: str) -> str:
    is_by_cost = name == "constant" and primary == "cost" and task.name != "regression"
    return "Cheapest constant answer" if is_by_cost else baseline.title


def _check(test: Table, predictions: Predictions, weight: Floats | None) -> None:
    if not len(test):
        raise DataError("There is no test row to score: give more rows, or a larger split.test.")
    if weight is not None and not (np.all(weight >= 0) and np.any(weight > 0)):
        raise DataError("Row weights must be 0 or more, and one test row must have more than 0.")
    for part in (predictions.values, predictions.probabilities):
        is_broken = np.zeros(0) if part is None else ~np.isfinite(part).reshape(len(part), -1)
        if is_broken.any():
            count = int(is_broken.any(axis=1).sum())
            raise TrainingError(
                f"The network answers {count:,} of {len(test):,} test rows with NaN or infinity: "
                "train again with a smaller engine.learning_rate."
            )


def _weight(schema: Schema, test: Table) -> Floats | None:
    name = schema.name_of("weight")
    return (
        None if name is None or name not in test else test.series(name).cast(pl.Float64).to_numpy()
    )


def group_codes(schema: Schema, test: Table) -> NDArray[np.int64] | None:
    """Group code of each test row, if the data have groups and the test rows enough of them."""
    name = schema.name_of("group")
    if name is None or name not in test:
        return None
    codes = test.series(name).rank("dense").fill_null(0).to_numpy().astype(np.int64)
    _, codes = np.unique(codes, return_inverse=True)
    return codes if codes.max() + 1 >= FEWEST_GROUPS else None


def _score(
    task: Task,
    models: Mapping[str, Scored],
    weight: Floats | None,
    asked: Asked,
    *,
    seed: int,
    groups: NDArray[np.int64] | None,
) -> tuple[dict[str, dict[str, Interval]], dict[str, Difference]]:
    """Return the metrics of each model, and network − baseline of the primary metric."""
    network, settings, decide = models[NETWORK], asked.evaluation, asked.decide
    has_chances = network.has_probabilities
    metrics = metrics_of(task, settings, has_probabilities=has_chances, decide=decide)
    count = affordable(settings.resamples, network, metrics)
    resamples = Resamples(len(network), count=count, seed=seed, groups=groups)
    draws = bootstrap(models, metrics, resamples, weight)
    values = {name: values_of(metrics, scored, weight) for name, scored in models.items()}
    scores = {
        name: {
            metric: around(value, draws[name][metric], settings.confidence)
            for metric, value in of_model.items()
        }
        for name, of_model in values.items()
    }
    primary = primary_of(task, settings, decide).name
    differences = {
        name: difference(
            values[NETWORK][primary],
            values[name][primary],
            draws[NETWORK][primary] - draws[name][primary],
            settings.confidence,
        )
        for name in models
        if name != NETWORK
    }
    return scores, differences


def _by_target(
    task: Task, truth: NDArray[Any], predictions: Predictions, weight: Floats | None
) -> dict[str, dict[str, float | None]] | None:
    if task.name != "regression" or len(task.targets) < 2:
        return None
    return dict(zip(task.targets, by_target(truth, predictions, weight), strict=True))


def _confusion(task: Task, scored: Scored) -> dict[str, Any] | None:
    """Count rows, without weights: true class down, predicted class across."""
    if task.name not in ("binary", "multiclass") or len(task.labels) > MOST_CLASSES:
        return None
    size = len(task.labels)
    cells = np.bincount(scored.truth * size + scored.values, minlength=size * size)
    return {"labels": list(task.labels), "matrix": cells.reshape(size, size).tolist()}


def _residuals(task: Task, scored: Scored, seed: int) -> list[dict[str, Any]] | None:
    if task.name != "regression":
        return None
    rows = np.arange(len(scored))
    if len(rows) > MOST_POINTS:
        rows = np.random.default_rng(seed).choice(rows, MOST_POINTS, replace=False)
    return [
        {
            "target": name,
            "actual": scored.truth[rows, index].tolist(),
            "predicted": scored.values[rows, index].tolist(),
        }
        for index, name in enumerate(task.targets)
    ]
