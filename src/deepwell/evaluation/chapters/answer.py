"""All scores of the network and its baselines, also for each target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deepwell.evaluation.contest import is_lower_better, metric_title, names_of, primary_of
from deepwell.evaluation.numerals import duration, is_number, metric_texts, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter, confidence

MOST_TARGETS = 200
"""Lines of the table of single targets; evaluation.json has all."""


def answer_chapter(record: Record) -> Chapter | None:
    """Return every score of the network beside its baselines."""
    primary = primary_of(record.evaluation)
    if not primary:
        return None
    view = {
        "table": _metrics_table(record, primary),
        "notes": _baseline_notes(record),
        "by_target": _by_target(record.evaluation),
        "confidence": confidence(record),
    }
    return Chapter("answer", "All scores", view)


def _metrics_table(record: Record, primary: str) -> dict[str, Any]:
    """Return all metrics of the net and its baselines; the best of each line is marked."""
    evaluation = record.evaluation
    baselines: Mapping[str, Json] = evaluation.get("baselines") or {}
    contenders = {"net": evaluation["metrics"], **baselines}
    names = sorted(evaluation["metrics"], key=lambda name: name != primary)
    return {
        "heads": [names_of(record, name)[0] for name in contenders],
        "rows": [
            {
                "title": metric_title(evaluation, name),
                "is_primary": name == primary,
                "direction": "lower is better" if is_lower_better(name) else "higher is better",
                "is_lower": is_lower_better(name),
                "cells": _cells(name, [scores.get(name) or {} for scores in contenders.values()]),
            }
            for name in names
        ],
    }


def _cells(metric: str, scores: Sequence[Json]) -> list[dict[str, Any]]:
    values = [score["value"] for score in scores if is_number(score.get("value"))]
    choose = min if is_lower_better(metric) else max
    best = choose(values) if len(values) > 1 else None
    cells: list[dict[str, Any]] = []
    for score in scores:
        value, interval = metric_texts(metric, score)
        is_best = best is not None and score.get("value") == best
        cells.append({"value": value, "interval": interval, "is_best": is_best})
    return cells


def _baseline_notes(record: Record) -> list[tuple[str, str]]:
    """Say how each baseline was made and how long it took."""
    evaluation = record.evaluation
    notes: Mapping[str, str] = evaluation.get("baseline_notes") or {}
    seconds: Mapping[str, Any] = evaluation.get("baseline_seconds") or {}
    lines: list[tuple[str, str]] = []
    for name in evaluation.get("baselines") or ():
        title, detail = names_of(record, name)
        time = f"Took {duration(seconds[name])}." if is_number(seconds.get(name)) else ""
        parts = [f"{detail}." if detail else "", notes.get(name) or "", time]
        lines.append((title, " ".join(part for part in parts if part)))
    return lines


def _by_target(evaluation: Json) -> dict[str, Any] | None:
    """Return the metrics of each of several numeric targets."""
    by_target: Mapping[str, Json] = evaluation.get("by_target") or {}
    if not by_target:
        return None
    names = list(next(iter(by_target.values())))
    return {
        "heads": [metric_title(evaluation, name) for name in names],
        "rows": [
            {
                "target": shortened(target, 60),
                "cells": [metric_texts(name, {"value": values.get(name)})[0] for name in names],
            }
            for target, values in list(by_target.items())[:MOST_TARGETS]
        ],
    }
