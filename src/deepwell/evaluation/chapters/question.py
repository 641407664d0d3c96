"""What was asked, how the answer is judged, and what counts as success."""

from __future__ import annotations

import re

from deepwell.evaluation.contest import metric_title, metric_unit, primary_of
from deepwell.evaluation.numerals import shortened
from deepwell.evaluation.record import Record
from deepwell.evaluation.story import Chapter

TASKS = {
    "regression": "a number",
    "binary": "one of two classes",
    "multiclass": "one of several classes",
    "multilabel": "any number of labels",
}
MEANINGS = {
    "rmse": "the typical size of an error, in which large errors count more",
    "mae": "the mean size of an error",
    "cost": "what an error costs on average, by the prices that were set",
    "pinball": "the error of a quantile: too low and too high count differently",
    "accuracy": "the share of rows that are answered right",
    "f1": "a balance of two shares: how many of the rows that are so were found, and how many of "
    "the rows that were named are so",
    "log_loss": "how far the stated probabilities are from what came true",
    "roc_auc": "how often a row of the class is ranked above a row that is not of it",
}
MOST_NAMED = 12


def question_chapter(record: Record) -> Chapter | None:
    """Return what is predicted from what, and what decides; None before the task is known."""
    if not record.task:
        return None
    facts = [
        ("To predict", ", ".join(shortened(name, 60) for name in record.targets[:MOST_NAMED])),
        ("The answer is", _kind(record)),
        ("It is judged by", _judged(record)),
        ("Success is", _success(record)),
        ("Read from the data", str(record.task.get("reason") or "")),
    ]
    view = {"facts": [(name, value) for name, value in facts if value]}
    return Chapter("question", "The question", view)


def _kind(record: Record) -> str:
    kind = TASKS.get(record.task_name, record.task_name)
    labels = [shortened(str(label), 40) for label in record.task.get("labels") or ()]
    if not labels:
        ranges = [
            column.summary
            for column in record.columns
            if column.role == "target" and column.summary
        ]
        return f"{kind}: {_apart(shortened(ranges[0], 120))}" if len(ranges) == 1 else kind
    named = ", ".join(labels[:MOST_NAMED])
    rest = f" and {len(labels) - MOST_NAMED} more" if len(labels) > MOST_NAMED else ""
    return f"{kind}: {named}{rest}"


def _apart(text: str) -> str:
    """Write the thousands of long numbers apart."""
    return re.sub(r"(?<![\d.,])\d{5,}", lambda found: f"{int(found[0]):,}", text)


def _judged(record: Record) -> str:
    primary = primary_of(record.evaluation)
    if not primary:
        return ""
    title = metric_title(record.evaluation, primary)
    words = MEANINGS.get(primary, "")
    unit = ""
    if metric_unit(primary) == "target" and len(record.targets) == 1:
        unit = f", in units of {shortened(record.targets[0], 60)}"
    return f"{title}{': ' if words else ''}{words}{unit}"


def _success(record: Record) -> str:
    success = record.evaluation.get("success")
    if success:
        return str(success.get("expression") or "")
    if not record.evaluation:
        return ""
    return "no threshold was set; --success sets one"
