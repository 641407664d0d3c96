"""Exact ties: a column that is a function of the target, and columns that say the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.leakage.alone import Feature, as_columns, ranks
from deepwell.evaluation.leakage.question import Question
from deepwell.evaluation.means import Floats

FEWEST_ROWS = 20
"""Of fewer rows, an order without exception says nothing."""
FEWEST_OUTSIDE = 10
"""So many rows must lie outside the largest group of equal values."""
ROWS_A_VALUE = 5
"""A category decides the class only if its values are seen so often on average."""
MOST_SUMMANDS = 6


def tie(one: Feature, question: Question) -> Literal["copy", "function"] | None:
    """Say whether a column is a copy or another exact function of the target, or neither.

    Numbers: either is a function of the other that never turns. Classes: each value of the
    column has one class.

    Args:
        one: The column.
        question: The target of the same rows.
    """
    known = ~one.is_missing
    if one.values.shape[1] > 1 or known.sum() < FEWEST_ROWS:
        return None
    values, truth = one.values[known, 0], question.truth[known]
    if question.labels:
        return "function" if _decides(values, truth) else None
    if one.raw is not None and np.array_equal(one.raw[known], truth):
        return "copy"
    if one.is_code:
        values = _by_mean(values, truth)
    return "function" if _is_monotone(values, truth) else None


def _by_mean(codes: Floats, truth: Floats) -> Floats:
    """Put categories in the order of their mean; rare ones make it no order without exception."""
    distinct, places, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(distinct) * ROWS_A_VALUE > len(codes):
        return np.zeros(len(codes))
    means = np.bincount(places, truth) / counts
    return ranks(means)[places]


def _decides(values: Floats, classes: NDArray[np.int64]) -> bool:
    """Say whether each value has one class only, and is seen often enough for that to count."""
    distinct = np.unique(values)
    if len(distinct) * ROWS_A_VALUE > len(values) or len(np.unique(classes)) < 2:
        return False
    if np.unique(classes, return_counts=True)[1].max() > len(classes) - FEWEST_OUTSIDE:
        return False
    pairs = np.unique(np.stack([values, classes]), axis=1)
    return pairs.shape[1] == len(distinct)


def _is_monotone(values: Floats, truth: Floats) -> bool:
    for side in (values, truth):
        counts = np.unique(side, return_counts=True)[1]
        if len(side) - counts.max() < FEWEST_OUTSIDE:
            return False
    for sign in (1, -1):
        order = np.lexsort((truth, sign * values))
        if (np.diff(truth[order]) >= 0).all():
            return True
    return False


@dataclass(frozen=True, slots=True)
class Gaps:
    """What the gaps of a column tell.

    Args:
        skill: Classes: the difference of both shares. Numbers: the share of the variance that
            knowing the gaps explains; 1 if all rows with a gap lie above or below the others.
        label: The class that is told best; "" for numbers.
        inside: Share of its rows that have a gap.
        elsewhere: Share of the other rows.
    """

    skill: float
    label: str = ""
    inside: float = 0.0
    elsewhere: float = 0.0


def told_by_gaps(one: Feature, question: Question) -> Gaps:
    """Say how well it tells the target whether a column has a value."""
    gaps = one.is_missing
    if min(gaps.sum(), (~gaps).sum()) < FEWEST_OUTSIDE:
        return Gaps(0.0)
    if not question.labels:
        if _is_monotone(gaps.astype(np.float64), question.truth):
            return Gaps(1.0)
        return Gaps(float(np.corrcoef(gaps, question.truth)[0, 1] ** 2))
    members = as_columns(question)
    sizes, with_gap = members.sum(axis=0), members.T @ gaps
    inside = with_gap / np.maximum(sizes, 1)
    elsewhere = (gaps.sum() - with_gap) / np.maximum(len(gaps) - sizes, 1)
    lift = np.where(sizes >= FEWEST_OUTSIDE, np.abs(inside - elsewhere), 0.0)
    best = int(lift.argmax())
    return Gaps(
        float(lift[best]), question.labels[best], float(inside[best]), float(elsewhere[best])
    )


def summands(features: Sequence[Feature], question: Question) -> tuple[list[str], bool]:
    """Find columns of numbers whose weighted sum is the target in every row.

    Returns:
        Their names, empty if there is no such sum, and whether each weight is 1 or -1.
    """
    numeric = [one for one in features if one.raw is not None and not one.is_missing.any()]
    rows = len(question.truth)
    if question.labels or len(numeric) < 2 or rows < 2 * len(numeric) + FEWEST_ROWS:
        return [], False
    matrix = np.stack([one.raw for one in numeric if one.raw is not None], axis=1)
    centre, spread = matrix.mean(axis=0), matrix.std(axis=0)
    spread[spread == 0] = 1.0
    truth = question.truth - question.truth.mean()
    scaled = (matrix - centre) / spread
    weights, _, rank, _ = np.linalg.lstsq(scaled, truth, rcond=1e-10)
    size = np.abs(truth).max()
    if np.abs(scaled @ weights - truth).max() > 1e-8 * size or rank < len(numeric):
        return [], False
    used = np.flatnonzero(np.abs(weights) > 1e-7 * size)
    if not 2 <= len(used) <= MOST_SUMMANDS:
        return [], False
    is_plain = bool(np.allclose(np.abs(weights[used] / spread[used]), 1.0, rtol=1e-5))
    return [numeric[index].name for index in used], is_plain


def duplicates(features: Sequence[Feature]) -> list[list[str]]:
    """Return groups of columns of which each tells all that the others do.

    Few values: one value here stands for one value there. Values that mostly differ: the order
    of the rows by them is the same, or the reverse.
    """
    groups: dict[bytes, list[str]] = {}
    for one in features:
        if one.values.shape[1] == 1 and one.distinct > 1:
            groups.setdefault(_signature(one), []).append(one.name)
    return [names for names in groups.values() if len(names) > 1]


def _signature(one: Feature) -> bytes:
    values = np.where(one.is_missing, -1.0, one.values[:, 0])
    if one.distinct * 2 > len(values) and not one.is_code:
        order = ranks(one.values[:, 0])
        first = order[~np.isnan(order)][0]
        if first * 2 > np.nanmax(order):  # a reversed order has the same signature
            order = np.nanmax(order) - order
        return np.nan_to_num(order, nan=-1.0).tobytes()
    _, starts, codes = np.unique(values, return_index=True, return_inverse=True)
    by_appearance = np.argsort(np.argsort(starts))
    return by_appearance[codes].tobytes() + one.is_missing.tobytes()
