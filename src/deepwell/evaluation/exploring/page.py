"""The page of an exploration."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.exploring.explore import Exploration
from deepwell.evaluation.exploring.figures import (
    COLOURS,
    choice_curve,
    map_of_rows,
    variance_bars,
)
from deepwell.evaluation.numerals import count, fixed, percent, plural, shortened
from deepwell.evaluation.sheets import render_sheet


def render(found: Exploration) -> str:
    """Return the exploration as one HTML page."""
    heading = f"Exploring {shortened(found.source, 60)}"
    view: dict[str, Any] = {
        "heading": heading,
        "lead": f"{plural(found.rows, 'row')}, {plural(found.features, 'feature')}: {found.what}.",
        "summary": found.summary,
        "directions": found.directions,
        "notes": list(found.notes),
        "map": map_of_rows(
            found.components.places[found.shown],
            found.clustering.labels[found.shown],
            found.components.explained,
        ),
        "groups": _groups(found),
        "curves": _curves(found),
        "variance": variance_bars(found.components.explained),
        "loadings": _loadings(found),
    }
    return render_sheet("explore.html.j2", title=heading, view=view)


def _groups(found: Exploration) -> list[dict[str, Any]]:
    return [
        {
            "number": index + 1,
            "colour": index % COLOURS,
            "name": group.name,
            "rows": count(group.rows),
            "share": percent(group.share, 0),
            "facts": [fact.text for fact in group.facts],
        }
        for index, group in enumerate(found.groups)
    ]


def _curves(found: Exploration) -> list[dict[str, Any]]:
    """Return the elbow, the gap statistic and the silhouette, each with what it says."""
    clusters, tried = found.clustering, found.clustering.candidates
    if len(tried) < 2:
        return []
    ks = [one.k for one in tried]
    curves: list[dict[str, Any]] = [
        {
            "figure": choice_curve(
                ks,
                [one.inertia for one in tried],
                title="inertia",
                chosen=clusters.by_elbow,
            ),
            "words": f"The elbow is at {clusters.by_elbow}: more clusters gain less.",
        },
        {
            "figure": choice_curve(
                ks,
                [one.gap for one in tried],
                title="gap statistic",
                chosen=clusters.by_gap,
                errors=[one.gap_error for one in tried],
            ),
            "words": f"Against rows without clusters it speaks for {clusters.by_gap}: the least "
            "number whose gap the next one does not exceed by more than its error.",
        },
    ]
    known = [(one.k, one.silhouette) for one in tried if one.silhouette is not None]
    if len(known) > 1:
        best = clusters.by_silhouette
        curves.append(
            {
                "figure": choice_curve(
                    [k for k, _ in known],
                    [score for _, score in known],
                    title="silhouette",
                    chosen=best,
                ),
                "words": f"Rows are nearest to their own cluster with {best}.",
            }
        )
    return curves


def _loadings(found: Exploration) -> list[dict[str, Any]]:
    parts = found.components
    return [
        {
            "title": f"Direction {index + 1}",
            "share": percent(parts.explained[index]),
            "weights": [
                {
                    "name": shortened(name, 50),
                    "weight": fixed(weight, 2),
                    "width": f"{100 * abs(weight):.1f}",
                    "is_negative": weight < 0,
                }
                for name, weight in weights
            ],
        }
        for index, weights in enumerate(parts.loadings)
    ]
