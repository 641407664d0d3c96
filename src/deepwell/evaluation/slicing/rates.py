"""What is measured for a group of rows: rates of answers, calibration, error and bias."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.means import Floats, divide
from deepwell.evaluation.scored import Scored

FEWEST = 10
"""Rows that a rate must rest on."""
CALIBRATION_BINS = 10


@dataclass(frozen=True, slots=True)
class Facts:
    """One yes-or-no question, or one number, on the rows of a group.

    Args:
        truth: What is so: 0 or 1, or a number, shape (rows,).
        answer: What was answered, shape (rows,).
        chance: Probability of the yes, or None.
    """

    truth: Floats
    answer: Floats
    chance: Floats | None


@dataclass(frozen=True, slots=True)
class Rate:
    """A number by which groups are compared.

    Args:
        name: In the file.
        title: For people.
        best: Which value is best for a group; "zero" is nearest to 0; "none" is a matter of taste,
            and the highest value is the reference.
        unit: "share", or "target" for the units of the data.
        compute: Facts and weights (rows, R) to one value a set of weights, and the smallest number
            of rows that it rests on.
    """

    name: str
    title: str
    best: Literal["higher", "lower", "zero", "none"]
    unit: Literal["share", "target"]
    compute: Callable[[Facts, Floats], tuple[Floats, int]]


def _share(of: NDArray[np.bool_], hit: NDArray[np.bool_], weights: Floats) -> tuple[Floats, int]:
    whole = of.astype(np.float64) @ weights
    return divide((of & hit).astype(np.float64) @ weights, whole), int(of.sum())


def _selection(facts: Facts, weights: Floats) -> tuple[Floats, int]:
    return _share(np.ones(len(facts.truth), dtype=bool), facts.answer == 1, weights)


def _true_positive(facts: Facts, weights: Floats) -> tuple[Floats, int]:
    return _share(facts.truth == 1, facts.answer == 1, weights)


def _false_positive(facts: Facts, weights: Floats) -> tuple[Floats, int]:
    return _share(facts.truth != 1, facts.answer == 1, weights)


def _precision(facts: Facts, weights: Floats) -> tuple[Floats, int]:
    return _share(facts.answer == 1, facts.truth == 1, weights)


def _calibration(facts: Facts, weights: Floats) -> tuple[Floats, int]:
    """Distance of stated probability and reality, in bins of equal width, averaged over rows."""
    if facts.chance is None:
        return np.full(weights.shape[1], np.nan), 0
    bins = np.minimum((facts.chance * CALIBRATION_BINS).astype(np.int64), CALIBRATION_BINS - 1)
    member = (bins[None, :] == np.arange(CALIBRATION_BINS)[:, None]).astype(np.float64)
    gaps = np.abs((member * (facts.chance - facts.truth)[None, :]) @ weights)
    return divide(gaps.sum(axis=0), weights.sum(axis=0)), len(facts.truth)


def _error(facts: Facts, weights: Floats) -> tuple[Floats, int]:
    return divide(np.abs(facts.answer - facts.truth) @ weights, weights.sum(axis=0)), len(
        facts.truth
    )


def _bias(facts: Facts, weights: Floats) -> tuple[Floats, int]:
    return divide((facts.answer - facts.truth) @ weights, weights.sum(axis=0)), len(facts.truth)


OF_CLASSES = (
    Rate("selection_rate", "Selection rate", "none", "share", _selection),
    Rate("true_positive_rate", "True positive rate", "higher", "share", _true_positive),
    Rate("false_positive_rate", "False positive rate", "lower", "share", _false_positive),
    Rate("precision", "Precision", "higher", "share", _precision),
    Rate("calibration_error", "Calibration error", "lower", "share", _calibration),
)
OF_NUMBERS = (
    Rate("mean_absolute_error", "Mean absolute error", "lower", "target", _error),
    Rate("bias", "Bias (predicted − actual)", "zero", "target", _bias),
)


def questions(scored: Scored, names: Mapping[int, str]) -> dict[str, Facts]:
    """Return the questions that the rows answer: one a class, a label or a target.

    Args:
        scored: Truth and answers of all rows.
        names: Name of each class, label or target that is looked at, by its position.
    """
    truth: Any = scored.truth if scored.task == "regression" else scored.is_yes
    found: dict[str, Facts] = {}
    for index, name in names.items():
        is_single = scored.task in ("binary", "multiclass")
        answer = scored.values == index if is_single else scored.values[:, index]
        chances = None if scored.probabilities is None else scored.probabilities[:, index]
        found[name] = Facts(
            truth[:, index].astype(np.float64), np.asarray(answer, dtype=np.float64), chances
        )
    return found


def of_rows(facts: Facts, rows: NDArray[np.int64]) -> Facts:
    """Return the facts of some rows."""
    chance = None if facts.chance is None else facts.chance[rows]
    return Facts(facts.truth[rows], facts.answer[rows], chance)
