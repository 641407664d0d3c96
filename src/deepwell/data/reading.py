"""What every reader of a file format returns."""

from __future__ import annotations

from dataclasses import dataclass, field

from deepwell.data.table import Table

ImageShape = tuple[int, int, int]
"""(channels, height, width) of a picture."""


@dataclass(slots=True)
class Reading:
    """A file or an object as it was read.

    Args:
        table: The rows; if a test part was found as well, the rows to learn from.
        digest: SHA-256 over the content, hexadecimal.
        test: The rows of a test part that came with the data, or None.
        target: The target columns, where the format knows them.
        notes: What a person should know, in words.
    """

    table: Table
    digest: str
    test: Table | None = None
    target: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list[str])
