"""What is in the data: rows, kinds of columns, missing values, and what to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from deepwell.data.schema import ColumnSpec
from deepwell.evaluation.numerals import count, percent, plural, shortened
from deepwell.evaluation.record import Record
from deepwell.evaluation.story import Chapter

KINDS_MANY = {"category": "categories"}
MOST_COLUMNS = 400
"""Columns in the table, the targets first if there are more: a page of thousands is not read."""
MOST_NOTES = 100
"""Notes and warnings of each sort."""


def data_chapter(record: Record) -> Chapter | None:
    """Return what is in the data: rows, kinds of columns, missing values, warnings."""
    columns = record.columns
    if not columns:
        return None
    num_rows = int(record.data["schema"]["num_rows"])
    inputs = Counter(column.kind for column in columns if column.role == "input")
    roles = Counter(column.role for column in columns)
    with_missing = sum(column.missing > 0 for column in columns)
    missing = sum(column.missing for column in columns)
    view = {
        "facts": [
            ("Rows", count(num_rows)),
            ("Columns", count(len(columns))),
            ("Inputs", count(roles["input"])),
            ("Missing values", _missing_fact(missing, num_rows * len(columns))),
        ],
        "kinds": [plural(n, kind, KINDS_MANY.get(kind)) for kind, n in inputs.most_common()],
        "with_missing": with_missing,
        "notes": _data_notes(record)[:MOST_NOTES],
        "warnings": _warnings(record)[:MOST_NOTES],
        "columns": [_column(column, num_rows) for column in _shown(columns)],
        "more_columns": max(0, len(columns) - MOST_COLUMNS),
    }
    return Chapter("data", "The data", view)


def _shown(columns: Sequence[ColumnSpec]) -> Sequence[ColumnSpec]:
    if len(columns) <= MOST_COLUMNS:
        return columns
    return sorted(columns, key=lambda column: column.role != "target")[:MOST_COLUMNS]


def _data_notes(record: Record) -> list[str]:
    """Return the notes on the data; those on the split are told in its own chapter."""
    told_later = set((record.data.get("split") or {}).get("notes") or ())
    notes = [note for note in record.data.get("notes") or () if note not in told_later]
    leaks = record.data.get("leaks") or ()
    return notes + [leak["sentence"] for leak in leaks if leak["severity"] == "note"]


def _warnings(record: Record) -> list[tuple[str, str]]:
    """Return what a person should look at: columns that give the target away come first."""
    found = [
        (leak["severity"].capitalize(), shortened(leak["sentence"], 600))
        for leak in record.data.get("leaks") or ()
        if leak["severity"] != "note"
    ]
    return found + [
        (shortened(column.name, 60), shortened(warning, 300))
        for column in record.columns
        for warning in column.warnings
    ]


def _missing_fact(missing: int, cells: int) -> str:
    if not missing:
        return "none"
    return f"{percent(missing / max(cells, 1))} of all"


def _column(column: ColumnSpec, num_rows: int) -> dict[str, Any]:
    return {
        "name": shortened(column.name, 80),
        "kind": column.kind,
        "role": column.role,
        "missing": percent(column.missing / max(num_rows, 1)) if column.missing else "",
        "distinct": count(column.distinct) if column.distinct else "",
        "summary": shortened(column.summary, 160),
        "reason": column.reason,
        "has_warning": bool(column.warnings),
    }
