"""Exploring a matrix of points: clusters, components, and what they mean in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import ConfigError
from deepwell.evaluation.exploring.clusters import WEAK, Clustering, cluster, strength
from deepwell.evaluation.exploring.components import Components, components
from deepwell.evaluation.exploring.matrix import Matrix
from deepwell.evaluation.exploring.words import Group, describe_groups
from deepwell.evaluation.numerals import number, percent, plural

MOST_POINTS = 1500
"""Points of the picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What was found. `to_json` is the file beside the page.

    Args:
        source: Name of the data.
        what: What the points are made of.
        rows: Rows that were looked at.
        of_rows: All rows.
        features: Width of the matrix.
        clustering: The clusters and how their number was chosen.
        groups: The clusters in words, the largest first.
        components: The main directions.
        shown: Positions of the rows that the picture shows.
        notes: What a person should know.
    """

    source: str
    what: str
    rows: int
    of_rows: int
    features: int
    clustering: Clustering
    groups: tuple[Group, ...]
    components: Components
    shown: NDArray[np.int64]
    notes: tuple[str, ...]

    @property
    def summary(self) -> str:
        """The answer in words."""
        found = self.clustering
        if found.k == 1:
            known = [one.silhouette for one in found.candidates if one.silhouette is not None]
            sure = "" if max(known, default=0.0) <= WEAK else "sure "
            return f"No {sure}clusters: {found.reason}"
        score = next(one.silhouette for one in found.candidates if one.k == found.k)
        clear = f"They are {strength(score)}"
        return (
            f"{plural(found.k, 'cluster')}: {found.reason} {clear} (silhouette {number(score, 2)})."
        )

    @property
    def directions(self) -> str:
        """What the components say, in words."""
        first = sum(self.components.explained[:2])
        text = f"Two directions hold {percent(first, 0)} of the variance"
        needed = self.components.needed
        return f"{text}, {needed} hold 90 %." if needed is not None else f"{text}."

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        clusters, parts = self.clustering, self.components
        return {
            "source": self.source,
            "what": self.what,
            "rows": self.rows,
            "of_rows": self.of_rows,
            "features": self.features,
            "summary": self.summary,
            "notes": list(self.notes),
            "clusters": {
                "k": clusters.k,
                "reason": clusters.reason,
                "by_elbow": clusters.by_elbow,
                "by_gap": clusters.by_gap,
                "by_silhouette": clusters.by_silhouette,
                "candidates": [one.to_json() for one in clusters.candidates],
                "groups": [group.to_json() for group in self.groups],
            },
            "components": {
                "explained": list(parts.explained),
                "needed_for_90_percent": parts.needed,
                "loadings": [[list(pair) for pair in one] for one in parts.loadings],
            },
            "points": [
                [float(parts.places[i, 0]), float(parts.places[i, 1]), int(clusters.labels[i])]
                for i in self.shown
            ],
        }


def explore_matrix(
    matrix: Matrix,
    table: Table,
    schema: Schema,
    *,
    source: str,
    of_rows: int,
    clusters: int | None = None,
    seed: int = 0,
    columns: Sequence[str],
) -> Exploration:
    """Find clusters and main directions of points, and describe them by columns.

    Args:
        matrix: The points.
        table: The same rows, with the columns that may be named.
        schema: Their kinds.
        source: Name of the data.
        of_rows: All rows, of which the table may be a sample.
        clusters: How many; None chooses.
        seed: Same seed, same result.
        columns: By which clusters are described.

    Raises:
        ConfigError: More clusters than the rows can form.
    """
    rows = len(matrix.values)
    if clusters is not None and not 1 <= clusters <= rows // 2:
        raise ConfigError(
            f"clusters must lie between 1 and {rows // 2:,}, half of the rows. Got: {clusters}."
        )
    clustering = cluster(matrix.values, clusters=clusters, seed=seed)
    shown = np.arange(rows)
    if rows > MOST_POINTS:
        shown = np.sort(np.random.default_rng(seed).choice(rows, MOST_POINTS, replace=False))
    notes: list[str] = []
    if rows < of_rows:
        notes.append(f"A sample of {rows:,} of {of_rows:,} rows was looked at.")
    if not 0 < len(matrix.names) <= rows:
        notes.append("There are more features than rows: clusters may be those of chance.")
    return Exploration(
        source=source,
        what=matrix.what,
        rows=rows,
        of_rows=of_rows,
        features=len(matrix.names),
        clustering=clustering,
        groups=describe_groups(table, schema, clustering.labels, columns),
        components=components(matrix.values, matrix.names, seed=seed),
        shown=shown,
        notes=tuple(notes),
    )
