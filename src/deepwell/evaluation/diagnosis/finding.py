"""What a diagnosis finds: what is so, by which numbers, why, and what to type next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Severity = Literal["problem", "warning", "note"]
SEVERITIES: tuple[Severity, ...] = ("problem", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of a diagnosis.

    Args:
        name: Of the disease, such as "overfitting".
        title: What is so, in one short sentence.
        severity: "problem": the run is not worth much before this is mended; "warning": likely to
            cost much; "note": good to know, nothing is wrong.
        evidence: The numbers, in words.
        cause: Why this is so, as far as the numbers tell.
        action: What to type next, a whole command; "" where nothing is to be done.

    Example:
        >>> found = Finding(name="unlucky", title="Bad luck.", severity="note", evidence="3 of 4.")
        >>> Finding.from_json(found.to_json()) == found
        True
    """

    name: str
    title: str
    severity: Severity
    evidence: str
    cause: str = ""
    action: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Finding:
        """Read what `to_json` returned; unknown fields are left out."""
        return cls(**{name: state[name] for name in cls.__slots__ if name in state})


def healthy_words(findings: Sequence[Finding]) -> str:
    """Say that nothing is wrong where there are notes at the most, or "".

    Example:
        >>> healthy_words([])
        'Nothing is wrong with this run, as far as its numbers tell.'
    """
    if any(finding.severity != "note" for finding in findings):
        return ""
    more = " Good to know:" if findings else ""
    return f"Nothing is wrong with this run, as far as its numbers tell.{more}"
