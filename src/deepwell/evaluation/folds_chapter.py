"""The chapter on cross-validation, and the rows of its table, also for the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from deepwell.evaluation.numerals import count, metric_texts
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter

MOST_METRICS = 4


@dataclass(frozen=True, slots=True)
class FoldScore:
    """A metric over the folds, in texts.

    Args:
        title: Of the metric.
        mean: Of the folds, with their standard deviation.
        value: Of all rows together.
        interval: Of that.
        nested: Of the whole choice, by outer folds, with its interval; "" without them.
    """

    title: str
    mean: str
    value: str
    interval: str
    nested: str


def fold_scores(folds: Json) -> list[FoldScore]:
    """Return the rows of the table: the metric that decides comes first."""
    metrics: dict[str, Json] = folds["metrics"]
    names = sorted(metrics, key=lambda name: name != folds["primary"])[:MOST_METRICS]
    return [_row(name, metrics[name], folds["nested"]) for name in names]


def _row(name: str, scores: Json, nested: Json | None) -> FoldScore:
    value, interval = metric_texts(name, scores)
    outer = ""
    if nested is not None:
        score, ends = metric_texts(name, nested["metrics"][name])
        outer = f"{score} ({ends})" if ends else score
    mean, spread = (metric_texts(name, {"value": scores[key]})[0] for key in ("mean", "std"))
    has_spread = scores["std"] is not None
    return FoldScore(
        title=scores["title"],
        mean=f"{mean} ± {spread}" if has_spread else mean,
        value=value,
        interval=interval,
        nested=outer,
    )


def explanation(folds: Json) -> list[str]:
    """Say what the columns of the table mean."""
    rows = count(folds["pooled_rows"])
    said = [
        f"{rows} rows outside the test rows were answered by models that had not learned from "
        f"them ({folds['words']}). ± is the standard deviation over the folds."
    ]
    if folds["nested"] is not None:
        said.append(
            "Nested: models, blend and threshold were chosen anew inside each outer fold, and its "
            "rows only judged. This is the honest score of the whole procedure."
        )
    elif folds["is_choice"]:
        said.append(
            "The same rows chose among the models, so these scores flatter a little; the test "
            "rows, or --nested, do not."
        )
    return said


def folds_chapter(record: Record) -> Chapter | None:
    """Return the scores of cross-validation, if there was one."""
    folds = record.folds
    if not folds:
        return None
    primary = folds["metrics"][folds["primary"]]
    each: list[dict[str, Any]] = [
        {
            "number": number + 1,
            "rows": count(rows),
            "learned": count(learned),
            "score": metric_texts(folds["primary"], {"value": value})[0],
        }
        for number, (rows, learned, value) in enumerate(
            zip(folds["rows"], folds["trained_on"], primary["folds"], strict=True)
        )
    ]
    view = {
        "notes": explanation(folds),
        "scores": fold_scores(folds),
        "has_nested": folds["nested"] is not None,
        "primary": primary["title"],
        "folds": each,
    }
    return Chapter("folds", "Cross-validation", view)
