"""All that is needed to make the same run again."""

from __future__ import annotations

from pathlib import PurePath

from deepwell.evaluation.numerals import is_number, number, plural
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter


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
