"""What the search for leaks reports."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from deepwell.evaluation.intervals import Interval

Severity = Literal["leak", "suspect", "note"]
LeakKind = Literal[
    "copy",
    "function",
    "sum",
    "missing",
    "counter",
    "alone",
    "picture",
    "order",
    "strong",
    "file name",
    "duplicate",
]
SEVERITIES: tuple[Severity, ...] = ("leak", "suspect", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """A column that gives the target away, or something that a person should know about one.

    Args:
        column: Name of the column; "" for the order of the rows.
        kind: copy or function of the target; sum of columns that is the target; missing = its
            gaps tell the class; counter = it numbers or dates the rows; alone = it reaches by
            itself what all others together do not; picture = size or format of the files. Notes:
            order, strong, file name, duplicate.
        severity: "leak" makes `evaluation.fail_on_leak` an error; "suspect" is for a person to
            judge; "note" is harmless by itself.
        target: Which target it tells.
        metric: Name of the metric of both scores, "" where nothing was scored.
        score: What a small model of this column alone reaches on rows that it has not seen.
        others: What all other columns together reach, None where it was not needed.
        sentence: All this in words.
        action: What to do, in words or as a command line option.
    """

    column: str
    kind: LeakKind
    severity: Severity
    target: str = ""
    metric: str = ""
    score: Interval | None = None
    others: float | None = None
    sentence: str = ""
    action: str = ""

    @property
    def is_far_ahead(self) -> bool:
        """Whether it is a strong column that all others together do not reach."""
        return self.kind == "strong" and self.others is not None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "column": self.column,
            "kind": self.kind,
            "severity": self.severity,
            "target": self.target,
            "metric": self.metric,
            "score": None if self.score is None else self.score.to_json(),
            "others": self.others,
            "sentence": self.sentence,
            "action": self.action,
        }
