"""The worst mistakes, with their rows or pictures."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any

from deepwell.evaluation.numerals import MISSING, number, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import Chapter

SAFE_PICTURE = re.compile(r"data:image/(png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+={0,2}")
"""Nothing but a picture inside the page may be loaded."""


def mistakes_chapter(record: Record) -> Chapter | None:
    """Return the worst mistakes with their rows or pictures."""
    mistakes = record.evaluation.get("mistakes") or ()
    if not mistakes:
        return None
    shown = [_mistake(one) for one in mistakes]
    is_album = all(one["picture"] and not one["values"] for one in shown)
    return Chapter("mistakes", "The worst mistakes", {"mistakes": shown, "is_album": is_album})


def _mistake(mistake: Json) -> dict[str, Any]:
    picture = str(mistake.get("picture") or "")
    picture = picture if SAFE_PICTURE.fullmatch(picture) else ""
    values: Mapping[str, Any] = mistake.get("values") or {}
    return {
        "id": str(mistake.get("id", "")),
        "actual": _answer(mistake.get("actual")),
        "predicted": _answer(mistake.get("predicted")),
        "detail": shortened(mistake.get("detail") or "", 200),
        "values": [(shortened(key, 60), _answer(value, 300)) for key, value in values.items()],
        "picture": picture,
        "is_tiny": _is_tiny(picture),
    }


def _is_tiny(picture: str) -> bool:
    """Say whether a PNG is so small that its pixels are better shown as squares than blurred."""
    header = base64.b64decode(picture.partition(",")[2][:32])
    return header[:4] == b"\x89PNG" and int.from_bytes(header[16:20], "big") <= 64


def _answer(value: Any, limit: int = 80) -> str:
    """Write a value for people: long decimals are rounded, other text stays as it is."""
    text = MISSING if value is None or value == "" else str(value)
    if re.fullmatch(r"-?\d+\.\d{3,}", text):
        return number(float(text), 5)
    return shortened(text, limit)
