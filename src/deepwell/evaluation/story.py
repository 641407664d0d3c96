"""The chapters that tell how a run was made: question, data, split, network."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePath
from typing import Any

from deepwell.data.schema import ColumnSpec
from deepwell.evaluation.numerals import (
    count,
    duration,
    is_number,
    number,
    percent,
    plural,
    shortened,
)
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.strips import split_bar

PARTS = {"train": "training", "val": "validation", "test": "test"}
KINDS_MANY = {"category": "categories"}
PART_PURPOSES = {
    "train": "the network learns from these",
    "val": "choose the best epoch",
    "test": "looked at once, at the end",
}


@dataclass(frozen=True)
class Chapter:
    """A chapter of the report; its template is `templates/chapters/<name>.html.j2`.

    Args:
        name: Also the anchor of the link to it.
        title: Its heading.
        view: What the template shows.
    """

    name: str
    title: str
    view: dict[str, Any]


def opening(record: Record) -> dict[str, Any]:
    """Return the head of the page: question, facts, and a note if the run did not finish."""
    targets = record.targets
    shown = targets[:3]
    return {
        "run": record.name,
        "made": date_text(record.manifest.get("created")),
        "targets": [shortened(name, 60) for name in shown],
        "more_targets": len(targets) - len(shown),
        "source": _source(record),
        "reason": record.task.get("reason") or "",
        "facts": [(name, value) for name, value in _facts(record) if value],
        "note": _note(record),
        "resume": f"deepwell resume {record.folder.resolve().parent.name}/{record.name}",
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


def _facts(record: Record) -> list[tuple[str, str]]:
    data = record.manifest.get("data") or {}
    rows = data.get("rows")
    source = shortened(data.get("name") or "", 48)
    return [
        ("Task", _task_fact(record)),
        ("Data", f"{source}, {plural(rows, 'row')}" if is_number(rows) else source),
        ("Network", _network_fact(record.layers)),
        ("Training took", _training_time(record.result)),
    ]


def _task_fact(record: Record) -> str:
    num_labels = len(record.task.get("labels") or ())
    return {
        "regression": "Regression",
        "binary": "Classification, 2 classes",
        "multiclass": f"Classification, {plural(num_labels, 'class', 'classes')}",
        "multilabel": f"Multi-label, {plural(num_labels, 'label')}",
    }.get(record.task_name, record.task_name)


def _training_time(result: Json) -> str:
    seconds = (result.get("seconds") or {}).get("training")
    return duration(seconds) if is_number(seconds) else ""


def _network_fact(layers: Json) -> str:
    if not layers:
        return ""
    return f"{layers.get('model', 'own')}, {parameters_text(layers.get('parameters'))} parameters"


def parameters_text(amount: Any) -> str:
    """Write a number of parameters: in full up to a million, then rounded."""
    return number(amount, 3) if is_number(amount) and amount >= 1e6 else count(amount)


def date_text(created: Any) -> str:
    """Write an ISO date for people; text that is no date stays as it is.

    Example:
        >>> date_text("2025-11-20T05:32:10+00:00")
        '20 November 2025, 05:32 UTC'
    """
    if not created:
        return ""
    try:
        moment = datetime.fromisoformat(str(created))
    except ValueError:
        return str(created)
    zone = (moment.strftime("%z") or "").replace("+0000", "UTC")
    return f"{moment.day} {moment:%B %Y, %H:%M} {zone}".rstrip()


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
        "notes": _data_notes(record),
        "warnings": _warnings(record),
        "columns": [_column(column, num_rows) for column in columns],
    }
    return Chapter("data", "The data", view)


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


def split_chapter(record: Record) -> Chapter | None:
    """Return how the rows were divided, and why so."""
    split = record.data.get("split")
    if not split:
        return None
    rows = {name: int(split["rows"].get(name) or 0) for name in PARTS}
    total = sum(rows.values()) or 1
    view = {
        "method": record.setting("split", "method"),
        "reason": split.get("reason") or "",
        "bar": split_bar([(PARTS[name], amount) for name, amount in rows.items()]),
        "parts": [
            {
                "title": PARTS[name],
                "rows": count(amount),
                "share": percent(amount / total),
                "purpose": PART_PURPOSES[name],
            }
            for name, amount in rows.items()
        ],
        "duplicates": int(split.get("duplicates") or 0),
        "audit": _audit(record.data.get("audit") or {}),
        "notes": [*(split.get("notes") or ()), *_shift_notes(record)],
    }
    return Chapter("split", "How the rows were divided", view)


def _shift_notes(record: Record) -> list[str]:
    """Say whether training and test rows differ, and how well single columns tell them apart."""
    shift = record.data.get("shift")
    if not shift:
        return []
    columns = [f'"{shortened(name, 60)}" {percent(auc)}' for name, auc in shift["columns"].items()]
    single = [f"ROC AUC of single columns: {', '.join(columns)}."] if columns else []
    return [shift["verdict"], *single]


def _audit(audit: Json) -> dict[str, Any] | None:
    """Return the check of the split: verdict, counts, and pairs of copies."""
    if not audit:
        return None
    copies, time = audit["copies"], audit.get("time")
    facts = [
        ("Equal rows", count(copies["exact"])),
        (
            "Changed copies",
            count(copies["near"]) if copies["search"] == "near" else "not looked for",
        ),
        ("On another side than their row", count(copies["crossing"])),
    ]
    if copies.get("left_out"):
        facts.append(("Training rows left out as copies of test rows", count(copies["left_out"])))
    return {
        "verdict": audit["verdict"],
        "facts": facts if copies["exact"] + copies["near"] + copies.get("left_out", 0) else [],
        "ends": [
            (PARTS[side], f"{first} to {last}") for side, (first, last) in time["ends"].items()
        ]
        if time
        else [],
        "examples": [
            {
                "rows": [
                    f"row {count(row)} ({PARTS[side]})"
                    for row, side in zip(pair["rows"], pair["sides"], strict=True)
                ],
                "what": shortened(pair["what"], 160),
            }
            for pair in copies["examples"]
        ],
    }


def network_chapter(record: Record) -> Chapter | None:
    """Return the layer table and the settings of the network."""
    layers = record.layers
    if not layers:
        return None
    rows = [
        {
            **row,
            "output_shape": _shape(row.get("output_shape")),
            "parameters": row.get("parameters"),
        }
        for row in layers.get("rows") or ()
    ]
    total, trainable = layers.get("parameters"), layers.get("trainable")
    view = {
        "model": layers.get("model") or "own network",
        "rows": rows,
        "total": count(total),
        "frozen": count(total - trainable)
        if is_number(total) and is_number(trainable) and trainable < total
        else "",
        "settings": [
            (key, _setting(value)) for key, value in (layers.get("settings") or {}).items()
        ],
    }
    return Chapter("network", "The network", view)


def _shape(shape: Any) -> str:
    if isinstance(shape, list | tuple):
        return " × ".join(str(size) for size in shape)
    return "" if shape is None else str(shape)


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_setting(item) for item in value) or "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "not set"}[value]
    return number(value) if is_number(value) else str(value)


def reproduction_chapter(record: Record) -> Chapter:
    """Return all that is needed to make the same run again."""
    manifest = record.manifest
    data, hardware = manifest.get("data") or {}, manifest.get("hardware") or {}
    facts = [
        ("Run", record.name),
        ("Seed", manifest.get("seed")),
        ("Data", PurePath(data["path"]).name if data.get("path") else data.get("name")),
        ("SHA-256 of the data", data.get("digest")),
        ("Processor", _processor(hardware)),
        ("Device", hardware.get("device")),
        ("System", hardware.get("system")),
    ]
    view = {
        "command": manifest.get("command") or "",
        "facts": [(name, str(value)) for name, value in facts if value not in (None, "")],
        "versions": list((manifest.get("versions") or {}).items()),
        "config": record.config,
    }
    return Chapter("reproduce", "How to do it again", view)


def _processor(hardware: Json) -> str:
    parts = [str(hardware["processor"])] if hardware.get("processor") else []
    if is_number(hardware.get("cores")):
        parts.append(plural(hardware["cores"], "core"))
    if is_number(hardware.get("memory_gib")):
        parts.append(f"{number(hardware['memory_gib'], 3)} GiB memory")
    return ", ".join(parts)
