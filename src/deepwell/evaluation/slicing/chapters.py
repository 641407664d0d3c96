"""The chapters of the report on slices and on fairness."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import (
    count,
    is_number,
    is_share,
    metric_texts,
    number,
    percent,
    shortened,
)
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.slicing.fairness_words import NO_VERDICT, gap_text, rate_text
from deepwell.evaluation.slicing.find import size
from deepwell.evaluation.story import Chapter
from deepwell.evaluation.strips import Span, track, track_axis, track_scale

MOST_OUTCOMES = 3
"""Classes whose rates are shown; the file has more."""


def slices_chapter(record: Record) -> Chapter | None:
    """Return the parts of the test rows on which the network is worst."""
    slices: Json = record.evaluation.get("slices") or {}
    if not slices.get("searched"):
        return None
    measure = str(slices["measure"])
    found = [_slice(one, measure) for one in slices["found"]]
    view = {
        "sentence": slices["sentence"],
        "measure": measure,
        "level": percent(slices["level"], 0),
        "found": found,
        "overall": size(measure, slices.get("overall")),
    }
    return Chapter("slices", "For which rows it is worse", view)


def _slice(one: Json, measure: str) -> dict[str, Any]:
    is_points = measure in ("error rate", "share of wrong labels")
    factor, unit = (100, " points") if is_points else (1, "")
    interval = ""
    if is_number(one["low"]) and is_number(one["high"]):
        interval = f"{number(factor * one['low'], 3)} to {number(factor * one['high'], 3)}{unit}"
    p = one["p"]
    return {
        "parts": [
            (shortened(name, 60), shortened(str(part), 60)) for name, part in one["columns"].items()
        ],
        "rows": count(one["rows"]),
        "share": percent(one["share"]),
        "value": size(measure, one["value"]),
        "rest": size(measure, one["rest"]),
        "difference": f"+{number(factor * one['difference'], 3)}{unit}",
        "interval": interval,
        "p": "< 0.01" if p < 0.01 else number(p, 2),
    }


def fairness_chapter(record: Record) -> Chapter | None:
    """Return how the groups of the named columns fare."""
    found: Json = record.evaluation.get("fairness") or {}
    columns = [_column(one, str(found["metric"])) for one in found.get("columns") or ()]
    if not columns:
        return None
    left_out = [shortened(name, 60) for name in found.get("left_out") or ()]
    view = {"columns": columns, "no_verdict": NO_VERDICT, "left_out": left_out}
    return Chapter("fairness", "How groups fare", view)


def _column(one: Json, metric: str) -> dict[str, Any]:
    outcomes = list(dict.fromkeys(rate["outcome"] for rate in one["rates"]))
    return {
        "name": shortened(one["column"], 60),
        "sentences": one["sentences"],
        "scores": _scores(one["groups"], metric),
        "tables": [
            _table(one, outcome, is_only=len(outcomes) == 1) for outcome in outcomes[:MOST_OUTCOMES]
        ],
        "more": max(0, len(outcomes) - MOST_OUTCOMES),
    }


def _scores(groups: list[Json], metric: str) -> dict[str, Any]:
    shown = [g for g in groups if g["score"] and is_number(g["score"]["value"])]
    spans = [Span(g["score"]["value"], g["score"]["low"], g["score"]["high"]) for g in shown]
    title = METRICS[metric].title if metric in METRICS else metric
    if not spans:
        return {"title": title, "rows": [], "axis": ""}
    scale = track_scale(spans)
    rows: list[dict[str, Any]] = []
    for group, span in zip(shown, spans, strict=True):
        value, interval = metric_texts(metric, group["score"])
        name = shortened(group["name"], 40)
        spoken = f"{name}: {title} {value}, interval {interval or 'unknown'}"
        rows.append(
            {
                "name": name,
                "rows": count(group["rows"]),
                "value": value,
                "interval": interval,
                "track": track(span, scale, described=spoken),
            }
        )
    return {
        "title": title,
        "rows": rows,
        "axis": track_axis(scale, in_percent=is_share(metric)),
    }


def _table(one: Json, outcome: str, *, is_only: bool) -> dict[str, Any]:
    """Return a line a group and a column a rate; the reference of each rate is marked."""
    rates = [rate for rate in one["rates"] if rate["outcome"] == outcome]
    names = [group["name"] for group in one["groups"] if not group["is_small"]]
    return {
        "title": "" if is_only else shortened(outcome, 60),
        "heads": [rate["title"] for rate in rates],
        "rows": [
            {"name": shortened(name, 40), "cells": [_cell(rate, name) for rate in rates]}
            for name in names
        ],
    }


def _cell(rate: Json, name: str) -> dict[str, Any]:
    found = next((value for value in rate["values"] if value["group"] == name), None)
    if found is None:
        return {"value": "too few rows", "gap": "", "is_reference": False}
    is_reference = name == rate["reference"]
    return {
        "value": rate_text(rate, found["value"]),
        "gap": "best-off"
        if is_reference and rate["best"] != "none"
        else "highest"
        if is_reference
        else gap_text(rate, found),
        "is_reference": is_reference,
    }
