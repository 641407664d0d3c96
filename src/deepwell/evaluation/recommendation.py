"""How good ranked lists are: hit rate, recall, NDCG and reciprocal rank, with intervals over users.

A list is what one user is shown: candidates in the order of a score. What is asked is where the
candidates that the user really took stand in it. Users without any such candidate are left out.

Candidates of equal score have no order. They are counted as if dealt at random, exactly and not by
drawing: so a network that gives every candidate the same score is worth what chance is worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.errors import ConfigError, DataError
from deepwell.evaluation.intervals import Difference, Interval, Resamples, around, difference
from deepwell.evaluation.means import Floats

Ints = NDArray[np.int64]


def score_lists(
    users: Sequence[Any] | NDArray[Any],
    is_relevant: Sequence[bool] | NDArray[Any],
    scores: Sequence[float] | NDArray[Any],
    *,
    k: int = 10,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the mean of each metric over the users, with a bootstrap interval over the users.

    Args:
        users: The user of each candidate, shape (n,), in any order.
        is_relevant: Whether the user took the candidate, shape (n,).
        scores: Higher stands further up, shape (n,).
        k: Places of the list that count; all count for the reciprocal rank.
        resamples: Draws of users for the interval.
        confidence: Share of the draws inside the interval.
        seed: Of the draws.

    Returns:
        `hit_rate`, `recall`, `ndcg` and `mrr`, as `lists_by_user` defines them.

    Raises:
        DataError: Lengths that differ, a score that is no number, or no relevant candidate.
        ConfigError: `k` below 1.

    Example:
        >>> users = ["ann", "ann", "ann", "bob", "bob"]
        >>> taken = [False, True, False, True, False]
        >>> results = score_lists(users, taken, [0.9, 0.5, 0.1, 0.8, 0.2], k=1)
        >>> results["hit_rate"].value, results["mrr"].value
        (0.5, 0.75)
    """
    values = lists_by_user(users, is_relevant, scores, k=k).values
    draws = _draws(values, resamples, seed)
    return {
        name: around(float(of_user.mean()), draws[name], confidence)
        for name, of_user in values.items()
    }


def compare_lists(
    users: Sequence[Any] | NDArray[Any],
    is_relevant: Sequence[bool] | NDArray[Any],
    scores: tuple[Sequence[float] | NDArray[Any], Sequence[float] | NDArray[Any]],
    *,
    k: int = 10,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Difference]:
    """Return metric of the first scores − metric of the second, on the same candidates.

    Args:
        users: The user of each candidate, shape (n,).
        is_relevant: Whether the user took the candidate, shape (n,).
        scores: Of the two rankings, each of shape (n,).
        k: Places of the list that count.
        resamples: Draws of users for the interval; both rankings see the same ones.
        confidence: Share of the draws inside the interval.
        seed: Of the draws.

    Raises:
        DataError: Lengths that differ, a score that is no number, or no relevant candidate.
        ConfigError: `k` below 1.

    Example:
        >>> better, worse = [0.9, 0.1], [0.1, 0.9]
        >>> compared = compare_lists(["ann", "ann"], [True, False], (better, worse), k=1)
        >>> compared["hit_rate"].difference
        1.0
    """
    first, second = (lists_by_user(users, is_relevant, one, k=k).values for one in scores)
    draws = [_draws(values, resamples, seed) for values in (first, second)]
    return {
        name: difference(
            float(first[name].mean()),
            float(second[name].mean()),
            draws[0][name] - draws[1][name],
            confidence,
        )
        for name in first
    }


@dataclass(frozen=True, slots=True)
class ListsByUser:
    """The metrics of each user who took a candidate.

    Args:
        users: In order, shape (U,).
        values: Name of the metric to values, shape (U,).
    """

    users: NDArray[Any]
    values: dict[str, Floats]


