"""What a decision did to the rows that were scored, in a line each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import THIN, is_number, number, percent, plural, shortened
from deepwell.evaluation.record import Json

UNIT = f"{THIN}%"
MOST_CLASSES = 5
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


def answers_remark(decision: Json | None, primary: str) -> str:
    """Say how answers that were chosen for another end are judged, or "" where none were.

    Args:
        decision: `decision` of evaluation.json, or None.
        primary: The metric that decides.

    Example:
        >>> answers = {"before": {"accuracy": 0.82}, "after": {"accuracy": 0.82}}
        >>> answers_remark({"answers": answers}, "cost")
        'All answer with the least expected cost.'
    """
    answers = (decision or {}).get("answers")
    if not answers:
        return ""
    before, after = (answers[when].get("accuracy") for when in ("before", "after"))
    went = ""
    if is_number(before) and is_number(after) and after < before:
        went = f" Its accuracy went from {percent(before)} to {percent(after)} by that."
    if primary == "cost":
        return f"All answer with the least expected cost.{went}"
    return (
        f"Its threshold was chosen for another end than accuracy.{went} The simple models have "
        f"none, so all are judged by {_title(primary)}, which no threshold moves."
    )


def _calibrated(decision: Json) -> str:
    pair = decision.get("probabilities")
    if not pair or not decision.get("calibrator"):
        return ""
    before, after = pair["before"], pair["after"]
    return (
        f"Calibration ({decision['calibrator']}): calibration error (ECE) {percent(before['ece'])} "
        f"before, {percent(after['ece'])} after; Brier score {number(before['brier'], 3)} before, "
        f"{number(after['brier'], 3)} after; log loss {number(before['log_loss'], 3)} before, "
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
    yes = f'"{shortened(answers["yes"], 40)}" ' if answers.get("yes") else ""
    how = f"{yes}from {percent(thresholds[0])} on" if len(thresholds) == 1 else "chosen anew"
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
    lines[0] = " ".join(filter(None, [lines[0], shortfall(coverage), classes_below(coverage)]))
    if coverage.get("per_class") or (not is_classes and len(coverage["parts"]) > 1):
        each = [f"{name} {_share(one)}" for name, one in coverage["parts"].items()]
        lines.append(f"Coverage of each: {', '.join(each)}.")
    return lines


def shortfall(coverage: Json) -> str:
    """Say that fewer truths than promised lie inside, and whether that is chance; or "".

    Args:
        coverage: `decision.coverage` of evaluation.json.

    Example:
        >>> reached = {"value": 0.85, "low": 0.81, "high": 0.88, "rows": 400}
        >>> kept = {"promised": 0.9, "kind": "classes", "rows": 150, "reached": reached}
        >>> shortfall(kept)
        'That is less than promised, as chance may have it with 150 calibration rows.'
    """
    reached, promised = coverage["reached"], coverage["promised"]
    is_cross = coverage["kind"].startswith("cross")
    if coverage.get("is_short"):
        like = "those before" if is_cross else "the validation rows"
        return f"That is less than promised, and no chance: these rows differ from {like}."
    if not is_number(reached.get("high")) or reached["high"] >= promised:
        return ""
    if is_cross:
        return f"That is less than asked; folds promise {percent(2 * promised - 1, 0)} for certain."
    rows = plural(coverage.get("rows") or 0, "calibration row")
    return f"That is less than promised, as chance may have it with {rows}."


def classes_below(coverage: Json) -> str:
    """Say for which classes a promise about all rows together does not hold, or "".

    Args:
        coverage: `decision.coverage` of evaluation.json.
    """
    if not coverage["kind"].endswith("classes") or coverage.get("per_class"):
        return ""
    below = [
        f"{shortened(name, 40)} {percent(one['value'])}"
        for name, one in coverage["parts"].items()
        if is_number(one.get("high")) and one["high"] < coverage["promised"]
    ]
    if not below:
        return ""
    more = f" and {len(below) - MOST_CLASSES} more" if len(below) > MOST_CLASSES else ""
    return (
        f"Not class by class ({', '.join(below[:MOST_CLASSES])}{more}): the promise is about all "
        "rows together; --per-class makes it for each class."
    )


def _share(one: Mapping[str, Any]) -> str:
    low, high = percent(one["low"]).removesuffix(UNIT), percent(one["high"])
    return f"{percent(one['value'])} [{low} – {high}]"
