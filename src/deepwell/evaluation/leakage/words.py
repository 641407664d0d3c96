"""The findings in sentences."""

from __future__ import annotations

from collections.abc import Sequence

from deepwell.errors import listing
from deepwell.evaluation.intervals import Interval
from deepwell.evaluation.leakage.dependence import Gaps
from deepwell.evaluation.leakage.finding import Leak, LeakKind, Severity
from deepwell.evaluation.leakage.question import Question
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.numerals import metric_texts, percent

LATER = "Is it known when a prediction is needed?"
SAME_PICTURES = (
    "Bring the pictures of all classes to one size and format before training, and test on "
    "pictures from another source."
)


def score_text(metric: Metric, score: Interval) -> str:
    """Write a score with its interval.

    Example:
        >>> from deepwell.evaluation.metrics import METRICS
        >>> score_text(METRICS["r2"], Interval(0.93, 0.91, 0.95))
        'R² 0.930 [0.910 – 0.950]'
    """
    value, interval = metric_texts(metric.name, score.to_json())
    return f"{metric.title} {value}" + (f" [{interval}]" if interval else "")


def ignore(*columns: str) -> str:
    """Return the option that leaves columns out.

    Example:
        >>> ignore("paid on")
        '--ignore "paid on"'
    """
    return " ".join(f'--ignore "{c}"' if " " in c else f"--ignore {c}" for c in columns)


def _leave_out(*columns: str) -> str:
    return f"If not, leave it out: {ignore(*columns)}."


def tied(
    kind: LeakKind, column: str, question: Question, score: Interval, *, is_coarse: bool
) -> Leak:
    """Word a column that is a function of the target; a coarse one has fewer values than it."""
    what = f'"{column}" is a copy of the target "{question.target}"'
    if kind == "function" and is_coarse:
        what = f'"{column}" follows from the target "{question.target}" in every row: each of '
        what += "its values stands for a range of it"
    elif kind == "function":
        what = f'"{column}" and the target "{question.target}" follow from each other in every row'
    if question.labels:
        what = f'"{column}" decides the target "{question.target}" in every row'
    return Leak(
        column=column,
        kind=kind,
        severity="leak",
        target=question.target,
        metric=question.metric.name,
        score=score,
        sentence=f"{what}. Alone it reaches {score_text(question.metric, score)}. {LATER} "
        + _leave_out(column),
        action=ignore(column),
    )


def summed(columns: Sequence[str], question: Question, *, is_plain: bool) -> Leak:
    """Word columns whose sum is the target."""
    names = " and ".join(f'"{name}"' for name in columns)
    how = "Added or subtracted" if is_plain else "With fixed weights added"
    return Leak(
        column=columns[0],
        kind="sum",
        severity="leak" if is_plain else "suspect",
        target=question.target,
        sentence=f'{how}, {names} give the target "{question.target}" exactly. Are they known '
        f"when a prediction is needed? If not, leave them out: {ignore(*columns)}.",
        action=ignore(*columns),
    )


def gaps(column: str, question: Question, told: Gaps, severity: Severity, score: Interval) -> Leak:
    """Word a column whose gaps tell the target."""
    if told.label:
        what = (
            f'it has none in {percent(told.inside, 0)} of the rows of "{told.label}" and in '
            f"{percent(told.elsewhere, 0)} of the others"
        )
    elif told.skill == 1:
        what = "all rows without one lie above or all below the others"
    else:
        what = "the rows without one differ from the others"
    return Leak(
        column=column,
        kind="missing",
        severity=severity,
        target=question.target,
        metric=question.metric.name,
        score=score,
        sentence=f'Whether "{column}" has a value gives the target "{question.target}" away: '
        f"{what}. That alone reaches {score_text(question.metric, score)}. Is it filled in only "
        f"afterwards? If so, leave it out: {ignore(column)}.",
        action=ignore(column),
    )


