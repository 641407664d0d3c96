"""Which character stands between the fields of a text file."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

from deepwell.data.cells import is_number
from deepwell.errors import FileFormatError

CANDIDATES = (",", "\t", ";", "|")
NO_DELIMITER = "\x1f"
"""Stands for "the file has one column": a character that no text holds."""
_RARE = (":", "^", "~", " ")
_NAMES = {"\t": "tab", " ": "space", NO_DELIMITER: "none"}
_PROBE_BYTES = 1 << 16
_PROBE_ROWS = 200


def spell(delimiter: str) -> str:
    r"""Return how a person writes the delimiter on the command line.

    Example:
        >>> spell("\t"), spell(";")
        ('tab', '";"')
    """
    return _NAMES.get(delimiter, f'"{delimiter}"')


def find_delimiter(data: bytes, path: Path, given: str | None) -> str:
    r"""Return the delimiter of a text.

    The one is taken with which most of the first 200 rows have as many fields as the header; at
    equal merit the one that gives more fields. In a ``.tsv`` file the tab goes first.

    A header without any of them makes a file of one column, in whose text they may occur.

    Raises:
        FileFormatError: The given delimiter does not occur, or the lines hold another one than
            the four that are tried.

    Example:
        >>> find_delimiter(b"name;note\nx;a, b\n", Path("a.csv"), None)
        ';'
    """
    lines = _first_lines(data)
    if given is not None:
        return _given(given, lines, path)
    present = [c for c in CANDIDATES if _width(lines[0], c) > 1]
    if "\t" in present and path.name.lower().split(".")[-1] in ("tsv", "tab"):
        return "\t"
    if present:
        return max(present, key=lambda c: _merit(lines, c))
    _refuse_rare(lines, path)
    return next((c for c in CANDIDATES if _is_regular(lines[1:], c)), NO_DELIMITER)


def _first_lines(data: bytes) -> list[str]:
    text = data[:_PROBE_BYTES].decode("utf-8", errors="ignore")
    lines = text.split("\n")
    if len(data) > _PROBE_BYTES and len(lines) > 1:
        lines = lines[:-1]  # the last one is cut
    return [line for line in lines[:_PROBE_ROWS] if line.strip()] or [""]


def _width(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter), []))
    except csv.Error:
        return 1


def _merit(lines: list[str], delimiter: str) -> tuple[float, int]:
    widths = [_width(line, delimiter) for line in lines]
    return sum(width == widths[0] for width in widths) / len(widths), widths[0]


def _is_regular(lines: list[str], delimiter: str) -> bool:
    """Return whether all lines have the same number of fields, and more than one."""
    widths = {_width(line, delimiter) for line in lines}
    return len(lines) > 1 and len(widths) == 1 and widths.pop() > 1


def _given(given: str, lines: list[str], path: Path) -> str:
    best = max(CANDIDATES, key=lambda c: _merit(lines, c) if _width(lines[0], c) > 1 else (0, 0))
    width = _width(lines[0], best)
    if _width(lines[0], given) > 1 or width == 1:
        return given
    raise FileFormatError(
        f'The delimiter {spell(given)} does not occur in the first line of "{path}"; '
        f"with {spell(best)} it has {width} columns: give --delimiter {spell(best)} or none."
    )


def _refuse_rare(lines: list[str], path: Path) -> None:
    """Refuse a file of one column whose lines all hold the same number of a rare delimiter."""
    for candidate in _RARE:
        counts = Counter(len(line.split(candidate)) for line in lines)
        width = next(iter(counts))
        if len(counts) > 1 or width < 2 or len(lines) < 3:
            continue
        if candidate == " " and not all(is_number(f) for f in lines[1].split(" ")):
            continue
        raise FileFormatError(
            f'"{path}" has one column only when it is split at a comma, tab, semicolon or bar, '
            f"but each line has {width} fields between {spell(candidate)}: "
            f"give --delimiter {spell(candidate)}."
        )
