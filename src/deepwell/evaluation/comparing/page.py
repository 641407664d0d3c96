"""The picture of a comparison: scores and differences with their intervals, on one page."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.comparing.pairs import Pair
from deepwell.evaluation.comparing.result import ComparedRuns, Contender
from deepwell.evaluation.comparing.words import p_text
from deepwell.evaluation.intervals import Interval
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.numerals import (
    THIN,
    is_number,
    is_share,
    metric_texts,
    percent,
    plural,
    shortened,
)
from deepwell.evaluation.sheets import render_sheet
from deepwell.evaluation.strips import Span, track, track_axis, track_scale
from deepwell.evaluation.verdict import size_text


def render(result: ComparedRuns) -> str:
    """Return the comparison as one HTML page."""
    view = {
        **_opening(result),
        **_scores(result),
        **_pairs(result),
        "table": _table(result),
        "mcnemar": [_mcnemar(pair) for pair in result.pairs if pair.mcnemar],
    }
    return render_sheet("compare.html.j2", title=str(view["heading"]), view=view)


def _opening(result: ComparedRuns) -> dict[str, Any]:
    target = " and ".join(shortened(name, 40) for name in result.targets[:2])
    is_by_seed = any(one.spread is not None for one in result.contenders)
    noun = "configuration" if is_by_seed else "run"
    return {
        "heading": f"{plural(len(result.contenders), noun)} for {target}",
        "lead": f"Task {result.task}, {plural(result.rows, 'test row')}, decided by "
        f"{result.metric.title}.",
        "verdict": result.verdict,
        "notes": list(result.notes),
        "metric": result.metric.title,
        "confidence": percent(result.confidence, 0),
        "direction": _direction(result.metric),
        "dot": "mean over the seeds" if is_by_seed else "the test rows",
    }


def _direction(metric: Metric) -> str:
    return f"{metric.better} is better"


def _scores(result: ComparedRuns) -> dict[str, Any]:
    name = result.metric.name
    found = [
        (one, one.scores[name], value)
        for one in result.contenders
        if is_number(value := one.scores[name].value)
    ]
    spans = [
        Span(value, score.low, score.high, is_net=index == 0)
        for index, (_, score, value) in enumerate(found)
    ]
    scale = track_scale(spans) if spans else None
    rows: list[dict[str, Any]] = []
    for index, (one, score, _) in enumerate(found):
        value, interval = metric_texts(name, score.to_json())
        spoken = f"{one.name}: {value}" + (f", interval {interval}" if interval else "")
        rows.append(
            {
                "name": shortened(one.name, 40),
                "detail": contender_detail(one),
                "value": value,
                "interval": interval,
                "spread": spread_text(one, result.metric),
                "is_best": index == 0,
                "track": track(spans[index], scale, described=spoken) if scale else "",
            }
        )
    axis = track_axis(scale, in_percent=is_share(name)) if scale else ""
    return {"contenders": rows, "axis": axis}


def contender_detail(one: Contender) -> str:
    """Say which network a contender is, and by which seeds."""
    seeds = ", ".join(str(seed) for seed in one.seeds)
    return f"{one.model}, {'seed' if len(one.seeds) == 1 else 'seeds'} {seeds}"


def spread_text(one: Contender, metric: Metric) -> str:
    """Write the spread over the seeds; "" for a single run.

    Example:
        >>> from deepwell.evaluation.metrics import METRICS
        >>> one = Contender(name="a", runs=("a",), model="mlp", seeds=(0,), scores={}, spread=None,
        ...     values=(0.5,))
        >>> spread_text(one, METRICS["accuracy"])
        ''
    """
    if one.spread is None:
        return ""
    spread = one.spread.get(metric.name)
    return f"± {size_text(metric, spread)} over the seeds" if spread is not None else ""


def _pairs(result: ComparedRuns) -> dict[str, Any]:
    known = [(pair, pair.difference) for pair in result.pairs if is_number(pair.difference)]
    spans = [
        Span(size, pair.low, pair.high, is_net=pair.better != "undecided") for pair, size in known
    ]
    if not spans:
        return {"pairs": [], "pairs_axis": "", "pairs_words": "", "is_corrected": False}
    scale = track_scale(spans, 0.0)
    is_corrected = len(result.pairs) > 1
    rows: list[dict[str, Any]] = []
    for (pair, _), span in zip(known, spans, strict=True):
        value, interval = difference_texts(result.metric, pair)
        spoken = f"{pair.first} less {pair.second}: {value}, interval {interval or 'unknown'}"
        p = pair.p_corrected if is_corrected else pair.p
        rows.append(
            {
                "first": shortened(pair.first, 40),
                "second": shortened(pair.second, 40),
                "value": value,
                "interval": interval,
                "is_decided": pair.better != "undecided",
                "outcome": outcome_text(pair),
                "p": f"{'corrected ' if is_corrected else ''}p {p_text(p)}",
                "track": track(span, scale, described=spoken, threshold=0.0),
            }
        )
    axis = track_axis(scale, in_percent=is_share(result.metric.name))
    words = {
        "row": "Both runs of a pair are scored on the same draws of the test rows.",
        "group": "Both runs of a pair are scored on the same draws of whole groups of test rows.",
        "seed": "Runs of one seed are subtracted from each other.",
    }[result.unit]
    if is_corrected:
        words += (
            f" Whether a difference counts is decided by p-values after Holm’s correction for "
            f"{len(result.pairs)} comparisons."
        )
    return {"pairs": rows, "pairs_axis": axis, "pairs_words": words, "is_corrected": is_corrected}


def difference_texts(metric: Metric, pair: Pair) -> tuple[str, str]:
    """Write a difference and its interval; shares are in percentage points."""
    interval = Interval(pair.difference, pair.low, pair.high)
    value, ends = metric_texts(metric.name, interval.to_json())
    if metric.unit == "share":
        value = value.replace(f"{THIN}%", " points")
        ends = ends.replace(f"{THIN}%", " points")
    is_positive = is_number(pair.difference) and pair.difference > 0
    return (f"+{value}" if is_positive else value), ends


def outcome_text(pair: Pair) -> str:
    """Say who is better."""
    if pair.better == "undecided":
        return "no difference" if pair.difference == 0 else "too close to call"
    return f"{shortened(pair.first if pair.better == 'first' else pair.second, 24)} is better"


def _mcnemar(pair: Pair) -> dict[str, Any]:
    found = pair.mcnemar or {}
    return {
        "first": pair.first,
        "second": pair.second,
        "only_first": found.get("only_first"),
        "only_second": found.get("only_second"),
        "p": p_text(found.get("p")).removeprefix("= "),
    }


def _table(result: ComparedRuns) -> dict[str, Any]:
    metrics = sorted(result.metrics, key=lambda metric: metric.name != result.metric.name)
    return {
        "heads": [shortened(one.name, 30) for one in result.contenders],
        "rows": [
            {
                "title": metric.title,
                "is_primary": metric.name == result.metric.name,
                "is_lower": metric.better == "lower",
                "direction": _direction(metric),
                "cells": [_cell(metric, one.scores[metric.name]) for one in result.contenders],
            }
            for metric in metrics
        ],
    }


def _cell(metric: Metric, score: Interval) -> dict[str, str]:
    value, interval = metric_texts(metric.name, score.to_json())
    return {"value": value, "interval": interval}
