"""The conformal part of a decision: bounds learned once, sets and intervals from then on."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray

from deepwell.errors import TaskError, listing
from deepwell.tasks.decisions.conformal import (
    class_bounds,
    class_sets,
    fewest_rows,
    number_intervals,
    quantile_intervals,
    quantile_scores,
    residual_scores,
    score_bound,
    with_answers,
)
from deepwell.types import Predictions

Floats = NDArray[np.float64]
BoundKind = Literal["classes", "absolute", "normalised", "ratio", "normalised_ratio", "quantiles"]
KINDS: tuple[BoundKind, ...] = get_args(BoundKind)
OLD_KINDS = ("classes", "absolute", "normalised", "ratio")
"""Those that a model folder of format 2 holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Sets of classes, or intervals of numbers, with a promised coverage.

    Args:
        kind: "classes"; for numbers "absolute" (the same width everywhere), "normalised" (as wide
            as the spread that is stated), "ratio" (as wide as the answer is large),
            "normalised_ratio" (both) or "quantiles" (from the lowest to the highest quantile that
            the network states, widened or narrowed).
        coverage: The promise.
        bounds: One a class or a target.
        rows: From how many rows they were learned.
        per_class: Whether the promise holds in each class.

    Example:
        >>> wide = Conformal(kind="absolute", coverage=0.9, bounds=(2.0,), rows=99)
        >>> low, high = wide.intervals(Predictions(np.array([[10.0]])))
        >>> float(low[0, 0]), float(high[0, 0])
        (8.0, 12.0)
    """

    kind: BoundKind
    coverage: float
    bounds: tuple[float, ...]
    rows: int
    per_class: bool = False

    @classmethod
    def of_classes(
        cls,
        probabilities: Floats,
        truth: NDArray[np.int64],
        coverage: float,
        *,
        per_class: bool = False,
        labels: Sequence[str] = (),
    ) -> Conformal:
        """Learn the bounds of the classes.

        Args:
            probabilities: Calibrated, (n, classes).
            truth: Class index, (n,).
            coverage: The promise.
            per_class: Whether it shall hold in each class.
            labels: Names of the classes, for the message.

        Raises:
            TaskError: There are too few rows, or too few of a class.
        """
        require_rows(len(truth), coverage)
        if per_class:
            counts = np.bincount(truth, minlength=probabilities.shape[1])
            rarest = int(counts.argmin())
            name = labels[rarest] if labels else str(rarest)
            require_rows(int(counts[rarest]), coverage, name)
        bounds = class_bounds(probabilities, truth, coverage, per_class=per_class)
        return cls(
            kind="classes",
            coverage=coverage,
            bounds=tuple(bounds.tolist()),
            rows=len(truth),
            per_class=per_class,
        )

    @classmethod
    def of_numbers(
        cls, predictions: Predictions, truth: Floats, coverage: float, *, is_ratio: bool = False
    ) -> Conformal:
        """Learn the width of the intervals, for each target by itself.

        Args:
            predictions: Answers, (n, targets), with their spread if the network states one.
            truth: (n, targets).
            coverage: The promise, for each target.
            is_ratio: Whether the intervals grow with the answer.

        Raises:
            TaskError: There are too few rows.
        """
        require_rows(len(truth), coverage)
        kind: BoundKind = "ratio" if is_ratio else "absolute"
        if predictions.quantiles is not None:
            kind = "quantiles"
            ends = predictions.quantiles[:, :, 0], predictions.quantiles[:, :, -1]
            scores = quantile_scores(*ends, truth)
        else:
            values, spread = cast(Floats, predictions.values), predictions.spread
            if spread is not None:
                kind = "normalised_ratio" if is_ratio else "normalised"
            scores = residual_scores(values, truth, spread, is_ratio=is_ratio)
        return cls(
            kind=kind,
            coverage=coverage,
            bounds=tuple(score_bound(column, coverage) for column in scores.T),
            rows=len(truth),
        )

    def sets(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Say which classes belong to the set of each row, (n, classes); the answer always does."""
        sets = class_sets(cast(Floats, predictions.probabilities), np.array(self.bounds))
        return with_answers(sets, predictions.values)

    def intervals(self, predictions: Predictions) -> tuple[Floats, Floats]:
        """Return the low and the high end of each answer, both (n, targets)."""
        bounds = np.array(self.bounds)
        if self.kind == "quantiles":
            return quantile_intervals(cast(Floats, predictions.quantiles), bounds)
        spread = predictions.spread if self.kind.startswith("normalised") else None
        values = cast(Floats, predictions.values)
        return number_intervals(values, bounds, spread, is_ratio=self.kind.endswith("ratio"))

    @property
    def words(self) -> str:
        """What is promised, and from how many rows, as a sentence without its full stop."""
        what = "sets of classes" if self.kind == "classes" else "intervals"
        where = " in each class" if self.per_class else ""
        return (
            f"{what.capitalize()} that hold the truth of {100 * self.coverage:g} % of new rows"
            f"{where}, learned from {self.rows:,} validation rows"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "kind": self.kind,
            "coverage": self.coverage,
            "bounds": list(self.bounds),
            "rows": self.rows,
            "per_class": self.per_class,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Conformal:
        """Rebuild the bounds from `to_json`.

        Raises:
            ValueError: A kind or a number that makes no sense.
        """
        bounds = tuple(float(bound) for bound in state["bounds"])
        if state["kind"] not in KINDS or not all(math.isfinite(bound) for bound in bounds):
            raise ValueError(f"bounds are finite and of a kind {listing(KINDS)}")
        return cls(
            kind=state["kind"],
            coverage=float(state["coverage"]),
            bounds=bounds,
            rows=int(state["rows"]),
            per_class=bool(state["per_class"]),
        )


def require_rows(rows: int, coverage: float, name: str | None = None) -> None:
    """Refuse a promise from too few rows.

    Raises:
        TaskError: There are fewer than `fewest_rows`.
    """
    least = fewest_rows(coverage)
    if rows < least:
        raise TaskError(
            f"A coverage of {coverage:g} needs at least {least:,} rows that were held apart"
            f"{'' if name is None else ' of each class'}. "
            f"Got: {rows:,}{'' if name is None else f' of {name}'}. "
            "A larger split.val or --folds 5 gives more."
        )
