"""Target encoding: a category as the mean answer of its training rows.

A training row must not see its own answer in its inputs: a network would read it off and know
nothing of new rows. So training rows are dealt into folds, and a row is encoded with the means of
the other folds; new rows are encoded with the means of all training rows.

Reference:
    Micci-Barreca: A preprocessing scheme for high-cardinality categorical attributes (2001).
    Out of fold: Pargent, Pfisterer, Thomas, Bischl: Regularized target encoding outperforms
    traditional methods in supervised machine learning with high cardinality features (2022).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from deepwell.data.kinds.base import State
from deepwell.data.settings import EncodeSettings

_SEED = 0


def answers_of(targets: NDArray[np.float32] | NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the numbers that are averaged: of mean 0 and spread 1 over the rows.

    Args:
        targets: As a task encodes them: numbers (rows, T), or class indices (rows,).

    Returns:
        (rows, T); for class indices one column a class.

    Example:
        >>> answers_of(np.array([0, 2, 0, 2])).tolist()
        [[1.0, 0.0, -1.0], [-1.0, 0.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 0.0, 1.0]]
    """
    answers = targets.astype(np.float64)
    if targets.ndim == 1:
        answers = np.eye(int(targets.max(initial=0)) + 1)[targets.astype(np.int64)]
    spread = answers.std(axis=0)
    return (answers - answers.mean(axis=0)) / np.where(spread > 0, spread, 1.0)


def fit_means(
    codes: NDArray[np.int64], answers: NDArray[np.float64], settings: EncodeSettings
) -> State:
    """Return what new rows are encoded with, as plain JSON.

    Args:
        codes: Of the training rows, shape (rows,).
        answers: (rows, T), see `answers_of`.
        settings: Folds and smoothing.
    """
    means = _means(codes, answers, int(codes.max(initial=0)) + 1, settings.target_smoothing)
    folds, smoothing = settings.target_folds, settings.target_smoothing
    return {"means": means.tolist(), "folds": folds, "smoothing": smoothing}


def look_up(codes: NDArray[np.int64], state: State) -> NDArray[np.float64]:
    """Return the means for codes, shape (rows, T); a code without training rows gives 0."""
    means = np.array(state["means"], dtype=np.float64)
    known = codes < len(means)
    return np.where(known[:, None], means[np.where(known, codes, 0)], 0.0)


def encode_out_of_fold(
    codes: NDArray[np.int64], answers: NDArray[np.float64], state: State
) -> NDArray[np.float64]:
    """Return for each training row the mean over the rows of the other folds, shape (rows, T).

    Args:
        codes: Of the training rows, shape (rows,).
        answers: (rows, T), of the same rows.
        state: From `fit_means`.

    Example:
        >>> state = {"folds": 2, "smoothing": 0.0}
        >>> codes, answers = np.array([1, 1]), np.array([[5.0], [7.0]])
        >>> encode_out_of_fold(codes, answers, state).tolist()
        [[7.0], [5.0]]
    """
    folds = min(state["folds"], len(codes))
    fold = np.random.default_rng(_SEED).permutation(len(codes)) % max(1, folds)
    count = int(codes.max(initial=0)) + 1
    encoded = np.empty_like(answers)
    for index in range(folds):
        held = fold == index
        means = _means(codes[~held], answers[~held], count, state["smoothing"])
        encoded[held] = means[codes[held]]
    return encoded


def _means(
    codes: NDArray[np.int64], answers: NDArray[np.float64], count: int, smoothing: float
) -> NDArray[np.float64]:
    """Return the mean of each code, drawn towards that of all rows where it has few rows."""
    rows = np.bincount(codes, minlength=count)[:, None]
    sums = np.zeros((count, answers.shape[1]))
    np.add.at(sums, codes, answers)
    overall = answers.mean(axis=0) if len(answers) else np.zeros(answers.shape[1])
    weight = rows + smoothing
    return np.where(weight > 0, sums + smoothing * overall, overall) / np.where(
        weight > 0, weight, 1.0
    )
