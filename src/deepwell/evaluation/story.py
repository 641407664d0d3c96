"""What the chapters of the report share: a chapter, the parts of the story, words for dates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deepwell.evaluation.numerals import is_number, percent
from deepwell.evaluation.record import Record

PARTS = {"train": "training", "val": "validation", "test": "test"}


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


@dataclass(frozen=True)
class Part:
    """A part of the story.

    Args:
        title: What the reader asks at this point.
        chapters: Each makes one chapter of a run, or None where its facts are absent.
    """

    title: str
    chapters: tuple[Callable[[Record], Chapter | None], ...]

    def told(self, record: Record) -> list[Chapter]:
        """Return the chapters that this run has."""
        made = [chapter(record) for chapter in self.chapters]
        return [chapter for chapter in made if chapter is not None]


def confidence(record: Record) -> str:
    """Return the share of the intervals, such as 95 %."""
    share = record.setting("evaluation", "confidence")
    return percent(share if is_number(share) else 0.95, 0)


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
