"""The layers and the settings of the network."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.contest import noun
from deepwell.evaluation.numerals import count, is_number, number
from deepwell.evaluation.record import Record
from deepwell.evaluation.story import Chapter

MOST_LAYERS = 800
"""Lines of the layer table; layers.json has all."""


def network_chapter(record: Record) -> Chapter | None:
    """Return the layer table and the settings of the network."""
    layers = record.layers
    if not layers:
        return None
    all_rows = list(layers.get("rows") or ())
    rows = [
        {
            **row,
            "output_shape": _shape(row.get("output_shape")),
            "parameters": row.get("parameters"),
        }
        for row in all_rows[:MOST_LAYERS]
    ]
    total, trainable = layers.get("parameters"), layers.get("trainable")
    view = {
        "model": layers.get("model") or "own network",
        "rows": rows,
        "more_rows": len(all_rows) - len(rows),
        "total": count(total),
        "frozen": count(total - trainable)
        if is_number(total) and is_number(trainable) and trainable < total
        else "",
        "settings": [
            (key, _setting(value)) for key, value in (layers.get("settings") or {}).items()
        ],
    }
    return Chapter("network", f"The {noun(record)}", view)


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
