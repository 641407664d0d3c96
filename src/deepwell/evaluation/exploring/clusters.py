"""k-means for several numbers of clusters, and three ways to choose among them."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Generator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.means import Floats
from deepwell.evaluation.numerals import number

MOST_CLUSTERS = 10
ROWS_A_CLUSTER = 10
WIDEST = 20
"""Wider points are clustered along so many main directions: distances in more say little."""
REFERENCES = 10
CLEAR, WEAK = 0.5, 0.25
"""Silhouettes, after Kaufman and Rousseeuw: from here on clusters are clear, or weak."""
MEASURED = 1000
"""Rows on which gap and silhouette are measured; of more, a sample is taken."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One number of clusters.

    Args:
        k: How many.
        inertia: Sum of the squared distances to the centres.
        silhouette: From -1 to 1, how much nearer rows are to their own cluster; None for one.
        gap: How much smaller log inertia is than for rows without clusters.
        gap_error: Its standard error.
    """

    k: int
    inertia: float
    silhouette: float | None
    gap: float
    gap_error: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Clustering:
    """The chosen clusters.

    Args:
        k: How many.
        reason: Why so many.
        candidates: All numbers that were tried.
        by_elbow: What the elbow of the inertia says.
        by_gap: What the gap statistic says.
        by_silhouette: What the silhouette says; None if only one cluster was tried.
        labels: Cluster of each row, the largest cluster is 0, shape (rows,).
    """

    k: int
    reason: str
    candidates: tuple[Candidate, ...]
    by_elbow: int
    by_gap: int
    by_silhouette: int | None
    labels: NDArray[np.int64]


def cluster(values: Floats, *, clusters: int | None = None, seed: int = 0) -> Clustering:
    """Run k-means for each number of clusters and choose one.

    The gap statistic says whether there are clusters at all; if there are, the silhouette says how
    many.

    Args:
        values: Points, shape (rows, features).
        clusters: How many, if somebody knows; None chooses.
        seed: Same seed, same clusters.

    Reference:
        Rousseeuw (1987), Silhouettes; Tibshirani, Walther and Hastie (2001), Estimating the number
        of clusters in a data set via the gap statistic.
    """
    values = _narrowed(values, seed)
    distinct = len(np.unique(values, axis=0))
    most = max(1, min(MOST_CLUSTERS, len(values) // ROWS_A_CLUSTER, distinct - 1))
    tried = range(1, max(most, clusters or 1) + 1)
    with _calm():
        candidates = _candidates(values, tried, seed)
        by_gap = choose_by_gap(candidates)
        by_silhouette = choose_by_silhouette(candidates)
        k, reason = _choose(clusters, by_gap, by_silhouette, candidates)
        labels = _by_size(_labels(values, k, seed, tries=10))
    return Clustering(
        k=k,
        reason=reason,
        candidates=candidates,
        by_elbow=choose_by_elbow(candidates),
        by_gap=by_gap,
        by_silhouette=by_silhouette,
        labels=labels,
    )


def _narrowed(values: Floats, seed: int) -> Floats:
    from sklearn.decomposition import PCA

    if min(values.shape) <= WIDEST:
        return values
    return np.asarray(PCA(WIDEST, random_state=seed).fit_transform(values))


@contextlib.contextmanager
def _calm() -> Generator[None]:
    """Silence warnings about points that coincide: fewer clusters than asked for are fine."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _fit(values: Floats, k: int, seed: int, tries: int) -> tuple[NDArray[np.int64], float]:
    from sklearn.cluster import KMeans

    model: Any = KMeans(k, random_state=seed).set_params(n_init=tries).fit(values)
    return model.labels_.astype(np.int64), float(model.inertia_)


def _labels(values: Floats, k: int, seed: int, tries: int) -> NDArray[np.int64]:
    return _fit(values, k, seed, tries)[0]


def _candidates(values: Floats, tried: Sequence[int], seed: int) -> tuple[Candidate, ...]:
    generator = np.random.default_rng(seed)
    rows = np.arange(len(values))
    if len(rows) > MEASURED:
        rows = np.sort(generator.choice(rows, MEASURED, replace=False))
    part = values[rows]
    references = _without_clusters(part, generator)
    found: list[Candidate] = []
    for k in tried:
        labels, inertia = _fit(part, k, seed, 4)
        logs = np.array([_log(_fit(one, k, seed, 1)[1]) for one in references])
        error = float(logs.std() * (1 + 1 / REFERENCES) ** 0.5)
        gap = float(logs.mean()) - _log(inertia)
        scale = len(values) / len(part)
        found.append(Candidate(k, inertia * scale, _silhouette(part, labels), gap, error))
    return tuple(found)


