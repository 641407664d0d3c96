"""How each metric follows from weighted rows: one value a set of weights, NaN where undefined.

The conventions are in `deepwell.evaluation.metrics`, which also names the metrics.
"""

from __future__ import annotations

import numpy as np

from deepwell.evaluation.means import Floats, average, divide
from deepwell.evaluation.scored import Weighted


def rmse(rows: Weighted) -> Floats:
    """Root of the mean squared error."""
    return np.sqrt(rows.mean(rows.scored.absolute_errors**2)).mean(axis=0)


def mae(rows: Weighted) -> Floats:
    """Mean absolute error."""
    return rows.mean(rows.scored.absolute_errors).mean(axis=0)


def r2(rows: Weighted) -> Floats:
    """Share of the variance of the truth that the predictions explain."""
    truth = rows.scored.truth
    centred = truth - truth.mean(axis=0)  # keeps the difference of squares below exact
    variance = rows.mean(centred**2) - rows.mean(centred) ** 2
    # a spread of rounding errors is no spread
    variance[variance <= 1e-12 * (centred**2).max(axis=0, initial=0.0)[:, None]] = 0.0
    return average(1 - divide(rows.mean(rows.scored.absolute_errors**2), variance))


def median_error(rows: Weighted) -> Floats:
    """The weighted median: the mean of both neighbours where the weight divides evenly."""
    columns = rows.scored.absolute_errors.T, rows.scored.error_orders.T
    medians = [
        _weighted_median(errors[order], rows.weights[order])
        for errors, order in zip(*columns, strict=True)
    ]
    return np.stack(medians).mean(axis=0)


def _weighted_median(values: Floats, weights: Floats) -> Floats:
    """Median of sorted values (n,) under weights (n, R), shape (R,)."""
    reached = np.cumsum(weights, axis=0)
    half, slack = reached[-1] / 2, reached[-1] * 1e-12
    lower = (reached < half - slack).sum(axis=0)
    upper = (reached <= half + slack).sum(axis=0)
    median = (values[lower] + values[np.minimum(upper, len(values) - 1)]) / 2
    return np.where(reached[-1] > 0, median, np.nan)


def accuracy(rows: Weighted) -> Floats:
    """Share of right rows; with labels, of rows whose labels are all right."""
    is_right = rows.scored.values == rows.scored.truth
    if rows.scored.task == "multilabel":
        is_right = is_right.all(axis=1)
    return rows.mean(is_right.astype(np.float64))


def hamming_loss(rows: Weighted) -> Floats:
    """Share of wrong answers over all rows and labels."""
    is_wrong = rows.scored.values != rows.scored.truth
    return rows.mean(is_wrong.mean(axis=1))


def _rates(rows: Weighted) -> tuple[Floats, Floats]:
    """Recall and specificity of each class or label, shape (K, R); NaN where undefined."""
    hits, predicted, actual, total = rows.counts
    negatives = _without_rounding(total - actual, total)
    return divide(hits, actual), divide(negatives - (predicted - hits), negatives)


def _without_rounding(sums: Floats, total: Floats) -> Floats:
    return np.where(sums < 1e-12 * total, 0.0, sums)


def _over_classes(rows: Weighted, values: Floats, *, absent: float = 0.0) -> Floats:
    """Positive class of two; else the mean over classes, undefined values counted as `absent`."""
    if rows.scored.task == "binary":
        return values[1]
    counts = rows.counts
    is_present = (counts.predicted + counts.actual) > 0
    return average(np.where(is_present, np.where(np.isnan(values), absent, values), np.nan))


def precision(rows: Weighted) -> Floats:
    """Share of the rows predicted so that are so."""
    counts = rows.counts
    precision = divide(counts.hits, counts.predicted)
    precision[np.isnan(precision) & (counts.actual > 0)] = 0.0
    return _over_classes(rows, precision)


def recall(rows: Weighted) -> Floats:
    """Share of the rows that are so which were found."""
    return _over_classes(rows, _rates(rows)[0])


def specificity(rows: Weighted) -> Floats:
    """Share of the rows that are not so which were left alone."""
    return _over_classes(rows, _rates(rows)[1], absent=np.nan)


def f1(rows: Weighted) -> Floats:
    """Harmonic mean of precision and recall."""
    counts = rows.counts
    return _over_classes(rows, divide(2 * counts.hits, counts.predicted + counts.actual))


def balanced_accuracy(rows: Weighted) -> Floats:
    """Mean of the recall of each class; with labels, of recall and specificity."""
    recall, specificity = _rates(rows)
    if rows.scored.task == "multilabel":
        return average((recall + specificity) / 2)
    return average(recall)


def mcc(rows: Weighted) -> Floats:
    """Matthews correlation; 0 where truth or predictions are all of one class."""
    hits, predicted, actual, total = rows.counts
    if rows.scored.task == "multilabel":
        agreement = hits * total - predicted * actual
        spread = predicted * (total - predicted) * actual * (total - actual)
        return average(_correlation(agreement, spread, total))
    agreement = hits.sum(axis=0) * total - (predicted * actual).sum(axis=0)
    spreads = [total**2 - (sums**2).sum(axis=0) for sums in (predicted, actual)]
    return _correlation(agreement, spreads[0] * spreads[1], total)


def _correlation(agreement: Floats, spread: Floats, total: Floats) -> Floats:
    is_spread = spread > 1e-12 * total**4
    return np.where(is_spread, agreement / np.sqrt(np.where(is_spread, spread, 1.0)), 0.0)


def log_loss(rows: Weighted) -> Floats:
    """Mean of −log of the probability given to the truth."""
    return rows.mean(rows.scored.row_losses)


def roc_auc(rows: Weighted) -> Floats:
    """Chance that a row of the class has a higher score than a row of another."""
    return average(rows.areas[0])


def average_precision(rows: Weighted) -> Floats:
    """Precision averaged over the recall steps of the ranking."""
    return average(rows.areas[1])


def brier(rows: Weighted) -> Floats:
    """Mean squared distance of the probabilities from what came true."""
    stated = np.asarray(rows.scored.probabilities, dtype=np.float64)
    squares = (stated - rows.scored.is_yes) ** 2
    if rows.scored.task == "multiclass":
        return rows.mean(squares.sum(axis=1))
    return rows.mean(squares[:, 1] if rows.scored.task == "binary" else squares.mean(axis=1))


def cost(rows: Weighted, *, over: float = 1.0, under: float = 1.0) -> Floats:
    """Mean cost of an error: overestimates times one price, underestimates times another."""
    errors = rows.scored.values - rows.scored.truth
    return rows.mean(np.where(errors > 0, over * errors, -under * errors)).mean(axis=0)


def cost_of_answers(rows: Weighted, *, costs: Floats) -> Floats:
    """Mean cost of an answer: of the true class (row) answered with a class (column)."""
    paid = costs[rows.scored.truth, rows.scored.values]
    return rows.mean(paid if paid.ndim == 1 else paid.mean(axis=1))


def pinball(rows: Weighted, *, quantile: float = 0.5) -> Floats:
    """Quantile loss: q times the error below the truth, 1 − q times the error above it."""
    errors = rows.scored.values - rows.scored.truth
    losses = np.where(errors > 0, (1 - quantile) * errors, -quantile * errors)
    return rows.mean(losses).mean(axis=0)
