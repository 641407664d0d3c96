"""Why the score can be believed, and where it cannot: what was checked."""

from __future__ import annotations

from deepwell.evaluation.checks import checks
from deepwell.evaluation.record import Record
from deepwell.evaluation.story import Chapter


def belief_chapter(record: Record) -> Chapter | None:
    """Return the checks of the score; None for a run that was not scored."""
    found = checks(record)
    return Chapter("belief", "What was checked", {"checks": found}) if found else None
