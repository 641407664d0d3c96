"""Delimited text: CSV, TSV and their kin, plain or packed with gzip or Zstandard."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.cells import type_cells
from deepwell.data.column_names import clean_names
from deepwell.data.content import digest, load, unpack
from deepwell.data.delimiter import find_delimiter, spell
from deepwell.data.encoding import to_utf8
from deepwell.data.reading import Reading
from deepwell.data.records import Records, line_of, quotes_pair, read_rows, split_records
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import FileFormatError


@dataclass(frozen=True, slots=True)
class Cells:
    """A file as text cells: names, one column of strings a name, and the line of each row."""

    names: list[str]
    frame: pl.DataFrame
    line: Callable[[int], int]


def read_delimited(path: Path, settings: DataSettings) -> Reading:
    """Read a delimited text file with a header line.

    The delimiter and the encoding are found, the types inferred over the whole file. Blank lines
    are skipped. ``NA``, ``nan``, ``null``, ``?`` and the like are missing (see `cells`).

    Args:
        path: The file; ``.gz`` and ``.zst`` are unpacked.
        settings: Delimiter, and kinds or ignored columns whose values are not checked.

    Raises:
        FileFormatError: Empty, not text, no rows, ragged rows, a wrong delimiter.
        ColumnError: Doubled names, numbers mixed with text, infinite values.
    """
    raw = load(path)
    data, notes = to_utf8(unpack(raw, path), path)
    body = data.lstrip(b"\n").rstrip()
    if not body.strip():
        raise FileFormatError(f'"{path}" holds blank lines only: is this the right file?')
    skipped = len(data) - len(data.lstrip(b"\n"))
    # a delimiter at the very end is a last empty field, not blank space to cut off
    body = data[skipped : max(len(data.rstrip(b"\n")), skipped + len(body))]
    cells, more = read_cells(body, path, settings, skipped)
    names, frame, dropped = _without_empty_tail(cells.names, cells.frame)
    names = clean_names(names, path.name)
    if frame.height == 0:
        raise FileFormatError(f'"{path}" has a header and no rows: there is nothing to learn from.')
    frame.columns = names

    def locate(row: int) -> str:
        return f"line {cells.line(row)} of {path.name} (row {row + 1} of the data)"

    frame = type_cells(frame, settings, locate)
    return Reading(Table.from_frame(frame), digest(raw), notes=notes + more + dropped)


def read_cells(
    data: bytes, path: Path, settings: DataSettings, skipped: int
) -> tuple[Cells, list[str]]:
    """Divide the text in cells by the fastest way that its quotation marks allow.

    Args:
        data: UTF-8 text, first line = header.
        path: Its name, for messages.
        settings: The delimiter.
        skipped: Lines of the file before the text, for messages.

    Returns:
        The cells, and notes.

    Raises:
        FileFormatError: Ragged rows, a wrong delimiter, a quotation mark that is never closed.
    """
    delimiter = find_delimiter(data, path, settings.delimiter)
    if b'"' not in data or quotes_pair(data, delimiter):
        records = split_records(data, delimiter, quoted=b'"' in data)
        if delimiter != "\t" or not _swallows_lines(data, records):
            _refuse_ragged(records, data, path, delimiter, skipped)
            return _fast_cells(data, records, delimiter, skipped), []
    rows = read_rows(data, delimiter)
    plain = split_records(data, delimiter, quoted=False)
    is_regular = rows.first_ragged is None and rows.open_quote is None
    if is_regular and not (delimiter == "\t" and len(rows.rows) < np.sum(plain.fields > 0)):
        return _slow_cells(rows.rows, rows.lines, skipped), []
    if plain.first_ragged is None:
        note = f"Quotation marks in {path.name} do not pair; they were read as plain characters."
        return _fast_cells(data, plain, delimiter, skipped), [note]
    if is_regular:
        return _slow_cells(rows.rows, rows.lines, skipped), []
    if rows.open_quote is not None:
        raise FileFormatError(
            f'"{path}" opens a quotation mark in line {rows.open_quote + skipped} '
            "that is never closed: add the closing one."
        )
    first = rows.first_ragged or 0
    raise _ragged(
        path, rows.lines[first] + skipped, len(rows.rows[first]), len(rows.rows[0]), delimiter
    )


def _swallows_lines(data: bytes, records: Records) -> bool:
    """Return whether a quoted field runs over several lines.

    Rare in tab-separated files, where quotation marks are mostly plain characters that pair by
    chance. If the lines are regular without quoting, that is how they are meant.
    """
    return len(records.starts) <= data.count(b"\n", 0, int(records.ends[-1]))


def _refuse_ragged(records: Records, data: bytes, path: Path, delimiter: str, skipped: int) -> None:
    first = records.first_ragged
    if first is None:
        return
    line = line_of(data, int(records.starts[first])) + skipped
    raise _ragged(path, line, int(records.fields[first]), int(records.fields[0]), delimiter)


def _ragged(path: Path, line: int, found: int, expected: int, delimiter: str) -> FileFormatError:
    return FileFormatError(
        f'"{path}": line {line} has {found} field{"" if found == 1 else "s"} where the header '
        f"has {expected} (delimiter {spell(delimiter)}): mend the line, or put text that holds "
        "the delimiter in quotation marks."
    )


def _fast_cells(data: bytes, records: Records, delimiter: str, skipped: int) -> Cells:
    """Let Polars read the cells; the records tell which of its rows are blank lines."""
    header = data[: int(records.ends[0])].decode()
    quote = csv.QUOTE_MINIMAL if records.quoted else csv.QUOTE_NONE
    names = next(csv.reader([header], delimiter=delimiter, quoting=quote), [])
    keep = np.flatnonzero(records.fields[1:] > 0)
    body = data[int(records.ends[0]) + 1 :]
    if len(keep) == 0:
        return Cells(names, pl.DataFrame(schema=_positions(names)), lambda row: row + 2 + skipped)
    if len(keep) < len(records.fields) - 1:
        body = _without_blank_lines(data, records, keep)
    frame = pl.read_csv(
        body,
        has_header=False,
        separator=delimiter,
        quote_char='"' if records.quoted else None,
        schema=_positions(names),
        infer_schema=False,
        empty_string_is_null=True,
    )
    if frame.height != len(keep):  # our own check: never a wrong table
        rows = read_rows(data, delimiter)
        return _slow_cells(rows.rows, rows.lines, skipped)
    starts = records.starts[1:][keep]
    return Cells(names, frame, lambda row: line_of(data, int(starts[row])) + skipped)


def _without_blank_lines(data: bytes, records: Records, keep: NDArray[np.int64]) -> bytes:
    starts, ends = records.starts[1:][keep].tolist(), records.ends[1:][keep].tolist()
    return b"\n".join(data[start:end] for start, end in zip(starts, ends, strict=True))


def _slow_cells(rows: list[list[str]], lines: list[int], skipped: int) -> Cells:
    names = rows[0]
    frame = pl.DataFrame(rows[1:], schema=_positions(names), orient="row")
    return Cells(names, frame, lambda row: lines[row + 1] + skipped)


def _positions(names: list[str]) -> dict[str, type[pl.String]]:
    """Return a schema of text columns named by position: the names may still be doubled."""
    return {f"column_{number}": pl.String for number in range(len(names))}


def _without_empty_tail(
    names: list[str], frame: pl.DataFrame
) -> tuple[list[str], pl.DataFrame, list[str]]:
    """Drop a last column without name and values: a delimiter at the end of each line."""
    if len(names) < 2 or names[-1].strip() or frame.to_series(-1).drop_nulls().len():
        return names, frame, []
    note = "The last column has neither a name nor values and was left out."
    return names[:-1], frame[:, :-1], [note]
