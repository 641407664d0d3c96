"""What must be equal before two runs may be compared, and the sentence where it is not."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from deepwell.errors import RunError
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.numerals import plural
from deepwell.evaluation.stored import Answers


def check_questions(runs: Sequence[Answers]) -> None:
    """Refuse runs that answer different questions.

    Raises:
        RunError: Task, target or classes differ; the sentence says what.
    """
    first = runs[0]
    for other in runs[1:]:
        pair = f"{first.name} and {other.name} cannot be compared"
        if first.task.targets != other.task.targets:
            raise RunError(
                f"{pair}: the targets differ ({', '.join(first.task.targets)} against "
                f"{', '.join(other.task.targets)})."
            )
        if first.task.name != other.task.name:
            raise RunError(
                f"{pair}: the tasks differ ({first.task.name} against {other.task.name})."
            )
        if first.task.labels != other.task.labels:
            raise RunError(
                f"{pair}: the classes differ ({_listed(first.task.labels)} against "
                f"{_listed(other.task.labels)})."
            )


def _listed(labels: Sequence[str]) -> str:
    return ", ".join(labels) if len(labels) <= 6 else plural(len(labels), "class", "classes")


def check_rows(runs: Sequence[Answers]) -> None:
    """Refuse runs that were scored on different test rows.

    Raises:
        RunError: Rows, true values or weights differ; the sentence says what, and how to mend it.
    """
    for other in runs[1:]:
        reason = rows_differ(runs[0], other)
        if reason:
            raise RunError(f"{runs[0].name} and {other.name} cannot be compared: {reason}")


def rows_differ(first: Answers, second: Answers) -> str:
    """Say how the test rows of two runs differ; "" where they are the same."""
    if first.digest != second.digest:
        return "they were trained on different data (their hashes differ)."
    common = len(np.intersect1d(first.ids, second.ids))
    if common < max(len(first.ids), len(second.ids)):
        return (
            f"the test rows differ ({len(first.ids):,} and {len(second.ids):,} rows, {common:,} of "
            "them common). Train both with one --set split.seed, one --seed, or one --test file."
        )
    if not np.array_equal(first.scored.truth, second.scored.truth):
        return "the test rows have other true values. Train both with the same --test file."
    if not _equal_weights(first, second):
        return "the weights of the test rows differ. Train both with the same --weight."
    return ""


def _equal_weights(first: Answers, second: Answers) -> bool:
    if first.weight is None or second.weight is None:
        return first.weight is None and second.weight is None
    return np.array_equal(first.weight, second.weight)


def shared_metrics(runs: Sequence[Answers], asked: str | None) -> tuple[Metric, list[Metric]]:
    """Return the metric that decides, and all that the runs have in common.

    Args:
        runs: At least one.
        asked: Name of the metric that the user chose, or None.

    Raises:
        RunError: The runs were judged by different metrics, or lack the one that was asked for.
    """
    first = runs[0]
    common = [
        metric for metric in first.metrics if all(_knows(other, metric.name) for other in runs[1:])
    ]
    by_name = {metric.name: metric for metric in common}
    if asked is not None:
        if asked not in by_name:
            raise RunError(
                f'The runs have no common metric "{asked}". They have: {", ".join(by_name)}.'
            )
        return by_name[asked], common
    for other in runs[1:]:
        if other.primary.name != first.primary.name or _asked(other) != _asked(first):
            raise RunError(
                f"{first.name} and {other.name} were judged by different metrics "
                f"({first.primary.title} against {other.primary.title}, or other costs): choose "
                f"one with --metric. They have: {', '.join(by_name)}."
            )
    return first.primary, common


def _knows(run: Answers, name: str) -> bool:
    return any(metric.name == name for metric in run.metrics)


def _asked(run: Answers) -> tuple[object, ...]:
    return run.settings.cost_over, run.settings.cost_under, run.decide.cost
