"""Conformal prediction: sets and intervals that hold the truth as often as promised.

The promise needs no assumption on the network or on the distribution, only rows that come from the
same source as those of tomorrow, and that were not used for training or for choosing.

Reference:
    Vovk, Gammerman and Shafer (2005), Algorithmic learning in a random world; Angelopoulos and
    Bates (2023), Conformal prediction: a gentle introduction.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CELLS = 4_000_000
"""Training rows × new rows that are worked on at a time."""
_MOST_COUNTED = 100_000
"""New rows that are counted one by one; of more, what the held-apart rows leave open decides."""
_SLACK = 1e-9
"""Of a row: the product of a share and a number of rows is not quite whole."""


def fewest_rows(coverage: float) -> int:
    """Return how many rows a promise needs at least.

    Example:
        >>> fewest_rows(0.9), fewest_rows(0.95)
        (9, 19)
    """
    return math.ceil(1 / (1 - coverage) - _SLACK) - 1


def score_bound(scores: Floats, coverage: float) -> float:
    """Return the bound that a new score keeps with the probability `coverage` at least.

    It is the ⌈(n + 1) · coverage⌉-th smallest score, infinite where there are too few.

    Example:
        >>> score_bound(np.arange(1.0, 10.0), 0.9)
        9.0
    """
    rank = math.ceil((len(scores) + 1) * coverage - _SLACK)
    return float(np.sort(scores)[rank - 1]) if rank <= len(scores) else math.inf


def kept_range(rows: int, coverage: float, share: float = 0.95) -> tuple[float, float]:
    """Return between which coverages a promise ends, over which rows happen to be held apart.

    Over many trainings the promise is kept on average. How near a single one comes to it depends
    on the number of its rows.

    Args:
        rows: From which the bound is learned; at least `fewest_rows`.
        coverage: The promise.
        share: Of the trainings that end in between.

    Reference:
        Vovk (2012), Conditional validity of inductive conformal predictors, section 3.

    Example:
        >>> [round(end, 3) for end in kept_range(150, 0.9)]
        [0.848, 0.943]
    """
    from scipy.special import betaincinv

    inside, outside = _inside_and_outside(rows, coverage)
    ends = betaincinv(inside, outside, [(1 - share) / 2, (1 + share) / 2])
    return float(ends[0]), float(ends[1])


def luck_of_so_few(inside: int, new_rows: int, rows: int, coverage: float) -> float:
    """Return the chance that no more of the new rows lie inside, if they are like the others.

    Args:
        inside: New rows whose truth lies inside.
        new_rows: All of them.
        rows: From which the bound was learned; at least `fewest_rows`.
        coverage: The promise.

    Example:
        >>> 0.01 < luck_of_so_few(330, 400, 150, 0.9) < 0.02
        True
    """
    from scipy.special import betaln, gammaln

    first, second = _inside_and_outside(rows, coverage)
    inside = round(inside * min(1.0, _MOST_COUNTED / new_rows))
    new_rows = min(new_rows, _MOST_COUNTED)
    counts = np.arange(inside + 1)
    ways = gammaln(new_rows + 1) - gammaln(counts + 1) - gammaln(new_rows - counts + 1)
    chances = betaln(counts + first, new_rows - counts + second) - betaln(first, second)
    return float(np.exp(ways + chances).sum())


def _inside_and_outside(rows: int, coverage: float) -> tuple[int, int]:
    """Return the two parameters of the beta distribution of the coverage."""
    rank = math.ceil((rows + 1) * coverage - _SLACK)
    return rank, rows + 1 - rank


def class_scores(probabilities: Floats, truth: NDArray[np.int64]) -> Floats:
    """Return 1 − the probability of the true class, (n,).

    Reference:
        Sadinle, Lei and Wasserman (2019), Least ambiguous set-valued classifiers with bounded
        error levels: no other score gives smaller sets on average.
    """
    return 1 - probabilities[np.arange(len(truth)), truth]


def class_bounds(
    probabilities: Floats, truth: NDArray[np.int64], coverage: float, *, per_class: bool = False
) -> Floats:
    """Return the bound of each class, (classes,); one for all unless `per_class`.

    Reference:
        Vovk (2012), Conditional validity of inductive conformal predictors (per class:
        label-conditional, also called Mondrian).
    """
    scores, width = class_scores(probabilities, truth), probabilities.shape[1]
    if not per_class:
        return np.full(width, score_bound(scores, coverage))
    return np.array([score_bound(scores[truth == k], coverage) for k in range(width)])


def class_sets(probabilities: Floats, bounds: Floats) -> NDArray[np.bool_]:
    """Say which classes belong to the set of each row, (n, classes).

    The likeliest class always does: an empty set would tell nobody anything, and the coverage can
    only grow by it.

    Example:
        >>> class_sets(np.array([[0.6, 0.3, 0.1]]), np.full(3, 0.75)).tolist()
        [[True, True, False]]
    """
    sets = 1 - probabilities <= bounds
    sets[np.arange(len(sets)), probabilities.argmax(axis=1)] = True
    return sets


def residual_scores(
    values: Floats, truth: Floats, spread: Floats | None = None, *, is_ratio: bool = False
) -> Floats:
    """Return how far the truth lies from the answer, in units of the width of an interval.

    Args:
        values: Answers, (n, targets).
        truth: (n, targets).
        spread: Standard deviation that is stated for each answer, or None: 1 each.
        is_ratio: Measure logarithms, so that the width grows with the answer; a spread then counts
            as a share of the answer.

    Reference:
        Lei et al. (2018), Distribution-free predictive inference for regression, section 5.2.
    """
    if is_ratio:
        distance = np.abs(np.log(truth) - np.log(values))
        return distance if spread is None else distance * values / _positive(spread)
    return np.abs(truth - values) / (1.0 if spread is None else _positive(spread))


def number_intervals(
    values: Floats, bounds: Floats, spread: Floats | None = None, *, is_ratio: bool = False
) -> tuple[Floats, Floats]:
    """Return the low and the high end for each answer, both (n, targets).

    Example:
        >>> low, high = number_intervals(np.array([[10.0]]), np.array([2.0]))
        >>> low.tolist(), high.tolist()
        ([[8.0]], [[12.0]])
    """
    if is_ratio:
        bounds = bounds if spread is None else bounds * spread / values
        return values * np.exp(-bounds), values * np.exp(bounds)
    width = bounds * (1.0 if spread is None else spread)
    return values - width, values + width


def _positive(spread: Floats) -> Floats:
    """A spread of nothing would make any error infinite."""
    return np.maximum(spread, np.finfo(np.float64).tiny ** 0.5)


def quantile_scores(low: Floats, high: Floats, truth: Floats) -> Floats:
    """Return how far the truth lies outside two predicted quantiles; negative inside.

    Widen an interval of quantiles by the `score_bound` of these scores on both sides, and it keeps
    its coverage.

    Args:
        low: Predicted lower quantile, (n,) or (n, targets).
        high: Predicted upper quantile, of the same shape.
        truth: Of the same shape.

    Reference:
        Romano, Patterson and Candès (2019), Conformalized quantile regression.

    Example:
        >>> ends = np.array([1.0, 1.0]), np.array([3.0, 3.0])
        >>> quantile_scores(*ends, np.array([2.0, 4.0])).tolist()
        [-1.0, 1.0]
    """
    return np.maximum(low - truth, truth - high)


def quantile_intervals(quantiles: Floats, bounds: Floats) -> tuple[Floats, Floats]:
    """Return intervals from the lowest to the highest quantile, widened by the bounds.

    A negative bound narrows them, at the most to their middle.

    Args:
        quantiles: Ascending, (n, targets, quantiles).
        bounds: `score_bound` of the `quantile_scores`, (targets,).

    Example:
        >>> low, high = quantile_intervals(np.array([[[1.0, 2.0, 3.0]]]), np.array([0.5]))
        >>> low.tolist(), high.tolist()
        ([[0.5]], [[3.5]])
    """
    low, high = quantiles[:, :, 0], quantiles[:, :, -1]
    middle = (low + high) / 2
    return np.minimum(low - bounds, middle), np.maximum(high + bounds, middle)


def cross_intervals(
    residuals: Floats, fold: NDArray[np.int64], answers: Floats, coverage: float
) -> tuple[Floats, Floats]:
    """Return intervals from the models of a cross-validation (CV+), both (n,).

    Every row serves for training and for calibration. The promise is 1 − 2 · (1 − coverage); in
    practice about `coverage` is reached.

    Args:
        residuals: |truth − out-of-fold answer| of each training row, (m,).
        fold: Number of the fold in which the row was held out, (m,).
        answers: Of each fold's model for new rows, (folds, n).
        coverage: Share of new rows whose truth shall lie inside.

    Reference:
        Barber et al. (2021), Predictive inference with the jackknife+, section 3.

    Example:
        >>> low, high = cross_intervals(np.ones(19), np.arange(19) % 2, np.zeros((2, 1)), 0.9)
        >>> low.tolist(), high.tolist()
        ([-1.0], [1.0])
    """
    rows = len(residuals)
    rank = math.ceil((rows + 1) * coverage - _SLACK)
    low, high = (np.full(answers.shape[1], end) for end in (-math.inf, math.inf))
    if rank > rows:
        return low, high
    width = max(1, _CELLS // rows)
    for start in range(0, answers.shape[1], width):
        piece = slice(start, start + width)
        centre = answers[fold, piece]
        low[piece] = np.partition(centre - residuals[:, None], rows - rank, axis=0)[rows - rank]
        high[piece] = np.partition(centre + residuals[:, None], rank - 1, axis=0)[rank - 1]
    return low, high


def cross_sets(
    scores: Floats,
    fold: NDArray[np.int64],
    probabilities: Floats,
    coverage: float,
    *,
    classes: NDArray[np.int64] | None = None,
) -> NDArray[np.bool_]:
    """Return sets of classes from the models of a cross-validation, (n, classes).

    A class belongs to the set unless nearly all training rows were closer to their truth.

    Args:
        scores: `class_scores` of the out-of-fold probabilities of the training rows, (m,).
        fold: Number of the fold in which the row was held out, (m,).
        probabilities: Of each fold's model for new rows, (folds, n, classes).
        coverage: Share of new rows whose truth shall be in the set.
        classes: Class of each training row, (m,): a class is then compared with its own rows only,
            and the promise holds in each class.

    Reference:
        Vovk (2015), Cross-conformal predictors.
    """
    width = probabilities.shape[2]
    own = [np.full(len(scores), True) if classes is None else classes == k for k in range(width)]
    worse = np.ones(probabilities.shape[1:])
    for one, stated in enumerate(probabilities):
        for k, rows in enumerate(own):
            of_fold = np.sort(scores[rows & (fold == one)])
            # training rows that are at least as far from their truth as the new row from this one
            worse[:, k] += len(of_fold) - np.searchsorted(of_fold, 1 - stated[:, k], side="left")
    counts = np.array([rows.sum() for rows in own])
    return worse / (counts + 1) > 1 - coverage


def with_answers(sets: NDArray[np.bool_], answers: NDArray[Any]) -> NDArray[np.bool_]:
    """Return sets that hold what is answered, (n, classes).

    A threshold or costs may answer an unlikely class. The coverage can only grow by it.

    Example:
        >>> with_answers(np.array([[True, False]]), np.array([1])).tolist()
        [[True, True]]
    """
    held = sets.copy()
    held[np.arange(len(sets)), answers] = True
    return held


def is_covered(sets: NDArray[np.bool_], truth: NDArray[Any]) -> NDArray[np.bool_]:
    """Say whether the true class is in the set of each row, (n,)."""
    return sets[np.arange(len(truth)), truth]
