"""What a decision did to the rows that were scored, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import THIN, is_number, number, percent, plural
from deepwell.evaluation.record import Json

UNIT = f"{THIN}%"
TOLD = ("precision", "recall", "f1", "accuracy", "cost")


def decided_lines(decision: Json | None) -> list[str]:
    """Say what calibration, threshold and coverage did, as far as they were asked for.

    Args:
        decision: `decision` of evaluation.json, or None.

    Example:
        >>> reached = {"value": 0.92, "low": 0.88, "high": 0.95, "rows": 200}
        >>> parts = {"price": {**reached, "width": 31.5}}
        >>> kept = {"promised": 0.9, "kind": "absolute", "reached": reached, "parts": parts}
        >>> decided_lines({"coverage": kept})[0].partition(";")[2]
        ' mean width 31.5.'
    """
    if not decision:
        return []
    lines = [_calibrated(decision), _answered(decision), *_covered(decision.get("coverage"))]
    return [line for line in lines if line]


def answers_remark(decision: Json | None) -> str:
    """Say that answers chosen for another end cost accuracy, or "" where they do not.

    The simple models beside it answer the likelier class, so their accuracy is no fair measure.

    Args:
        decision: `decision` of evaluation.json, or None.

    Example:
        >>> answers = {"before": {"accuracy": 0.82}, "after": {"accuracy": 0.78}}
        >>> answers_remark({"answers": answers})[:49]
        'Its answers were chosen for another end than accu'
    """
    answers = (decision or {}).get("answers") or {}
    before, after = ((answers.get(when) or {}).get("accuracy") for when in ("before", "after"))
    if not (is_number(before) and is_number(after)) or after >= before:
        return ""
    return (
        f"Its answers were chosen for another end than accuracy, which is {percent(after)} by that "
        f"and was {percent(before)} before; the simple models answer the likelier class."
    )


def _calibrated(decision: Json) -> str:
    pair = decision.get("probabilities")
    if not pair or not decision.get("calibrator"):
        return ""
    before, after = pair["before"], pair["after"]
    return (
        f"Calibration ({decision['calibrator']}): error {percent(before['ece'])} before, "
        f"{percent(after['ece'])} after; log loss {number(before['log_loss'], 3)} before, "
        f"{number(after['log_loss'], 3)} after."
    )


def _answered(decision: Json) -> str:
    answers = decision.get("answers")
    if not answers:
        return ""
    before, after = answers["before"], answers["after"]
    parts = [
        f"{'mean cost' if name == 'cost' else _title(name)} {_written(name, before.get(name))} "
        f"before, {_written(name, after.get(name))} after"
        for name in TOLD
        if is_number(before.get(name)) or is_number(after.get(name))
    ]
    thresholds = answers.get("thresholds") or ()
    how = f"from {percent(thresholds[0])} on" if len(thresholds) == 1 else "chosen anew"
    return f"Answers ({how}): {'; '.join(parts)}."


def _title(name: str) -> str:
    title = METRICS[name].title
    return title if title.isupper() else title[0].lower() + title[1:]


def _written(name: str, value: Any) -> str:
    return number(value, 3) if name == "cost" else percent(value)


def _covered(coverage: Json | None) -> list[str]:
    if not coverage:
        return []
    is_classes = coverage["kind"].endswith("classes")
    reached = coverage["reached"]
    price = ""
    if is_classes:
        size = number(coverage["size"], 3)
        price = f"; {size} {'class' if size == '1' else 'classes'} in a set on average"
    elif len(coverage["parts"]) == 1:
        width = next(iter(coverage["parts"].values()))["width"]
        price = f"; mean width {number(width, 3)}"
    lines = [
        f"Coverage: {percent(coverage['promised'], 0)} was promised, {_share(reached)} of "
        f"{plural(reached['rows'], 'truth')} lie inside{price}."
    ]
    if shortfall := shortfall_words(coverage):
        lines[0] += f" {shortfall[0].upper()}{shortfall[1:]}."
    if coverage.get("per_class") or (not is_classes and len(coverage["parts"]) > 1):
        each = [f"{name} {_share(one)}" for name, one in coverage["parts"].items()]
        lines.append(f"Coverage of each: {', '.join(each)}.")
    return lines


def shortfall_words(coverage: Json) -> str:
    """Say that fewer truths lie inside than were promised, and why; "" where that is not so.

    Example:
        >>> few = {"promised": 0.9, "rows": 220, "reached": {"high": 0.88}, "is_short": False}
        >>> shortfall_words(few)
        'that is a little short, as it may be by chance where 220 rows taught the promise'
    """
    high, promised = coverage["reached"].get("high"), coverage["promised"]
    if not is_number(high) or high >= promised:
        return ""
    if coverage.get("is_short", True):
        return "that falls short: these rows differ from those that taught the promise"
    return (
        "that is a little short, as it may be by chance where "
        f"{plural(coverage['rows'], 'row')} taught the promise"
    )


def _share(one: Mapping[str, Any]) -> str:
    low, high = percent(one["low"]).removesuffix(UNIT), percent(one["high"])
    return f"{percent(one['value'])} [{low} – {high}]"