def counter(
    column: str, question: Question, score: Interval, severity: Severity, *, is_date: bool
) -> Leak:
    """Word a column that numbers or dates the rows."""
    action = f"--time {column}" if is_date else ignore(column)
    advice = (
        f"Test on later rows than those of the training: {action}."
        if is_date
        else f"New rows have new numbers, so leave it out: {action}."
    )
    return Leak(
        column=column,
        kind="counter",
        severity=severity,
        target=question.target,
        metric=question.metric.name,
        score=score,
        sentence=f'"{column}" {"dates" if is_date else "numbers"} the rows, and alone it predicts '
        f'"{question.target}" with {score_text(question.metric, score)}. {advice}',
        action=action,
    )


def alone(
    column: str,
    question: Question,
    score: Interval,
    severity: Severity,
    *,
    others: float | None,
) -> Leak:
    """Word a column that reaches by itself what the others do not."""
    beside = _beside(question, others)
    return Leak(
        column=column,
        kind="alone",
        severity=severity,
        target=question.target,
        metric=question.metric.name,
        score=score,
        others=others,
        sentence=f'"{column}" alone predicts "{question.target}" with '
        f"{score_text(question.metric, score)}{beside}. {LATER} {_leave_out(column)}",
        action=ignore(column),
    )


def _beside(question: Question, others: float | None) -> str:
    if others is None:
        return ""
    value = metric_texts(question.metric.name, {"value": others})[0]
    return f", while all others together reach {value}"


def ahead(column: str, question: Question, score: Interval, *, others: float | None) -> Leak:
    """Word a column that is far ahead of all others, and errs as a measurement does."""
    return Leak(
        column=column,
        kind="strong",
        severity="note",
        target=question.target,
        metric=question.metric.name,
        score=score,
        others=others,
        sentence=f'"{column}" is strong: alone it predicts "{question.target}" with '
        f"{score_text(question.metric, score)}{_beside(question, others)}. Its errors are those "
        "of a good measurement, not of a copy of the answer. Only you know whether it is known "
        "when a prediction is needed.",
    )


def strong(columns: Sequence[str], question: Question, score: Interval) -> Leak:
    """Word columns that predict well and yet look honest; the first is the best."""
    also = f" Nearly as strong: {listing(columns[1:], 5)}." if len(columns) > 1 else ""
    return Leak(
        column=columns[0],
        kind="strong",
        severity="note",
        target=question.target,
        metric=question.metric.name,
        score=score,
        sentence=f'"{columns[0]}" is strong: alone it predicts "{question.target}" with '
        f"{score_text(question.metric, score)}.{also} Other columns do so too, so it does not "
        "look like a leak.",
    )


def order(question: Question, score: Interval) -> Leak:
    """Word a file that is sorted."""
    return Leak(
        column="",
        kind="order",
        severity="note",
        target=question.target,
        metric=question.metric.name,
        score=score,
        sentence=f'The rows are sorted: the place of a row alone predicts "{question.target}" with '
        f"{score_text(question.metric, score)}. No harm, as long as no column numbers the rows.",
    )


def picture(name: str, question: Question, score: Interval, severity: Severity) -> Leak:
    """Word a property of the files that tells the class."""
    what = f"The {name} of the picture files tells"
    if name == "file name":
        sentence = (
            f'{what} "{question.target}" with {score_text(question.metric, score)}. The network '
            "does not see it; the classes may come from different sources."
        )
    else:
        sentence = (
            f'{what} "{question.target}" with {score_text(question.metric, score)}, and leaves '
            f"traces that a network can learn instead of what is shown. {SAME_PICTURES}"
        )
    return Leak(
        column=name,
        kind="file name" if name == "file name" else "picture",
        severity=severity,
        target=question.target,
        metric=question.metric.name,
        score=score,
        sentence=sentence,
        action="" if name == "file name" else SAME_PICTURES,
    )


def duplicate(columns: Sequence[str]) -> Leak:
    """Word columns that say the same."""
    names = listing([f'"{name}"' for name in columns], 5)
    return Leak(
        column=columns[1],
        kind="duplicate",
        severity="note",
        sentence=f"These columns say the same in every row: {names}. One of them is enough.",
        action=ignore(*columns[1:]),
    )
