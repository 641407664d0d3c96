"""The chapters that tell what came out: verdict, calibration, mistakes."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

from deepwell.evaluation.figures import reliability
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import (
    MISSING,
    THIN,
    count,
    duration,
    is_number,
    is_share,
    metric_texts,
    number,
    percent,
    plural,
    shortened,
)
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter
from deepwell.evaluation.strips import Span, track, track_axis, track_scale

SAFE_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
"""Nothing but a picture inside the page may be loaded."""


def verdict_chapter(record: Record) -> Chapter | None:
    """Return the headline number, the verdict, and the net beside its baselines."""
    evaluation = record.evaluation
    metrics: Mapping[str, Json] = evaluation.get("metrics") or {}
    if not metrics:
        return None
    primary = str(evaluation.get("primary"))
    if primary not in metrics:
        primary = next(iter(metrics))
    success = evaluation.get("success")
    view = {
        "headline": _headline(record, primary, metrics[primary]),
        "verdict": evaluation.get("verdict") or "",
        "success": _success(success) if success else None,
        "chart": _contest(evaluation, primary),
        "table": _metrics_table(evaluation, primary),
        "notes": _baseline_notes(evaluation),
        "by_target": _by_target(evaluation),
        "confidence": confidence(record),
    }
    return Chapter("verdict", "The result", view)


def confidence(record: Record) -> str:
    """Return the share of the intervals, such as 95 %."""
    share = record.setting("evaluation", "confidence")
    return percent(share if is_number(share) else 0.95, 0)


def _title(evaluation: Json, metric: str) -> str:
    titles: Mapping[str, str] = evaluation.get("titles") or {}
    known = METRICS[metric].title if metric in METRICS else metric.replace("_", " ")
    return titles.get(metric) or known


def _is_lower_better(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].better == "lower"


def _headline(record: Record, primary: str, metric: Json) -> dict[str, Any]:
    value, interval = metric_texts(primary, metric)
    is_in_units = metric_unit(primary) == "target"
    test_rows = (record.evaluation.get("rows") or {}).get("test")
    return {
        "title": _title(record.evaluation, primary),
        "value": value,
        "interval": interval,
        "unit": " and ".join(shortened(name, 40) for name in record.targets[:2])
        if is_in_units and len(record.targets) < 3
        else "",
        "rows": plural(test_rows, "test row") if is_number(test_rows) else "the test rows",
        "direction": "lower is better" if _is_lower_better(primary) else "higher is better",
    }


def metric_unit(metric: str) -> str:
    """Return "target", "share" or "plain"."""
    return METRICS[metric].unit if metric in METRICS else "plain"


def _success(success: Json) -> dict[str, Any]:
    metric = str(success.get("metric") or "")
    value, threshold = (_exact(metric, success.get(key)) for key in ("value", "threshold"))
    operator = str(success.get("operator") or "").replace("<=", "≤").replace(">=", "≥")
    return {
        "is_met": bool(success.get("met")),
        "asked": f"{_title({}, metric)} {operator} {threshold}",
        "value": value,
    }


def _exact(metric: str, value: Any) -> str:
    """Write a value with so many digits that it is not mistaken for the threshold beside it."""
    if is_share(metric) and is_number(value):
        return f"{number(100 * value, 5)}{THIN}%"
    return number(value, 6)


def _contest(evaluation: Json, primary: str) -> dict[str, Any] | None:
    """Return one line for the net and one for each baseline, on a common scale."""
    baselines: Mapping[str, Json] = evaluation.get("baselines") or {}
    entries = [("net", evaluation["metrics"][primary])]
    entries += [(name, scores[primary]) for name, scores in baselines.items() if primary in scores]
    spans = {
        name: _span(name, metric) for name, metric in entries if is_number(metric.get("value"))
    }
    if "net" not in spans:
        return None
    goal = _threshold(evaluation, primary)
    scale = track_scale(list(spans.values()), goal)
    rows = [
        {
            **_contender(evaluation, primary, name, metric),
            "track": track(
                spans[name], scale, described=_spoken(evaluation, primary, name), threshold=goal
            )
            if name in spans
            else "",
        }
        for name, metric in entries
    ]
    axis = track_axis(scale, in_percent=is_share(primary))
    return {
        "title": _title(evaluation, primary),
        "rows": rows,
        "axis": axis,
        "has_goal": goal is not None,
    }


def _threshold(evaluation: Json, primary: str) -> float | None:
    success = evaluation.get("success") or {}
    threshold = success.get("threshold")
    return float(threshold) if success.get("metric") == primary and is_number(threshold) else None


def _span(name: str, metric: Json) -> Span:
    low, high = metric.get("low"), metric.get("high")
    return Span(
        float(metric["value"]),
        low if is_number(low) else None,
        high if is_number(high) else None,
        is_net=name == "net",
    )


def _contender(evaluation: Json, primary: str, name: str, metric: Json) -> dict[str, Any]:
    value, interval = metric_texts(primary, metric)
    title, detail = _names(evaluation, name)
    return {
        "title": title,
        "detail": detail,
        "value": value,
        "interval": interval,
        "is_net": name == "net",
        "outcome": _outcome(evaluation, primary, name),
    }


def _names(evaluation: Json, name: str) -> tuple[str, str]:
    """Return the name of a contender and what it is."""
    titles = {
        "net": "This network",
        "constant": "Constant",
        "linear": "Linear",
        "boosting": "Boosting",
    }
    detail = (evaluation.get("baseline_titles") or {}).get(name, "")
    return titles.get(name, name), detail


def _outcome(evaluation: Json, primary: str, name: str) -> dict[str, str] | None:
    """Say whether the net is better than this baseline, and by how much."""
    for comparison in evaluation.get("comparisons") or ():
        if comparison.get("baseline") == name and comparison.get("metric") == primary:
            return _difference(comparison, primary)
    return None


def _difference(comparison: Json, primary: str) -> dict[str, str]:
    outcome = str(comparison.get("outcome"))
    ends = [comparison.get(key) for key in ("difference", "low", "high")]
    sizes = [end for end in ends if is_number(end)]
    if len(sizes) < 3:
        return {"kind": outcome, "text": outcome, "interval": ""}
    if outcome == "undecided":
        return {"kind": outcome, "text": "too close to call", "interval": ""}
    low, high = sorted(abs(size) for size in sizes[1:])
    value, interval = metric_texts(primary, {"value": abs(sizes[0]), "low": low, "high": high})
    if is_share(primary):
        value, interval = value.removesuffix(f"{THIN}%"), interval.replace("%", "points")
    return {"kind": outcome, "text": f"net {outcome} by {value}", "interval": interval}


def _spoken(evaluation: Json, primary: str, name: str) -> str:
    metric = evaluation["metrics"] if name == "net" else evaluation["baselines"][name]
    value, interval = metric_texts(primary, metric[primary])
    end = f", interval {interval}" if interval else ""
    return f"{_names(evaluation, name)[0]}: {_title(evaluation, primary)} {value}{end}"


def _metrics_table(evaluation: Json, primary: str) -> dict[str, Any]:
    """Return all metrics of the net and its baselines; the best of each line is marked."""
    baselines: Mapping[str, Json] = evaluation.get("baselines") or {}
    contenders = {"net": evaluation["metrics"], **baselines}
    names = sorted(evaluation["metrics"], key=lambda name: name != primary)
    return {
        "heads": [_names(evaluation, name)[0] for name in contenders],
        "rows": [
            {
                "title": _title(evaluation, name),
                "is_primary": name == primary,
                "direction": "lower is better" if _is_lower_better(name) else "higher is better",
                "is_lower": _is_lower_better(name),
                "cells": _cells(name, [scores.get(name) or {} for scores in contenders.values()]),
            }
            for name in names
        ],
    }


def _cells(metric: str, scores: Sequence[Json]) -> list[dict[str, Any]]:
    values = [score["value"] for score in scores if is_number(score.get("value"))]
    choose = min if _is_lower_better(metric) else max
    best = choose(values) if len(values) > 1 else None
    cells: list[dict[str, Any]] = []
    for score in scores:
        value, interval = metric_texts(metric, score)
        is_best = best is not None and score.get("value") == best
        cells.append({"value": value, "interval": interval, "is_best": is_best})
    return cells


def _baseline_notes(evaluation: Json) -> list[tuple[str, str]]:
    """Say how each baseline was made and how long it took."""
    notes: Mapping[str, str] = evaluation.get("baseline_notes") or {}
    seconds: Mapping[str, Any] = evaluation.get("baseline_seconds") or {}
    lines: list[tuple[str, str]] = []
    for name in evaluation.get("baselines") or ():
        title, detail = _names(evaluation, name)
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
        "heads": [_title(evaluation, name) for name in names],
        "rows": [
            {
                "target": shortened(target, 60),
                "cells": [metric_texts(name, {"value": values.get(name)})[0] for name in names],
            }
            for target, values in by_target.items()
        ],
    }


def calibration_chapter(record: Record) -> Chapter | None:
    """Return whether the probabilities mean what they say."""
    calibration = record.evaluation.get("calibration")
    if not calibration or not any(one["count"] for one in calibration["bins"]):
        return None
    filled = [one for one in calibration["bins"] if one["count"]]
    rows = sum(one["count"] for one in filled)
    gap = sum(one["count"] * (one["predicted"] - one["observed"]) for one in filled) / rows
    error = calibration.get("error")
    stated, observed = calibration_axes(record)
    view = {
        "figure": reliability(calibration["bins"], stated=stated, observed=observed),
        "error": percent(error),
        "words": _calibration_words(error if is_number(error) else 0.0, gap),
        "bins": [
            {
                "predicted": percent(one["predicted"]),
                "observed": percent(one["observed"]),
                "count": count(one["count"]),
            }
            for one in filled
        ],
    }
    return Chapter("calibration", "Can its probabilities be trusted?", view)


def calibration_axes(record: Record) -> tuple[str, str]:
    """Return what the two axes of the reliability diagram are."""
    if record.task_name == "multiclass":
        return "how sure the network is (%)", "how often it is right (%)"
    labels = record.task.get("labels") or ()
    if record.task_name == "binary" and len(labels) == 2:
        name = shortened(str(labels[1]), 24)
        return f"stated probability of {name} (%)", f"share that is {name} (%)"
    return "stated probability (%)", "share for which it is so (%)"


def _calibration_words(error: float, gap: float) -> str:
    if error < 0.02:
        return "The probabilities can be taken at their word."
    size = "slightly" if error < 0.05 else "clearly" if error < 0.1 else "far"
    if abs(gap) < error / 3:
        return f"The probabilities are {size} off, partly too high and partly too low."
    side = "too high" if gap > 0 else "too low"
    advice = " Do not act on a single probability without correcting it." if error >= 0.05 else ""
    return f"The probabilities are {size} {side}.{advice}"


def mistakes_chapter(record: Record) -> Chapter | None:
    """Return the worst mistakes with their rows or pictures."""
    mistakes = record.evaluation.get("mistakes") or ()
    if not mistakes:
        return None
    shown = [_mistake(one) for one in mistakes]
    is_album = all(one["picture"] and not one["values"] for one in shown)
    return Chapter("mistakes", "The worst mistakes", {"mistakes": shown, "is_album": is_album})


def _mistake(mistake: Json) -> dict[str, Any]:
    picture = str(mistake.get("picture") or "")
    picture = picture if SAFE_PICTURE.fullmatch(picture) else ""
    values: Mapping[str, Any] = mistake.get("values") or {}
    return {
        "id": str(mistake.get("id", "")),
        "actual": _answer(mistake.get("actual")),
        "predicted": _answer(mistake.get("predicted")),
        "detail": shortened(mistake.get("detail") or "", 200),
        "values": [(shortened(key, 60), _answer(value, 300)) for key, value in values.items()],
        "picture": picture,
        "is_tiny": _is_tiny(picture),
    }


def _is_tiny(picture: str) -> bool:
    """Say whether a PNG is so small that its pixels are better shown as squares than blurred."""
    header = base64.b64decode(picture.partition(",")[2][:32])
    return header[:4] == b"\x89PNG" and int.from_bytes(header[16:20], "big") <= 64


def _answer(value: Any, limit: int = 80) -> str:
    """Write a value for people: long decimals are rounded, other text stays as it is."""
    text = MISSING if value is None or value == "" else str(value)
    if re.fullmatch(r"-?\d+\.\d{3,}", text):
        return number(float(text), 5)
    return shortened(text, limit)
