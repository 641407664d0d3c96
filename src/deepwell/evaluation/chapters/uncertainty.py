"""The chapter that tells what a stated uncertainty is worth beside one network without it."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from deepwell.evaluation.drawing import Plot, Scale, picture, tick_texts
from deepwell.evaluation.figures import HEIGHT, WIDTH, Line, legend
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import THIN, number, percent, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter
from deepwell.evaluation.uncertainty import OWN, SINGLE
from deepwell.evaluation.uncertainty_words import line_title, uncertainty_sentence
from deepwell.evaluation.verdict import amount

MOST_TARGETS = 6
_OF_NUMBERS = (("rmse", "RMSE"), ("covered", "Inside"), ("width", "Mean width"))
_OF_CLASSES = (
    ("accuracy", "Accuracy"),
    ("log_loss", "Log loss"),
    ("ece", "Calibration error"),
    ("surest_half", "Right in the surest half"),
)


def uncertainty_chapter(record: Record) -> Chapter | None:
    """Return what was bought, if an uncertainty was asked for."""
    judged = record.evaluation.get("uncertainty")
    if not judged:
        return None
    is_numbers = judged["coverage"] is not None
    columns, parts = uncertainty_tables(judged)
    tables = [
        {**table, "figure": kept_figure(part["kept"], is_numbers=is_numbers)}
        for table, part in zip(parts, judged["parts"], strict=False)
    ]
    view = {
        "sentence": uncertainty_sentence(judged),
        "columns": columns,
        "tables": tables,
        "coverage": percent(judged["coverage"], 0) if is_numbers else "",
    }
    return Chapter("uncertainty", "How sure each answer is", view)


def uncertainty_tables(judged: Json) -> tuple[list[str], list[dict[str, Any]]]:
    """Return the titles of the columns, and a table for each of the first targets.

    Args:
        judged: `uncertainty` of evaluation.json.

    Returns:
        The titles, and tables with `title` ("" for a single one) and `rows`: `name` and `cells`,
        each with `text` and `small`, its interval.
    """
    is_numbers = judged["coverage"] is not None
    columns = (*_OF_NUMBERS, ("interval_score", "Interval score")) if is_numbers else _OF_CLASSES
    tables = [
        {
            "title": shortened(part["name"], 60) if len(judged["parts"]) > 1 else "",
            "rows": [
                {
                    "name": line_title(line["name"], judged["source"]),
                    "cells": [_cell(name, line.get(name)) for name, _ in columns],
                }
                for line in part["lines"]
            ],
        }
        for part in judged["parts"][:MOST_TARGETS]
    ]
    return [title for _, title in columns], tables


def _cell(name: str, value: Any) -> dict[str, str]:
    if name == "covered":
        if value is None:
            return {"text": number(None), "small": ""}
        low, high = percent(value["low"], 0), percent(value["high"], 0)
        small = f"{low.removesuffix(f'{THIN}%')} – {high}"
        return {"text": percent(value["value"]), "small": small}
    if name in ("ece", "surest_half"):
        return {"text": percent(value), "small": ""}
    text = amount(METRICS[name], value) if name in METRICS else number(value, 3)
    return {"text": text, "small": ""}


def kept_figure(kept: Json, *, is_numbers: bool) -> Markup:
    """Draw the error of the rows that are left when the least certain ones are left out.

    Args:
        kept: `share` of the rows, and the score of each model.
        is_numbers: RMSE is shown, else the share of right answers.
    """
    factor = 1.0 if is_numbers else 100.0
    xs = [100 * share for share in kept["share"]]
    lines = [
        Line(name, xs, [factor * value for value in kept[key]], look)
        for key, name, look in (
            (SINGLE, "one network", "plain"),
            (OWN, "with its uncertainty", "net"),
        )
        if key in kept
    ]
    values = [value for line in lines for value in line.ys]
    room = 0.08 * (max(values) - min(values)) or 0.05 * abs(max(values)) or 1.0
    y = Scale(min(values) - room, max(values) + room, HEIGHT - 48, 34)
    left = 14 + 6.8 * max(len(text) for text in tick_texts(y.ticks()))
    plot = Plot(Scale(min(xs), 100, left, WIDTH - 12), y, WIDTH, HEIGHT)
    what = "RMSE" if is_numbers else "% right"
    spoken = " ".join(
        f"{line.name}: {number(line.ys[0], 3)} on all rows, {number(line.ys[len(xs) // 2], 3)} on "
        f"the surest {xs[len(xs) // 2]:.0f} %."
        for line in lines
    )
    return picture(
        WIDTH,
        HEIGHT,
        f"{what} of the test rows that are kept, the surest first. {spoken}",
        plot.axes(),
        plot.titles(x="% of the test rows kept, the surest ones", y=what),
        legend(lines),
        *(plot.polyline(line.xs, line.ys, f"line {line.look}") for line in lines),
    )
