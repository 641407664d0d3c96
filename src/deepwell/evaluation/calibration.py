"""Calibration: of the rows to which the network gave 80 %, do 80 % come true?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from deepwell.evaluation.means import Floats
from deepwell.evaluation.scored import Scored


@dataclass(frozen=True, slots=True)
class Bin:
    """Rows whose predicted probability is about the same.

    Args:
        predicted: Mean predicted probability.
        observed: Share of them that came true.
        count: How many rows (several labels: answers).
    """

    predicted: float
    observed: float
    count: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """How far predicted probabilities can be taken at their word.

    Args:
        error: Expected calibration error: |predicted − observed|, averaged over the rows.
        bins: Bins that hold a row, from low to high probability.

    Reference:
        Naeini, Cooper and Hauskrecht (2015), Obtaining well calibrated probabilities using
        Bayesian binning; Guo et al. (2017), On calibration of modern neural networks.
    """

    error: float
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        """Return ``{"error", "bins"}``."""
        return {"error": self.error, "bins": [asdict(one) for one in self.bins]}


def calibrate(
    scored: Scored, *, weight: Floats | None = None, num_bins: int = 10
) -> Calibration | None:
    """Compare predicted probabilities with what happened, in bins of equal width.

    Two classes: the probability of the positive class. Several classes: the probability of the
    predicted class, and whether it was right. Several labels: all labels together.

    Args:
        scored: The rows; without probabilities there is nothing to calibrate: None.
        weight: Weight of each row, shape (n,), or None.
        num_bins: How many bins between 0 and 1.
    """
    if scored.probabilities is None or not len(scored):
        return None
    weight = np.ones(len(scored)) if weight is None else weight
    probabilities, came_true = _events(scored, scored.probabilities)
    weight = np.repeat(weight, len(probabilities) // len(scored))
    index = np.minimum((probabilities * num_bins).astype(int), num_bins - 1)
    mass = np.bincount(index, weights=weight, minlength=num_bins)
    predicted = np.bincount(index, weights=weight * probabilities, minlength=num_bins)
    observed = np.bincount(index, weights=weight * came_true, minlength=num_bins)
    count = np.bincount(index, minlength=num_bins)
    bins = tuple(
        Bin(float(predicted[i] / mass[i]), float(observed[i] / mass[i]), int(count[i]))
        for i in np.flatnonzero(mass > 0)
    )
    return Calibration(float(np.abs(predicted - observed).sum() / mass.sum()), bins)


def _events(scored: Scored, probabilities: Floats) -> tuple[Floats, Floats]:
    """Return probabilities and whether they came true, as two long arrays."""
    if scored.task == "binary":
        return probabilities[:, 1], scored.is_yes[:, 1].astype(np.float64)
    if scored.task == "multilabel":
        return probabilities.ravel(), scored.is_yes.ravel().astype(np.float64)
    chosen = probabilities[np.arange(len(scored)), scored.values]
    return chosen, (scored.values == scored.truth).astype(np.float64)
