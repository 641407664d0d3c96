"""The chapter that tells how predictions become answers: calibration, threshold, coverage."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepwell.evaluation.chapters.calibration import calibration_axes
from deepwell.evaluation.decided_words import classes_below, shortfall
from deepwell.evaluation.decision_figures import precision_and_recall, reliability_pair
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import MISSING, THIN, count, is_number, number, percent, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter

LOWER_IS_BETTER = ("ece", "brier", "log_loss", "cost")
SHARES = ("accuracy", "precision", "recall", "f1", "ece")
TITLES = {"ece": "Expected calibration error", "cost": "Mean cost"}
MOST_THRESHOLDS = 12
UNIT = f"{THIN}%"


def decision_chapter(record: Record) -> Chapter | None:
    """Return what was decided on the validation rows, and what it did on the test rows."""
    decision = record.evaluation.get("decision")
    if not decision:
        return None
    view = {
        "notes": list(decision.get("notes") or ()),
        "probabilities": _probabilities(record, decision),
        "answers": _answers(record, decision),
        "coverage": _coverage(record, decision.get("coverage")),
    }
    return Chapter("decision", "How answers are decided", view)


def _probabilities(record: Record, decision: Json) -> dict[str, Any] | None:
    """Return the probabilities before and after, if they were changed."""
    pair = decision.get("probabilities")
    if not pair or not decision.get("calibrator"):
        return None
    stated, observed = calibration_axes(record)
    figure = reliability_pair(
        pair["before"]["bins"], pair["after"]["bins"], stated=stated, observed=observed
    )
    return {"figure": figure, "rows": _rows(pair, ("ece", "brier", "log_loss"))}


def _answers(record: Record, decision: Json) -> dict[str, Any] | None:
    """Return what a threshold or costs changed."""
    answers = decision.get("answers")
    if not answers:
        return None
    curve = decision.get("curve")
    names = ("precision", "recall", "f1", "accuracy", "cost")
    stated = calibration_axes(record)[0].removeprefix("stated ")
    labels = record.task.get("labels") or ()
    thresholds = answers.get("thresholds") or ()
    named = zip(labels, thresholds, strict=False) if len(thresholds) > 1 else ()
    return {
        "figure": precision_and_recall(curve, stated=stated) if curve else "",
        "rows": _rows(answers, names),
        "baselines": "by the costs as well"
        if record.evaluation.get("primary") == "cost"
        else "so as well",
        "thresholds": [
            f"{shortened(str(name), 40)} {percent(threshold)}"
            for name, threshold in list(named)[:MOST_THRESHOLDS]
        ],
    }


def _rows(pair: Mapping[str, Json], names: tuple[str, ...]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name in names:
        before, after = pair["before"].get(name), pair["after"].get(name)
        if not (is_number(before) or is_number(after)):
            continue
        gain = (after - before) if is_number(before) and is_number(after) else 0.0
        is_lower = name in LOWER_IS_BETTER
        rows.append(
            {
                "title": TITLES.get(name) or METRICS[name].title,
                "before": _written(name, before),
                "after": _written(name, after),
                "is_lower": is_lower,
                "is_better": gain < 0 if is_lower else gain > 0,
            }
        )
    return rows


def _written(name: str, value: Any) -> str:
    return percent(value) if name in SHARES else number(value, 3)


def _coverage(record: Record, coverage: Json | None) -> dict[str, Any] | None:
    """Return the promise beside what the test rows gave."""
    if not coverage:
        return None
    is_classes = coverage["kind"].endswith("classes")
    parts = coverage["parts"]
    rows = [_covered(name, one, is_classes) for name, one in parts.items()]
    if is_classes or len(parts) > 1:
        overall = {**coverage["reached"], "size": coverage.get("size")}
        rows.insert(0, _covered("All test rows", overall, is_classes))
    promised = coverage["promised"]
    words = shortfall(coverage)
    if not words:
        exceeds = coverage["reached"]["low"] > promised
        words = f"The test rows {'exceed' if exceeds else 'keep'} the promise."
    single = coverage.get("single")
    more = f" {percent(single, 0)} of the sets hold one class only." if is_number(single) else ""
    return {
        "promised": percent(promised, 0 if round(100 * promised, 6).is_integer() else 1),
        "words": " ".join(filter(None, [words + more, classes_below(coverage)])),
        "whose": "new rows of each class" if coverage.get("per_class") else "new rows",
        "what": "set" if is_classes else "interval",
        "size_title": "Mean size" if is_classes else "Mean width",
        "rows": rows,
        "held_apart": count(coverage.get("rows")),
        "is_cross": coverage["kind"].startswith("cross"),
    }


def _covered(name: str, one: Json, is_classes: bool) -> dict[str, str]:
    size = one.get("size") if is_classes else one.get("width")
    return {
        "name": shortened(name, 60),
        "rows": count(one.get("rows")),
        "reached": percent(one.get("value")),
        "interval": f"{percent(one.get('low')).removesuffix(UNIT)} – {percent(one.get('high'))}",
        "size": number(size, 3) if is_number(size) else MISSING,
    }