def lists_by_user(
    users: Sequence[Any] | NDArray[Any],
    is_relevant: Sequence[bool] | NDArray[Any],
    scores: Sequence[float] | NDArray[Any],
    *,
    k: int = 10,
) -> ListsByUser:
    """Return the metrics of each user.

    ==========  ======================================================================
    hit_rate    1 if one of the first k candidates is relevant, else 0
    recall      relevant candidates among the first k, divided by all relevant ones
    ndcg        sum of 1 / log2(1 + place) over relevant candidates among the first k,
                divided by the largest sum that could be
    mrr         1 / place of the first relevant candidate, wherever it is
    ==========  ======================================================================

    Args:
        users: The user of each candidate, shape (n,).
        is_relevant: Whether the user took the candidate, shape (n,).
        scores: Higher stands further up, shape (n,).
        k: Places of the list that count.

    Raises:
        DataError: Lengths that differ, a score that is no number, or no relevant candidate.
        ConfigError: `k` below 1.

    Reference:
        Järvelin, Kekäläinen: Cumulated gain-based evaluation of IR techniques (2002). Ties:
        McSherry, Najork: Computing information retrieval performance measures efficiently in the
        presence of tied scores (2008).

    Example:
        >>> lists_by_user(["ann", "ann"], [True, False], [0.3, 0.3], k=1).values["hit_rate"]
        array([0.5])
    """
    names, ties = _ties(np.asarray(users), np.asarray(is_relevant), np.asarray(scores), k)
    shown = np.clip(k - ties.above, 0, ties.size)
    discounts = np.cumsum(np.append(0.0, 1 / np.log2(2 + np.arange(k))))
    gains = discounts[np.minimum(ties.above + ties.size, k)] - discounts[np.minimum(ties.above, k)]
    share = ties.relevant / ties.size
    count = len(names)
    total = np.bincount(ties.user, ties.relevant, count)
    missed = np.zeros(count)
    np.add.at(missed, ties.user, _log_none(ties.size, ties.relevant, shown))
    recall = np.bincount(ties.user, share * shown, count) / np.maximum(total, 1)
    ideal = discounts[np.minimum(np.maximum(total, 1), k).astype(np.int64)]
    values = {
        "hit_rate": 1 - np.exp(missed),
        "recall": recall,
        "ndcg": np.bincount(ties.user, share * gains, count) / ideal,
        "mrr": _reciprocal_ranks(ties, count),
    }
    has_relevant = total > 0
    return ListsByUser(
        names[has_relevant], {name: value[has_relevant] for name, value in values.items()}
    )


@dataclass(frozen=True, slots=True)
class _Ties:
    """Candidates of one user and one score, each array of shape (groups,), best scores first."""

    user: Ints
    above: Ints
    size: Ints
    relevant: Ints


def _ties(
    users: NDArray[Any], is_relevant: NDArray[Any], scores: NDArray[Any], k: int
) -> tuple[NDArray[Any], _Ties]:
    if k < 1:
        raise ConfigError(f"k is a number of places, 1 or more. Got: k={k}.")
    if not (users.shape == is_relevant.shape == scores.shape and users.ndim == 1):
        raise DataError(
            "users, is_relevant and scores must be lists of the same length. "
            f"Got shapes: {users.shape}, {is_relevant.shape} and {scores.shape}."
        )
    scores = scores.astype(np.float64)
    if np.isnan(scores).any():
        raise DataError(f"The score of candidate {int(np.isnan(scores).argmax())} is not a number.")
    if not is_relevant.astype(bool).any():
        raise DataError("No candidate is relevant: there is nothing to find in the lists.")
    names, codes = np.unique(users, return_inverse=True)
    order = np.lexsort((-scores, codes))
    codes, scores, relevant = codes[order], scores[order], is_relevant[order].astype(bool)
    is_first = np.append(True, (np.diff(codes) != 0) | (np.diff(scores) != 0))
    starts = np.flatnonzero(is_first)
    first_of_user = np.searchsorted(codes, codes[starts])
    return names, _Ties(
        user=codes[starts].astype(np.int64),
        above=(starts - first_of_user).astype(np.int64),
        size=np.diff(np.append(starts, len(codes))).astype(np.int64),
        relevant=np.add.reduceat(relevant.astype(np.int64), starts),
    )


def _log_none(size: Ints, relevant: Ints, shown: Ints) -> Floats:
    """Return the log of the chance that no relevant candidate is among those shown of a tie."""
    from scipy.special import gammaln

    others = size - relevant
    is_sure = shown > others
    shown = np.where(is_sure, 0, shown)
    ways = gammaln(others + 1.0) - gammaln(others - shown + 1.0)
    all_ways = gammaln(size + 1.0) - gammaln(size - shown + 1.0)
    return np.where(is_sure, -np.inf, ways - all_ways)


def _reciprocal_ranks(ties: _Ties, count: int) -> Floats:
    """Return the expected 1 / place of the first relevant candidate, shape (count,)."""
    ranks = np.zeros(count)
    groups = np.flatnonzero(ties.relevant)
    owners, first = np.unique(ties.user[groups], return_index=True)
    for user, group in zip(owners, groups[first], strict=True):
        above, size, relevant = (int(a[group]) for a in (ties.above, ties.size, ties.relevant))
        places = np.arange(1, size - relevant + 2)
        # chance that no relevant one stands before a place, given the tie's random order
        sizes, relevants = np.full(len(places), size), np.full(len(places), relevant)
        none = np.exp(_log_none(sizes, relevants, places - 1))
        here = none - np.append(none[1:], 0.0)
        ranks[user] = float((here / (above + places)).sum())
    return ranks


def _draws(values: dict[str, Floats], resamples: int, seed: int) -> dict[str, Floats]:
    names = list(values)
    columns = np.stack([values[name] for name in names])
    count = columns.shape[1]
    means = [columns @ drawn / count for drawn in Resamples(count, count=resamples, seed=seed)]
    joined = np.concatenate(means, axis=1)
    return dict(zip(names, joined, strict=True))
