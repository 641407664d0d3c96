"""The chapter of the report that says what is wrong, and what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from deepwell.evaluation.contest import noun
from deepwell.evaluation.diagnosis.figures import error_bar, flow_figure, growth_figure
from deepwell.evaluation.diagnosis.finding import Finding, healthy_words
from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.numerals import percent, plural, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import PARTS, Chapter

MOST_SUSPECTS = 30
WORDS = {"problem": "Problem", "warning": "Warning", "note": "Note"}


def diagnosis_chapter(record: Record) -> Chapter | None:
    """Return findings with evidence, cause and command; None if the run was never examined."""
    if not record.diagnosis:
        return None
    findings = [Finding.from_json(one) for one in record.diagnosis.get("findings") or ()]
    symptoms = Symptoms(record, record.diagnosis.get("measured") or {})
    view = {
        "findings": [_shown(finding) for finding in findings],
        "summary": healthy_words(findings),
        "figures": _figures(symptoms, findings),
        "suspects": _suspects(record, symptoms.measured.get("labels") or {})
        if any(finding.name == "label_noise" for finding in findings)
        else None,
        "steps": next_commands(symptoms),
    }
    return Chapter("diagnosis", "What is wrong, and what next", view)


def _shown(finding: Finding) -> dict[str, str]:
    return {
        "kind": finding.severity,
        "word": WORDS[finding.severity],
        "title": finding.title,
        "evidence": finding.evidence,
        "cause": finding.cause,
        "action": finding.action,
    }


def _figures(symptoms: Symptoms, findings: Sequence[Finding]) -> list[Markup]:
    """Return the figures that the findings and measurements call for."""
    figures: list[Markup] = []
    if symptoms.measured.get("curve") and symptoms.metric is not None:
        figures.append(growth_figure(symptoms.measured["curve"], symptoms.metric))
    if symptoms.measured.get("spread"):
        figures.append(error_bar(symptoms.measured["spread"]))
    names = {finding.name for finding in findings}
    if names & {"vanishing_gradients", "exploding", "dead_units", "saturated_units"}:
        figures += flow_figure(symptoms.looks)
    return figures


def _suspects(record: Record, labels: Json) -> dict[str, Any] | None:
    found = labels.get("suspects") or []
    if not found:
        return None
    return {
        "rows": [
            {
                "id": str(one["id"]),
                "side": PARTS.get(str(one["side"]), str(one["side"])),
                "given": shortened(one["given"], 60),
                "likely": shortened(one["likely"], 60),
                "probability": percent(one["probability"], 1 if one["probability"] >= 0.995 else 0),
            }
            for one in found[:MOST_SUSPECTS]
        ],
        "whose": f"{noun(record).capitalize()}s",
        "found": plural(labels["found"], "row"),
        "is_cut": labels["found"] > MOST_SUSPECTS,
        "num_shown": min(len(found), MOST_SUSPECTS),
    }


def next_commands(symptoms: Symptoms) -> list[tuple[str, str]]:
    """Return what can be done with any run: measure more, answer new rows."""
    run = shlex.quote(str(symptoms.record.folder))
    new = "pictures/" if symptoms.has_images else "new.csv"
    steps = [("Answer new rows", f"deepwell predict {run} {new} -o out.csv")]
    if not {"curve", "spread"} & set(symptoms.measured):
        steps.insert(
            0,
            (
                "Measure what more rows, other rows and better labels would bring",
                symptoms.diagnose(),
            ),
        )
    return steps
