"""The cross-conformal part of a decision: every row taught models and keeps the promise.

Where the models of a cross-validation answer together, each of them has left rows out. How far it
was from their truth says how far it will be from that of new rows; no row need be held apart.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.tasks.decisions.bounds import require_rows
from deepwell.tasks.decisions.conformal import (
    class_scores,
    cross_intervals,
    cross_sets,
    with_answers,
)
from deepwell.types import Predictions

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
CrossKind = Literal["cross_classes", "cross_absolute", "cross_ratio"]
KINDS = ("cross_classes", "cross_absolute", "cross_ratio")
MOST_SCORES = 10_000
"""Rows that are kept in the model folder; more make an interval no better, and answers slow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossConformal:
    """Sets of classes, or intervals of numbers, from the models of a cross-validation.

    Args:
        kind: "cross_classes"; for numbers "cross_absolute", or "cross_ratio" (by logarithms).
        coverage: The promise.
        scores: How far each row lay from the answer of the model that had left it out, (rows,
            targets), or (rows, 1) of classes.
        fold: That model's number, (rows,).
        classes: Class of each row, (rows,), where the promise holds in each class; else empty.

    Reference:
        Barber et al. (2021), Predictive inference with the jackknife+ (CV+). Vovk (2015),
        Cross-conformal predictors.
    """

    kind: CrossKind
    coverage: float
    scores: Floats
    fold: Integers
    classes: Integers

    @classmethod
    def of_classes(
        cls,
        probabilities: Sequence[Floats],
        truth: Sequence[Integers],
        coverage: float,
        *,
        per_class: bool = False,
        labels: Sequence[str] = (),
    ) -> CrossConformal:
        """Learn from what each fold's model says of the rows that it left out.

        Args:
            probabilities: One a fold, (rows of the fold, classes), calibrated.
            truth: One a fold, (rows of the fold,).
            coverage: The promise.
            per_class: Whether it shall hold in each class.
            labels: Names of the classes, for the message.

        Raises:
            TaskError: There are too few rows, or too few of a class.
        """
        together = np.concatenate(truth)
        require_rows(len(together), coverage)
        if per_class:
            counts = np.bincount(together, minlength=probabilities[0].shape[1])
            rarest = int(counts.argmin())
            name = labels[rarest] if labels else str(rarest)
            require_rows(int(counts[rarest]), coverage, name)
        scores = [class_scores(p, t)[:, None] for p, t in zip(probabilities, truth, strict=True)]
        return _kept("cross_classes", coverage, scores, together if per_class else None)

    @classmethod
    def of_numbers(
        cls,
        values: Sequence[Floats],
        truth: Sequence[Floats],
        coverage: float,
        *,
        is_ratio: bool = False,
    ) -> CrossConformal:
        """Learn from what each fold's model says of the rows that it left out.

        Args:
            values: One a fold, (rows of the fold, targets).
            truth: The same.
            coverage: The promise, for each target.
            is_ratio: Whether the intervals grow with the answer.

        Raises:
            TaskError: There are too few rows.
        """
        require_rows(sum(len(one) for one in truth), coverage)
        change = np.log if is_ratio else np.asarray
        scores = [np.abs(change(t) - change(v)) for v, t in zip(values, truth, strict=True)]
        return _kept("cross_ratio" if is_ratio else "cross_absolute", coverage, scores, None)

    @property
    def per_class(self) -> bool:
        """Whether the promise holds in each class."""
        return len(self.classes) > 0

    @property
    def rows(self) -> int:
        """From how many answers it was learned."""
        return len(self.fold)

    @property
    def num_folds(self) -> int:
        """How many models there are."""
        return int(self.fold.max()) + 1

    def sets(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Say which classes belong to the set of each row, (n, classes); the answer always does."""
        parts = cast(Floats, predictions.parts)
        own = self.classes if self.per_class else None
        sets = cross_sets(self.scores[:, 0], self.fold, parts, self.coverage, classes=own)
        likeliest = cast(Floats, predictions.probabilities).argmax(axis=1)
        return with_answers(with_answers(sets, likeliest), predictions.values)

    def intervals(self, predictions: Predictions) -> tuple[Floats, Floats]:
        """Return the low and the high end of each answer, both (n, targets)."""
        parts = cast(Floats, predictions.parts)
        is_ratio = self.kind == "cross_ratio"
        answers = np.log(parts) if is_ratio else parts
        ends = [
            cross_intervals(self.scores[:, target], self.fold, answers[:, :, target], self.coverage)
            for target in range(parts.shape[2])
        ]
        low, high = (np.stack([pair[side] for pair in ends], axis=1) for side in (0, 1))
        return (np.exp(low), np.exp(high)) if is_ratio else (low, high)

    @property
    def words(self) -> str:
        """What is promised, and from how many rows, as a sentence without its full stop."""
        what = "Sets of classes" if self.kind == "cross_classes" else "Intervals"
        where = " in each class" if self.per_class else ""
        return (
            f"{what} that hold the truth of about {100 * self.coverage:g} % of new rows{where} "
            f"(of {100 * (2 * self.coverage - 1):.3g} % at least), learned from {self.rows:,} "
            f"answers to rows that {self.num_folds} models had left out"
        )

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "kind": self.kind,
            "coverage": self.coverage,
            "scores": self.scores.tolist(),
            "fold": self.fold.tolist(),
            "classes": self.classes.tolist(),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> CrossConformal:
        """Rebuild it from `to_json`.

        Raises:
            ValueError: A kind or a number that makes no sense.
        """
        scores = np.array(state["scores"], dtype=np.float64)
        fold = np.array(state["fold"], dtype=np.int64)
        classes = np.array(state["classes"], dtype=np.int64)
        is_sound = scores.ndim == 2 and len(scores) == len(fold) > 0 and bool((fold >= 0).all())
        if state["kind"] not in KINDS or not is_sound or not np.isfinite(scores).all():
            raise ValueError("the scores of a cross-validation are finite, one line a row")
        if len(classes) not in (0, len(fold)):
            raise ValueError(f"{len(classes)} classes for {len(fold)} rows")
        return cls(
            kind=state["kind"],
            coverage=float(state["coverage"]),
            scores=scores,
            fold=fold,
            classes=classes,
        )


def _kept(
    kind: CrossKind, coverage: float, scores: Sequence[Floats], classes: Integers | None
) -> CrossConformal:
    """Keep the scores, or a part of them that is drawn evenly from all rows."""
    together = np.concatenate(scores)
    fold = np.repeat(np.arange(len(scores)), [len(one) for one in scores])
    rows = np.arange(len(together))
    if len(rows) > MOST_SCORES:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:MOST_SCORES])
    return CrossConformal(
        kind=kind,
        coverage=coverage,
        scores=together[rows],
        fold=fold[rows],
        classes=np.zeros(0, dtype=np.int64) if classes is None else classes[rows],
    )
