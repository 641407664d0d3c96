"""The first screen of the report: question, score beside the baselines, verdict, what to do."""

from __future__ import annotations

import re
from typing import Any

from deepwell.evaluation.chapters.question import MEANINGS
from deepwell.evaluation.checks import checks
from deepwell.evaluation.contest import (
    contest,
    is_lower_better,
    metric_title,
    metric_unit,
    primary_of,
)
from deepwell.evaluation.diagnosis.chapter import next_commands
from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.numerals import (
    THIN,
    count,
    duration,
    is_number,
    is_share,
    metric_texts,
    number,
    plural,
    shortened,
)
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import confidence, date_text

MOST_FINDINGS = 3
_SCORE = re.compile(r" Its [^.]*? is \S.*?\)\.(?= |$)")
"""The sentence of a verdict that repeats the score with its interval."""


def opening(record: Record) -> dict[str, Any]:
    """Return the head of the page: the question and the answer, or a note where there is none."""
    targets = record.targets
    shown = targets[:3]
    return {
        "run": record.name,
        "made": date_text(record.manifest.get("created")),
        "targets": [shortened(name, 60) for name in shown],
        "more_targets": len(targets) - len(shown),
        "source": _source(record),
        "facts": [fact for fact in _facts(record) if fact],
        "note": _note(record),
        "resume": f"deepwell resume {record.folder.resolve().parent.name}/{record.name}",
        "answer": _answer(record),
        "findings": _findings(record),
        "next": _next(record),
    }


def _source(record: Record) -> str:
    inputs = [column for column in record.columns if column.role == "input"]
    if not inputs:
        return ""
    num_images = sum(column.kind == "image" for column in inputs)
    others = len(inputs) - num_images
    if num_images and others:
        return f"a picture and {plural(others, 'column')}"
    if num_images:
        return "a picture" if num_images == 1 else f"{num_images} pictures"
    if others == 1:
        return f"the column {shortened(inputs[0].name, 60)}"
    return plural(others, "column")


def _facts(record: Record) -> list[str]:
    """Return what the line under the question says."""
    data = record.manifest.get("data") or {}
    source, rows = shortened(data.get("name") or "", 48), data.get("rows")
    seconds = (record.result.get("seconds") or {}).get("training")
    return [
        f"{plural(rows, 'row')} of {source}" if is_number(rows) and source else source,
        _network(record.layers),
        f"trained in {duration(seconds)}" if is_number(seconds) else "",
    ]


def _network(layers: Json) -> str:
    if not layers:
        return ""
    name = layers.get("model")
    title, amount = f"model {name}" if name else "own network", layers.get("parameters")
    if not is_number(amount) or amount == 0:
        return title
    return f"{title} with {number(amount, 3) if amount >= 1e6 else count(amount)} parameters"


def _note(record: Record) -> dict[str, str] | None:
    if record.evaluation and record.state in ("finished", "running"):
        return None  # the report is written just before the run is marked as finished
    titles = {
        "running": "This run is not finished",
        "interrupted": "This run was interrupted",
        "failed": "This run failed",
        "finished": "This run was not evaluated",
    }
    return {
        "state": record.state,
        "title": titles.get(record.state, "This run is not finished"),
        "reason": str(record.status.get("reason") or ""),
        "rest": ""
        if record.evaluation
        else "The test rows were not scored, so this page has no result: "
        "it shows what is known so far.",
    }


def _answer(record: Record) -> dict[str, Any] | None:
    """Return score, verdict, threshold and the figure; None for a run that was not scored."""
    evaluation = record.evaluation
    primary = primary_of(evaluation)
    if not primary:
        return None
    metric = evaluation["metrics"][primary]
    value, interval = metric_texts(primary, metric)
    in_units = metric_unit(primary) == "target" and len(record.targets) < 3
    test_rows = (evaluation.get("rows") or {}).get("test")
    success = evaluation.get("success")
    verdict = str(evaluation.get("verdict") or "")
    return {
        "title": metric_title(evaluation, primary),
        "meaning": MEANINGS.get(primary, ""),
        "value": value,
        "interval": interval,
        "confidence": confidence(record),
        "unit": " and ".join(shortened(name, 40) for name in record.targets) if in_units else "",
        "rows": plural(test_rows, "test row") if is_number(test_rows) else "the test rows",
        "direction": "lower is better" if is_lower_better(primary) else "higher is better",
        "verdict": _SCORE.sub("", verdict) if interval else verdict,
        "success": _success(success) if success else None,
        "contest": contest(record, primary),
    }


def _success(success: Json) -> dict[str, Any]:
    metric = str(success.get("metric") or "")
    value, threshold = (_exact(metric, success.get(key)) for key in ("value", "threshold"))
    operator = str(success.get("operator") or "").replace("<=", "≤").replace(">=", "≥")
    return {
        "is_met": bool(success.get("met")),
        "asked": f"{metric_title({}, metric)} {operator} {threshold}",
        "value": value,
    }


def _exact(metric: str, value: Any) -> str:
    """Write a value with so many digits that it is not mistaken for the threshold beside it."""
    if is_share(metric) and is_number(value):
        return f"{number(100 * value, 5)}{THIN}%"
    return number(value, 6)


def _findings(record: Record) -> list[dict[str, str]]:
    """Return what a reader must know before using the score, the gravest first."""
    warnings = [check for check in checks(record) if check.state == "warn"]
    found = [
        {"title": "", "text": check.answer, "chapter": check.chapter, "command": check.action}
        for check in warnings
    ]
    told = {"leak"} if any(check.chapter == "data" for check in warnings) else set[str]()
    found += [_diagnosed(finding) for finding in _grave(record) if finding.name not in told]
    found += _worst_slice(record.evaluation.get("slices") or {})
    return found[:MOST_FINDINGS]


def _grave(record: Record) -> list[Finding]:
    findings = [Finding.from_json(one) for one in record.diagnosis.get("findings") or ()]
    return [finding for finding in findings if finding.severity != "note"]


def _diagnosed(finding: Finding) -> dict[str, str]:
    return {
        "title": finding.title,
        "text": shortened(finding.evidence, 240),
        "chapter": "diagnosis",
        "command": finding.action,
    }


def _worst_slice(slices: Json) -> list[dict[str, str]]:
    if not slices.get("found"):
        return []
    worst = slices["found"][0]["sentence"]
    return [
        {"title": "For some rows it is worse.", "text": worst, "chapter": "slices", "command": ""}
    ]


def _next(record: Record) -> dict[str, str] | None:
    """Return the last step of all: to use the model."""
    if not record.diagnosis:
        return None
    text, command = next_commands(Symptoms(record, record.diagnosis.get("measured") or {}))[-1]
    return {"text": f"{text}.", "command": command}
