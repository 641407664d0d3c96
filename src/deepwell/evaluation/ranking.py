"""How well a score puts the rows of a class first: ROC AUC and average precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.means import Floats, divide


class Ranking:
    """Rows in the order of a score, prepared so that many sets of row weights are cheap.

    Rows of equal score form one group. Neighbouring groups without a positive row are joined:
    both areas only look at the groups that hold one, and at the sums in between.

    Args:
        is_positive: Whether the row has the class, shape (n,).
        scores: Higher means more likely positive, shape (n,).

    Example:
        >>> ranking = Ranking(np.array([True, False, True]), np.array([0.9, 0.5, 0.1]))
        >>> weights = np.ones((3, 1))
        >>> auc, average_precision = ranking.areas(weights, weights.sum(axis=0))
        >>> float(auc[0]), round(float(average_precision[0]), 3)
        (0.5, 0.833)
    """

    def __init__(self, is_positive: NDArray[np.bool_], scores: Floats) -> None:
        from scipy import sparse

        order = np.argsort(-scores, kind="stable")
        positive = is_positive[order]
        starts = _group_starts(scores[order], positive)
        bounds = np.append(starts, len(order))
        shape = (len(starts), len(order))
        ones = np.ones(len(order))
        self._rows: Any = sparse.csr_matrix((ones, order, bounds), shape=shape)
        is_positive_run = np.logical_or.reduceat(positive, starts) if len(starts) else positive
        self._groups = np.flatnonzero(is_positive_run)
        inside = np.cumsum(np.append(0, positive))[bounds]
        positive_bounds = np.append(inside[:-1][self._groups], inside[-1])
        self._positives: Any = sparse.csr_matrix(
            (ones[: inside[-1]], order[positive], positive_bounds),
            shape=(len(self._groups), len(order)),
        )

    def areas(self, weights: Floats, total: Floats) -> tuple[Floats, Floats]:
        """Return ROC AUC and average precision for R sets of weights, each of shape (R,).

        NaN where the weighted rows have no positive, or (AUC only) no negative.

        Args:
            weights: Shape (n, R).
            total: Sum of the weights, shape (R,).
        """
        sums = self._rows @ weights
        positives = self._positives @ weights
        negatives = sums[self._groups] - positives
        above = np.cumsum(sums, axis=0)[self._groups]  # this group included
        positives_above = np.cumsum(positives, axis=0)
        num_positive = positives.sum(axis=0)
        num_negative = total - num_positive
        # a remainder of rounding is no negative row
        num_negative[num_negative < 1e-12 * total] = 0.0
        below = num_negative - (above - positives_above)
        wins = (positives * (below + 0.5 * negatives)).sum(axis=0)
        auc = divide(divide(wins, num_positive), num_negative)
        precision = np.nan_to_num(divide(positives_above, above))
        average_precision = divide((positives * precision).sum(axis=0), num_positive)
        return auc, average_precision


def _group_starts(scores: Floats, positive: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return where each group begins in rows sorted by score, shape (groups,)."""
    if not len(scores):
        return np.zeros(0, dtype=np.int64)
    starts = np.flatnonzero(np.append(True, np.diff(scores) != 0))
    has_positive = np.logical_or.reduceat(positive, starts)
    is_kept = has_positive | np.append(True, has_positive[:-1])
    return starts[is_kept].astype(np.int64)
