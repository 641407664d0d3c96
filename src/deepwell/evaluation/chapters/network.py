"""The layers and the settings of the network."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.contest import noun
from deepwell.evaluation.numerals import count, is_number, number, percent
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
            (key, _members(value) if key == "members" else _setting(value))
            for key, value in (layers.get("settings") or {}).items()
        ],
    }
    return Chapter("network", f"The {noun(record)}", view)


def _members(members: Any) -> str:
    """Say which models answer together and what share each architecture has; layers.json has all.

    Example:
        >>> _members([{"name": "mlp", "weight": 0.25}, {"name": "mlp", "weight": 0.75}])
        '2 mlp (100\u202f%)'
    """
    shares: dict[str, list[float]] = {}
    for member in members:
        shares.setdefault(str(member["name"]), []).append(float(member["weight"]))
    return ", ".join(
        f"{len(found)} {name} ({percent(sum(found), 0)})" for name, found in shares.items()
    )


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
