"""How sure a number is: percentile intervals by the bootstrap, for single models and for pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import Metric, or_none, value_of, values_of
from deepwell.evaluation.scored import Scored
from deepwell.tasks.base import TaskName
from deepwell.types import Predictions

CELLS = 1_000_000
"""Rows × resamples that are worked on at a time: the tables stay near the processor (8 MB)."""
WORK = 600_000_000
"""Rows × rankings × resamples that are spent on one model before fewer resamples are drawn."""
FEWEST = 200
FEWEST_GROUPS = 10
"""With fewer groups in the test rows, single rows are drawn by the bootstrap."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value and the interval around it; None where it is undefined.

    Args:
        value: For the test rows.
        low: Lower end.
        high: Upper end.
    """

    value: float | None
    low: float | None
    high: float | None

    def to_json(self) -> dict[str, float | None]:
        """Return ``{"value", "low", "high"}``."""
        return {"value": self.value, "low": self.low, "high": self.high}


class Resamples:
    """Repeated draws of the test rows with replacement, the same each time they are asked for.

    Args:
        num_rows: Rows to draw from; each draw is as large.
        count: Number of draws.
        seed: Same seed, same draws.
        groups: Group code of each row, shape (rows,): whole groups are drawn, because rows of one
            group (patient, machine) are not independent. None: single rows.

    Example:
        >>> draws = Resamples(3, count=2, seed=0)
        >>> [int(counts.sum()) for counts in draws]
        [6]
    """

    def __init__(
        self,
        num_rows: int,
        *,
        count: int = 1000,
        seed: int = 0,
        groups: NDArray[np.int64] | None = None,
    ) -> None:
        self.num_rows = num_rows
        self.count = count
        self._seed = seed
        self._groups = groups
        self._units = num_rows if groups is None else int(groups.max(initial=-1)) + 1

    def __iter__(self) -> Iterator[Floats]:
        """Yield how often each row was drawn, in pieces of shape (rows, some resamples)."""
        generator = np.random.default_rng(self._seed)
        width = max(1, CELLS // max(1, self.num_rows))
        for start in range(0, self.count, width):
            piece = min(width, self.count - start)
            counts = np.empty((piece, self._units))
            for row in counts:
                drawn = generator.integers(0, self._units, size=self._units)
                row[:] = np.bincount(drawn, minlength=self._units)
            by_unit = np.ascontiguousarray(counts.T)
            yield by_unit if self._groups is None else by_unit[self._groups]


def affordable(count: int, scored: Scored, metrics: Iterable[Metric]) -> int:
    """Return how many resamples to draw: `count`, or fewer (at least 200) for very large tests."""
    ranks = any(metric.is_ranking for metric in metrics)
    passes = scored.num_classes if ranks and scored.task != "binary" else 1
    return min(count, max(FEWEST, WORK // max(1, len(scored) * passes)))


def bootstrap(
    models: Mapping[str, Scored],
    metrics: Iterable[Metric],
    resamples: Resamples,
    weight: Floats | None = None,
) -> dict[str, dict[str, Floats]]:
    """Return each metric of each model for each resample, NaN where it is undefined.

    All models see the same draws, so the values of two models may be subtracted.

    Args:
        models: Name to scored rows; all of the same rows.
        metrics: What to compute.
        resamples: The draws.
        weight: Weight of each row, shape (n,); drawn rows keep theirs.

    Returns:
        Model to metric to values, shape (resamples,).
    """
    metrics = list(metrics)
    pieces: dict[str, dict[str, list[Floats]]] = {
        name: {metric.name: [] for metric in metrics} for name in models
    }
    for counts in resamples:
        weights = counts if weight is None else counts * weight[:, None]
        for name, scored in models.items():
            weighted = scored.weighted(weights)
            for metric in metrics:
                pieces[name][metric.name].append(metric.compute(weighted))
    return {
        name: {metric: np.concatenate(parts) for metric, parts in of_model.items()}
        for name, of_model in pieces.items()
    }


def percentiles(values: Floats, confidence: float = 0.95) -> tuple[float | None, float | None]:
    """Return the ends of the percentile interval.

    Resamples in which the metric is undefined are left out; if they are the majority there is no
    interval.

    Reference:
        Efron and Tibshirani (1993), An Introduction to the Bootstrap, chapter 13.

    Example:
        >>> percentiles(np.arange(101.0), 0.5)
        (25.0, 75.0)
    """
    defined = values[np.isfinite(values)]
    if len(defined) * 2 <= len(values):
        return None, None
    tail = (1 - confidence) / 2
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def intervals(
    scored: Scored,
    metrics: Iterable[Metric],
    resamples: Resamples,
    *,
    weight: Floats | None = None,
    confidence: float = 0.95,
) -> dict[str, Interval]:
    """Return each metric of one model with its interval."""
    metrics = list(metrics)
    draws = bootstrap({"model": scored}, metrics, resamples, weight)["model"]
    values = values_of(metrics, scored, weight)
    return {name: around(value, draws[name], confidence) for name, value in values.items()}


def around(value: float | None, draws: Floats, confidence: float = 0.95) -> Interval:
    """Join a value and the interval of its resamples; an undefined value has no interval."""
    low, high = percentiles(draws, confidence) if value is not None else (None, None)
    return Interval(value, low, high)


@dataclass(frozen=True, slots=True)
class Difference:
    """Metric of the first model − metric of the second, on the same rows.

    Args:
        difference: For the test rows; None where either is undefined.
        low: Lower end of its interval.
        high: Upper end.
    """

    difference: float | None
    low: float | None
    high: float | None


def paired_difference(
    metric: Metric,
    truth: NDArray[Any],
    predictions_a: Predictions,
    predictions_b: Predictions,
    *,
    task: TaskName,
    resamples: Resamples | None = None,
    weight: Floats | None = None,
    confidence: float = 0.95,
) -> Difference:
    """Return the difference of two models (a − b) with its interval, on the same resamples.

    Much narrower than the two single intervals together, because both models find the same rows
    easy and the same rows hard.

    Args:
        metric: What to compare.
        truth: As `Task.truth` returns it.
        predictions_a: The first model's, same rows.
        predictions_b: The second model's, same rows.
        task: Name of the task.
        resamples: The draws. Default: 1,000 of single rows.
        weight: Weight of each row, shape (n,).
        confidence: Share of resamples inside the interval.
    """
    resamples = resamples or Resamples(len(truth))
    pair = {"a": Scored(task, truth, predictions_a), "b": Scored(task, truth, predictions_b)}
    draws = bootstrap(pair, [metric], resamples, weight)
    values = [value_of(metric, pair[name], weight) for name in ("a", "b")]
    return difference(
        values[0], values[1], draws["a"][metric.name] - draws["b"][metric.name], confidence
    )


def difference(
    first: float | None, second: float | None, draws: Floats, confidence: float = 0.95
) -> Difference:
    """Join the difference of two values and the interval of its resamples."""
    if first is None or second is None:
        return Difference(None, None, None)
    low, high = percentiles(draws, confidence)
    return Difference(or_none(first - second), low, high)
