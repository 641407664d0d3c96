"""The network beside its baselines: names, scores and intervals on one scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import THIN, is_number, is_share, metric_texts
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.strips import Span, track, track_axis, track_scale
from deepwell.evaluation.verdict import what_is

SHORT = {"network": "net", "model": "model"}


def noun(record: Record) -> str:
    """Return what was trained, "network" or "model"."""
    return what_is(str(record.layers.get("model") or ""))


def primary_of(evaluation: Json) -> str:
    """Return the metric that decides, "" for a run that was not scored."""
    metrics: Mapping[str, Json] = evaluation.get("metrics") or {}
    primary = str(evaluation.get("primary"))
    return primary if primary in metrics else next(iter(metrics), "")


def metric_title(evaluation: Json, metric: str) -> str:
    """Return the name of a metric for people."""
    titles: Mapping[str, str] = evaluation.get("titles") or {}
    known = METRICS[metric].title if metric in METRICS else metric.replace("_", " ")
    return titles.get(metric) or known


def is_lower_better(metric: str) -> bool:
    """Say whether a lower value is better."""
    return metric in METRICS and METRICS[metric].better == "lower"


def metric_unit(metric: str) -> str:
    """Return "target", "share" or "plain"."""
    return METRICS[metric].unit if metric in METRICS else "plain"


def contest(record: Record, primary: str) -> dict[str, Any] | None:
    """Return one line for the net and one for each baseline, on a common scale."""
    evaluation = record.evaluation
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
            **_contender(record, primary, name, metric),
            "track": track(
                spans[name], scale, described=_spoken(record, primary, name), threshold=goal
            )
            if name in spans
            else "",
        }
        for name, metric in entries
    ]
    axis = track_axis(scale, in_percent=is_share(primary))
    return {
        "title": metric_title(evaluation, primary),
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


def _contender(record: Record, primary: str, name: str, metric: Json) -> dict[str, Any]:
    value, interval = metric_texts(primary, metric)
    title, detail = names_of(record, name)
    return {
        "title": title,
        "detail": detail,
        "value": value,
        "interval": interval,
        "is_net": name == "net",
        "outcome": _outcome(record, primary, name),
    }


def names_of(record: Record, name: str) -> tuple[str, str]:
    """Return the name of a contender and what it is."""
    titles = {
        "net": f"This {noun(record)}",
        "constant": "Constant",
        "linear": "Linear",
        "boosting": "Boosting",
    }
    detail = (record.evaluation.get("baseline_titles") or {}).get(name, "")
    return titles.get(name, name), detail


def _outcome(record: Record, primary: str, name: str) -> dict[str, str] | None:
    """Say whether the net is better than this baseline, and by how much."""
    for comparison in record.evaluation.get("comparisons") or ():
        if comparison.get("baseline") == name and comparison.get("metric") == primary:
            return _difference(comparison, primary, SHORT[noun(record)])
    return None


def _difference(comparison: Json, primary: str, short: str) -> dict[str, str]:
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
    return {"kind": outcome, "text": f"{short} {outcome} by {value}", "interval": interval}


def _spoken(record: Record, primary: str, name: str) -> str:
    evaluation = record.evaluation
    metric = evaluation["metrics"] if name == "net" else evaluation["baselines"][name]
    value, interval = metric_texts(primary, metric[primary])
    end = f", interval {interval}" if interval else ""
    return f"{names_of(record, name)[0]}: {metric_title(evaluation, primary)} {value}{end}"
