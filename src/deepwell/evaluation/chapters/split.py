"""How the rows were divided, why so, and whether anything is on two sides."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.numerals import count, percent, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import PARTS, Chapter
from deepwell.evaluation.strips import split_bar

PART_PURPOSES = {
    "train": "the model learns from these",
    "val": "choose the best epoch",
    "test": "looked at once, at the end",
}
RACE_PURPOSE = "choose between the models"


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
                "purpose": RACE_PURPOSE if name == "val" and record.race else PART_PURPOSES[name],
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
    equal_to_test = copies.get("equal_to_test", 0)
    if equal_to_test:
        facts.append(("Training rows that equal a test row, and stay", count(equal_to_test)))
    found = copies["exact"] + copies["near"] + copies.get("left_out", 0) + equal_to_test
    return {
        "verdict": audit["verdict"],
        "facts": facts if found else [],
        "ends": [
            (PARTS[side], f"{first} to {last}") for side, (first, last) in time["ends"].items()
        ]
        if time
        else [],
        "examples": [
            {
                "rows": [
                    f"row {count(row)} ({PARTS[side]})" + (f": {shortened(name, 60)}" * bool(name))
                    for row, side, name in zip(
                        pair["rows"], pair["sides"], pair.get("names") or ("", ""), strict=True
                    )
                ],
                "what": shortened(pair["what"], 160),
            }
            for pair in copies["examples"]
        ],
    }
