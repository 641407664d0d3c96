"""The lines of a delimited file: where each record begins and how many fields it has."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEWLINE = ord("\n")
_QUOTE = ord('"')


@dataclass(frozen=True, slots=True)
class Records:
    """Records of a text, header first, blank lines included.

    Args:
        starts: Byte at which each record begins, shape (records,), int64.
        ends: Byte at which its line ends, shape (records,), int64.
        fields: Number of fields, shape (records,), int64; 0 for a blank line.
        quoted: Whether quotation marks enclose fields; if not, they are plain characters.
    """

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    fields: NDArray[np.int64]
    quoted: bool

    @property
    def first_ragged(self) -> int | None:
        """Position of the first record with another number of fields than the header."""
        wrong = np.flatnonzero((self.fields != self.fields[0]) & (self.fields > 0))
        return int(wrong[0]) if len(wrong) else None


def split_records(data: bytes, delimiter: str, *, quoted: bool) -> Records:
    r"""Find the records of a text without reading the fields.

    Args:
        data: UTF-8 text, first line = header.
        delimiter: One ASCII character.
        quoted: Whether quotation marks enclose fields (`quotes_pair` must hold).

    Example:
        >>> split_records(b'a,b\n1,"x\ny"\n', ",", quoted=True).fields.tolist()
        [2, 2]
        >>> split_records(b"a,b\n1\n", ",", quoted=False).first_ragged
        1
    """
    text = np.frombuffer(data, dtype=np.uint8)
    newlines = np.flatnonzero(text == _NEWLINE)
    delimiters = np.flatnonzero(text == ord(delimiter))
    if quoted:
        quotes = np.flatnonzero(text == _QUOTE)
        newlines = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        delimiters = delimiters[np.searchsorted(quotes, delimiters) % 2 == 0]
    ends = newlines if data.endswith(b"\n") else np.append(newlines, len(data))
    starts = np.concatenate([[0], ends[:-1] + 1])
    before = np.searchsorted(delimiters, ends)
    fields = np.diff(before, prepend=0) + 1
    fields[_blank(text, starts, ends)] = 0
    return Records(starts, ends, fields, quoted)


def _blank(
    text: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the positions of records that hold nothing but spaces."""
    rows = np.flatnonzero((text[np.minimum(starts, len(text) - 1)] <= ord(" ")) | (starts == ends))
    blank = [row for row in rows if not text[starts[row] : ends[row]].tobytes().strip()]
    return np.asarray(blank, dtype=np.int64)


def quotes_pair(data: bytes, delimiter: str) -> bool:
    """Return whether every quotation mark begins, ends or is doubled inside a field.

    Example:
        >>> quotes_pair(b'a,"b ""c"" d"', ","), quotes_pair(b'5" pipe,2', ",")
        (True, False)
    """
    text = np.frombuffer(b"\n" + data + b"\n", dtype=np.uint8)
    quotes = np.flatnonzero(text == _QUOTE)
    if len(quotes) % 2:
        return False
    edges = (_NEWLINE, _QUOTE, ord(delimiter))
    return bool(
        np.isin(text[quotes[0::2] - 1], edges).all()
        and np.isin(text[quotes[1::2] + 1], edges).all()
    )


def line_of(data: bytes, position: int) -> int:
    """Return the number of the line (first = 1) in which a byte stands."""
    return data.count(b"\n", 0, position) + 1


@dataclass(frozen=True, slots=True)
class Rows:
    """Records read field by field, for texts whose quotation marks do not pair.

    Args:
        rows: Fields of each record, header first; blank lines are left out.
        lines: Line on which each record begins.
        open_quote: Line on which a quotation mark opens that is never closed, or None.
    """

    rows: list[list[str]]
    lines: list[int]
    open_quote: int | None

    @property
    def first_ragged(self) -> int | None:
        """Position of the first record with another number of fields than the header."""
        width = len(self.rows[0])
        return next((i for i, row in enumerate(self.rows) if len(row) != width), None)


def read_rows(data: bytes, delimiter: str) -> Rows:
    """Read a text with the patience of Python's own reader, slower than `split_records`."""
    sentinel = "\x1f"  # swallowed by a quotation mark that is never closed
    reader = csv.reader(
        io.StringIO(f"{data.decode()}\n{sentinel}", newline=""),
        delimiter=delimiter,
        skipinitialspace=True,
        strict=False,
    )
    rows: list[list[str]] = []
    lines: list[int] = []
    begin = 1
    try:
        for row in reader:
            if any(row):
                rows.append(row)
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error:  # a field of more than 128 KiB: a quotation mark that swallowed the rest
        return Rows(rows, lines, begin)
    if rows[-1] == [sentinel]:
        return Rows(rows[:-1], lines[:-1], None)
    return Rows(rows, lines, lines[-1])
