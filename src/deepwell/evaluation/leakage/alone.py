"""What one column says by itself: a small tree, or the mean of each category, on unseen rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.kinds import KINDS
from deepwell.data.schema import ColumnSpec
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.evaluation.leakage.question import Question
from deepwell.evaluation.means import Floats

FOLDS = 3
MOST_LEAVES = 64
SMALLEST_LEAF = 5
WORDS = 100
"""A column of text is judged by the words that most rows have."""
BINS = 32
PRIOR = 1.0
"""Rows of the overall share that each category is joined with."""


@dataclass(frozen=True, slots=True, eq=False)
class Feature:
    """One column as numbers.

    Args:
        name: Of the column.
        values: Shape (n, k), float64. Numbers and dates as dense ranks with NaN for gaps, words
            as counts, categories as codes with -1 for gaps.
        is_code: Whether the values are codes without an order.
        raw: Numbers as they are, shape (n,), or None.
    """

    name: str
    values: Floats
    is_code: bool = False
    raw: Floats | None = None

    @property
    def is_missing(self) -> NDArray[np.bool_]:
        """Which rows have no value, shape (n,)."""
        return (self.values[:, 0] < 0) if self.is_code else np.isnan(self.values[:, 0])

    @property
    def distinct(self) -> int:
        """Number of different values, gaps apart."""
        return len(np.unique(self.values[~self.is_missing, 0]))


def feature(spec: ColumnSpec, column: Column) -> Feature | None:
    """Return a column as numbers, or None for pictures and what holds no value."""
    parsed = KINDS[spec.kind].parse(spec.name, column)
    if not isinstance(parsed, pl.Series) or parsed.null_count() == len(parsed):
        return None
    if spec.kind == "text":
        return _words(spec, parsed)
    if spec.kind in ("number", "date"):
        raw = parsed.to_physical().cast(pl.Float64).to_numpy().astype(np.float64)
        return Feature(spec.name, ranks(raw)[:, None], raw=raw)
    return coded(spec.name, parsed)


def coded(name: str, values: pl.Series) -> Feature:
    """Return values without an order as codes."""
    ranked = values.cast(pl.String).rank("dense")
    codes = ranked.cast(pl.Int64).fill_null(0).to_numpy().astype(np.float64) - 1
    return Feature(name, codes[:, None], is_code=True)


def numbered(name: str, values: NDArray[Any]) -> Feature:
    """Return numbers as a feature."""
    raw = np.asarray(values, dtype=np.float64)
    return Feature(name, ranks(raw)[:, None], raw=raw)


def ranks(values: Floats) -> Floats:
    """Return dense ranks from 0, NaN where there is no value: a tree sees no difference.

    Example:
        >>> ranks(np.array([30.0, 10.0, np.nan, 30.0])).tolist()
        [1.0, 0.0, nan, 1.0]
    """
    result = np.full(len(values), np.nan)
    known = ~np.isnan(values)
    result[known] = np.unique(values[known], return_inverse=True)[1]
    return result


def _words(spec: ColumnSpec, texts: pl.Series) -> Feature | None:
    kind = KINDS["text"]
    state = kind.fit(texts, EncodeSettings(text_features=WORDS))
    numbers = kind.encode(texts, state).numbers
    if numbers is None or not numbers.shape[1]:
        return None
    values = numbers.astype(np.float64)
    values[texts.is_null().to_numpy()] = np.nan
    return Feature(spec.name, values)


def folds(num_rows: int, seed: int) -> NDArray[np.int64]:
    """Return the fold of each row, shape (rows,), at random."""
    return np.random.default_rng(seed).permutation(num_rows) % FOLDS


def answers_alone(one: Feature, question: Question, fold: NDArray[np.int64]) -> Floats:
    """Return what this column alone answers for each row, learned from the other folds.

    Returns:
        Numbers (n,), or probabilities (n, K).
    """
    if one.is_code:
        return _by_category(one, question, fold)
    return _by_tree(one.values, question, fold)


def closest(features: Sequence[Feature], question: Question, limit: int) -> list[Feature]:
    """Return the columns that look closest to the target, by a rough measure that costs little."""
    if len(features) <= limit:
        return list(features)
    likeness = np.array([_likeness(one, question) for one in features])
    best = np.argsort(-likeness, kind="stable")[:limit]
    return [features[index] for index in np.sort(best)]


def _likeness(one: Feature, question: Question) -> float:
    """Share of the variance of the target between a few bins of a column; 1 for words."""
    if one.values.shape[1] > 1:
        return 1.0
    values = np.nan_to_num(one.values[:, 0], nan=-1.0)
    bins = (values * BINS / (values.max() + 1)).astype(np.int64) + 1
    bins[values < 0] = 0
    counts = np.bincount(bins, minlength=BINS + 1)
    sides = as_columns(question)
    sides = sides - sides.mean(axis=0)
    sums = np.stack([np.bincount(bins, side, minlength=BINS + 1) for side in sides.T])
    between = (sums**2 / np.maximum(counts, 1)).sum(axis=1)
    return float((between / np.maximum((sides**2).sum(axis=0), 1e-300)).max())


def _by_category(one: Feature, question: Question, fold: NDArray[np.int64]) -> Floats:
    """Mean of each category over the other folds, drawn to the overall mean where rows are few."""
    codes = one.values[:, 0].astype(np.int64) + 1
    size = int(codes.max()) + 1
    sides = as_columns(question)
    width = sides.shape[1]
    result = np.empty_like(sides)
    for held in np.unique(fold):
        is_held = fold == held
        learned, answers = codes[~is_held], sides[~is_held]
        counts = np.bincount(learned, minlength=size)[:, None]
        sums = np.stack(
            [np.bincount(learned, answers[:, k], minlength=size) for k in range(width)], axis=1
        )
        means = (sums + PRIOR * answers.mean(axis=0)) / (counts + PRIOR)
        result[is_held] = means[codes[is_held]]
    return result if question.labels else result[:, 0]


def as_columns(question: Question) -> Floats:
    """Return the truth as one column of numbers (n, 1), or one column of 0 and 1 a class."""
    if not question.labels:
        return np.asarray(question.truth, dtype=np.float64)[:, None]
    return np.eye(len(question.labels))[question.truth]


def _by_tree(values: Floats, question: Question, fold: NDArray[np.int64]) -> Floats:
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    result = np.zeros((len(values), max(1, len(question.labels))))
    for held in np.unique(fold):
        is_held = fold == held
        if question.labels:
            tree: Any = DecisionTreeClassifier(
                max_leaf_nodes=MOST_LEAVES, min_samples_leaf=SMALLEST_LEAF, random_state=0
            )
            tree.fit(values[~is_held], question.truth[~is_held])
            seen = np.asarray(tree.classes_, dtype=np.int64)
            result[np.ix_(is_held, seen)] = tree.predict_proba(values[is_held])
        else:
            tree = DecisionTreeRegressor(
                max_leaf_nodes=MOST_LEAVES, min_samples_leaf=SMALLEST_LEAF, random_state=0
            )
            tree.fit(values[~is_held], question.truth[~is_held])
            result[is_held, 0] = tree.predict(values[is_held])
    return result if question.labels else result[:, 0]


def answers_together(
    features: Sequence[Feature], question: Question, fold: NDArray[np.int64]
) -> tuple[Floats, NDArray[np.int64]]:
    """Return what boosted trees of several columns answer, and the rows that they answer for.

    With several classes, which cost a tree each, only the rows of the first fold.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    matrix = np.concatenate([one.values for one in features], axis=1).astype(np.float32)
    result = np.zeros((len(matrix), max(1, len(question.labels))))
    rounds = 40 if len(question.labels) <= 10 else 10
    options: dict[str, Any] = {
        "max_iter": rounds,
        "learning_rate": 0.2,
        "max_leaf_nodes": 15,
        "early_stopping": False,
        "random_state": 0,
    }
    used = np.unique(fold) if len(question.labels) <= 2 else np.unique(fold)[:1]
    for held in used:
        is_held = fold == held
        learned, truth = matrix[~is_held], question.truth[~is_held]
        if question.labels:
            if len(np.unique(truth)) < 2:
                result[is_held, truth[0]] = 1.0
                continue
            model: Any = HistGradientBoostingClassifier(**options).fit(learned, truth)
            seen = np.asarray(model.classes_, dtype=np.int64)
            result[np.ix_(is_held, seen)] = model.predict_proba(matrix[is_held])
        else:
            model = HistGradientBoostingRegressor(**options).fit(learned, truth)
            result[is_held, 0] = model.predict(matrix[is_held])
    rows = np.flatnonzero(np.isin(fold, used))
    answers = result[rows]
    return (answers if question.labels else answers[:, 0]), rows
