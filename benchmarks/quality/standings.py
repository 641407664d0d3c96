"""Who answers best over many sets: ranks, and how far each is from the best."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.quality.sets import SETS, Set

CONTENDERS = ("deepwell", "boosting", "lightgbm", "xgboost", "catboost")


@dataclass(frozen=True, slots=True)
class Standing:
    """One contender over some sets.

    Args:
        contender: Its name.
        rank: Mean over the sets, 1 where it was the best of all; equals share their ranks.
        share: Mean over the sets of its score relative to the best one, at most 1.
        firsts: On how many sets nothing was better.
    """

    contender: str
    rank: float
    share: float
    firsts: int


def standings(
    rows: Iterable[Mapping[str, Any]], names: Iterable[str]
) -> tuple[list[Standing], list[str]]:
    """Rank the contenders over the sets on which all of them were tried.

    A set counts once: by the mean over its divisions. One who failed there comes last, and gets
    nothing of the best score.

    Args:
        rows: Results: each of one division of a set, with `scores` by contender.
        names: The sets to count.

    Returns:
        The contenders by rank, and the names of the sets that counted.
    """
    rows = list(rows)
    found = {name: mean_scores([row for row in rows if row["set"] == name]) for name in names}
    whole = {n: scores for n, scores in found.items() if all(c in scores for c in CONTENDERS)}
    if not whole:
        return [], []
    ranks = [_ranks(SETS[name], scores) for name, scores in whole.items()]
    shares = [_shares(SETS[name], scores) for name, scores in whole.items()]
    table = [
        Standing(
            contender,
            statistics.mean(rank[contender] for rank in ranks),
            statistics.mean(share[contender] for share in shares),
            sum(share[contender] == 1.0 for share in shares),
        )
        for contender in CONTENDERS
    ]
    return sorted(table, key=lambda standing: standing.rank), list(whole)


def mean_scores(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """Return each contender's mean over divisions of one set; None for one that failed.

    One that was not tried on all of the divisions is left out.
    """
    means: dict[str, float | None] = {}
    for contender in dict.fromkeys(name for row in rows for name in row["scores"]):
        tried = [row["scores"].get(contender) for row in rows]
        if all(tried):
            scores = [one["score"] for one in tried if one]
            means[contender] = None if None in scores else statistics.mean(scores)
    return means


def _ranks(one: Set, scores: Mapping[str, float | None]) -> dict[str, float]:
    sign = -1.0 if one.is_higher_better else 1.0
    heights = {
        name: float("inf") if (score := scores[name]) is None else sign * score
        for name in CONTENDERS
    }
    return {
        name: 0.5
        + sum(other < own for other in heights.values())
        + sum(other == own for other in heights.values()) / 2
        for name, own in heights.items()
    }


def _shares(one: Set, scores: Mapping[str, float | None]) -> dict[str, float]:
    known = [score for name in CONTENDERS if (score := scores[name]) is not None]
    if not known:
        return dict.fromkeys(CONTENDERS, 0.0)
    best = max(known) if one.is_higher_better else min(known)
    return {name: _share(one, scores[name], best) for name in CONTENDERS}


def _share(one: Set, score: float | None, best: float) -> float:
    if score is None:
        return 0.0
    if score == best:
        return 1.0
    return score / best if one.is_higher_better else best / score