def _log(inertia: float) -> float:
    return float(np.log(max(inertia, 1e-12)))


def _without_clusters(values: Floats, generator: np.random.Generator) -> list[Floats]:
    """Draw points evenly from the box along the principal directions, several times."""
    _, _, directions = np.linalg.svd(values, full_matrices=False)
    turned = values @ directions.T
    low, high = turned.min(axis=0), turned.max(axis=0)
    return [generator.uniform(low, high, turned.shape) for _ in range(REFERENCES)]


def _silhouette(values: Floats, labels: NDArray[np.int64]) -> float | None:
    from sklearn.metrics import silhouette_score

    number = len(np.unique(labels))
    return float(silhouette_score(values, labels)) if 1 < number < len(values) else None


def choose_by_gap(candidates: Sequence[Candidate]) -> int:
    """Return the least number whose gap is within an error of the next one's.

    Example:
        >>> choose_by_gap([Candidate(1, 9, None, 0.1, 0.1), Candidate(2, 3, 0.5, 0.9, 0.1),
        ...     Candidate(3, 2, 0.4, 0.8, 0.1)])
        2
    """
    for one, after in itertools.pairwise(candidates):
        if one.gap >= after.gap - after.gap_error:
            return one.k
    return candidates[-1].k


def choose_by_silhouette(candidates: Sequence[Candidate]) -> int | None:
    """Return the number with the highest silhouette, None where there is none."""
    known = [(one.silhouette, -one.k) for one in candidates if one.silhouette is not None]
    return -max(known)[1] if known else None


def choose_by_elbow(candidates: Sequence[Candidate]) -> int:
    """Return the number at which the inertia bends most: farthest below the line of its ends.

    Example:
        >>> choose_by_elbow([Candidate(k, inertia, None, 0, 0)
        ...     for k, inertia in ((1, 100.0), (2, 20.0), (3, 15.0), (4, 12.0))])
        2
    """
    inertias = np.array([one.inertia for one in candidates])
    drop = inertias[0] - inertias[-1]
    if len(candidates) < 3 or drop <= 0:
        return candidates[0].k
    line = 1 - np.linspace(0, 1, len(candidates))
    below = line - (inertias - inertias[-1]) / drop
    return candidates[int(np.argmax(below))].k


def _one(candidates: Sequence[Candidate]) -> str:
    """Say why one cluster is chosen, and what the silhouette says of more, which may be otherwise.

    The gap compares with rows spread evenly over a box: long tails make the box wide, and one
    cluster then looks good beside it, whatever lies inside.
    """
    one, two = candidates[:2]
    best = max(candidates[1:], key=lambda other: (other.silhouette or -1.0, -other.k))
    gaps = f"{number(one.gap, 3)} with one cluster, {number(two.gap, 3)} with two"
    text = f"by the gap statistic a second one does not make rows closer ({gaps})."
    if best.silhouette is None or best.silhouette <= WEAK:
        return text
    return (
        f"{text} The silhouette sees {strength(best.silhouette)} groups all the same "
        f"({number(best.silhouette, 2)} with {best.k}): look at the picture, and at --clusters "
        f"{best.k}."
    )


def _choose(
    asked: int | None, by_gap: int, by_silhouette: int | None, candidates: Sequence[Candidate]
) -> tuple[int, str]:
    if asked is not None:
        return asked, f"{asked} as asked for."
    if by_silhouette is None:
        return 1, "there are too few different rows to tell."
    if by_gap == 1:
        return 1, _one(candidates)
    return by_silhouette, (
        f"The gap statistic finds clusters; the silhouette is highest for {by_silhouette} of them."
    )


def _by_size(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Number the clusters from the largest to the smallest."""
    sizes = np.bincount(labels)
    ranks = np.empty(len(sizes), dtype=np.int64)
    ranks[np.argsort(-sizes, kind="stable")] = np.arange(len(sizes))
    return ranks[labels]


def strength(silhouette: float | None) -> str:
    """Say how clear clusters are.

    Reference:
        Kaufman and Rousseeuw (1990), Finding groups in data.

    Example:
        >>> strength(0.6), strength(0.1)
        ('clear', 'hardly more than a way of cutting')
    """
    if silhouette is None:
        return "not measurable"
    if silhouette > CLEAR:
        return "clear"
    return "weak" if silhouette > WEAK else "hardly more than a way of cutting"
