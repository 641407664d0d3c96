"""Delimited text piece by piece: whole lines, read as `delimited` reads a whole file."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import numpy as np
import polars as pl

from deepwell.data.cells import Locate, type_cells
from deepwell.data.column_names import clean_names
from deepwell.data.content import endings, signature
from deepwell.data.delimited import read_cells
from deepwell.data.delimiter import find_delimiter
from deepwell.data.encoding import to_utf8
from deepwell.data.settings import DataSettings
from deepwell.data.stream import Chunk, Types, as_settled, guarded
from deepwell.data.table import Table
from deepwell.errors import ColumnError, FileFormatError
from deepwell.files import sha256

BLOCK = 1 << 23
"""Bytes of text that are read at once."""
_LONGEST = 8
"""A quoted field that runs over more blocks than this is taken for a stray quotation mark."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


class TextStream:
    """A delimited text file with a header line, plain or packed with gzip.

    Args:
        path: The file.
        settings: Delimiter, kinds, ignored columns.
        block: Bytes that are read at once.

    Raises:
        FileFormatError: Empty, not text, or without a header.
    """

    def __init__(self, path: Path, settings: DataSettings, *, block: int = BLOCK) -> None:
        self.path = path
        self.notes: list[str] = []
        self.target: tuple[str, ...] | None = None
        self._block = block
        self._settings = settings
        self._types: Types = {}

    def digest(self) -> str:
        """Return the SHA-256 of the file."""
        return sha256(self.path)

    def chunks(self) -> Iterator[Chunk]:
        """Return all rows as text cells.

        Raises:
            FileFormatError: Not text, ragged rows, a wrong delimiter, no rows.
        """
        header, settings, names = b"", self._settings, [""]
        rows, lines = 0, 0
        for block in self._blocks():
            text, said = to_utf8(block, self.path)
            self._note(said)
            skipped = lines - 1
            if not header:
                if not text.strip():
                    lines += block.count(b"\n")
                    continue
                blank = lines + len(text) - len(text.lstrip(b"\n"))
                header, _, text = text.lstrip(b"\n").partition(b"\n")
                settings, names = self._begin(header + b"\n" + text)
                skipped = blank
            lines += block.count(b"\n")
            if not text.strip():
                continue
            cells, said = read_cells(header + b"\n" + text, self.path, settings, skipped)
            self._note(said)
            frame = self._named(cells.frame, names)
            yield Chunk(frame, rows, self._place(cells.line, rows))
            rows += frame.height
        if not rows:
            found = "a header and no rows" if header else "nothing but blank lines"
            raise FileFormatError(f'"{self.path}" has {found}: there is nothing to learn from.')

    def settle(self, sample: pl.DataFrame, locate: Locate) -> Table:
        """Find the types of the columns on a sample."""
        frame = type_cells(sample, self._settings, locate)
        self._types = dict(frame.schema)
        return Table.from_frame(frame)

    def read(self, frame: pl.DataFrame, locate: Locate) -> Table:
        """Return rows with the types that were settled."""
        settings = guarded(self._settings, self._types)
        return Table.from_frame(
            as_settled(type_cells(frame, settings, locate), self._types, locate)
        )

    def _begin(self, text: bytes) -> tuple[DataSettings, list[str]]:
        """Find delimiter and names on the first block."""
        delimiter = find_delimiter(text, self.path, self._settings.delimiter)
        settings = self._settings.model_copy(update={"delimiter": delimiter})
        cells, _ = read_cells(text[: text.find(b"\n") + 1], self.path, settings, 0)
        names = cells.names
        if len(names) > 1 and not names[-1].strip():
            names = names[:-1]
            self._note(["The last column has neither a name nor values and was left out."])
        return settings, clean_names(names, self.path.name)

    def _named(self, frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
        if frame.width == len(names) + 1:
            last = frame.to_series(-1)
            if last.null_count() < len(last):
                raise ColumnError(
                    f'The last column of "{self.path}" has no name, but the value '
                    f'"{last.drop_nulls()[0]}": give it a name in the first line.'
                )
            frame = frame[:, :-1]
        frame.columns = names
        return frame

    def _place(self, line: Callable[[int], int], start: int) -> Locate:
        def locate(row: int) -> str:
            return f"line {line(row)} of {self.path.name} (row {start + row + 1} of the data)"

        return locate

    def _note(self, notes: list[str]) -> None:
        self.notes += [note for note in notes if note not in self.notes]

    def _blocks(self) -> Iterator[bytes]:
        """Return pieces of the text that end with whole records."""
        carry = b""
        try:
            with self._open() as stream:
                while piece := stream.read(self._block):
                    if not carry and piece.startswith(_UTF16):
                        raise self._unreadable("it is UTF-16")
                    carry += piece
                    end = _end_of_records(carry, patient=len(carry) < _LONGEST * self._block)
                    if end:
                        yield carry[:end]
                        carry = carry[end:]
        except (OSError, EOFError, zlib.error) as error:
            if isinstance(error, FileNotFoundError | PermissionError):
                raise FileFormatError(f'"{self.path}" cannot be read: {error.strerror}.') from error
            raise FileFormatError(
                f'"{self.path}" is damaged and cannot be read to its end: copy it again.'
            ) from error
        if carry:
            yield carry

    def _open(self) -> IO[bytes] | gzip.GzipFile:
        if endings(self.path)[1] == ".gz":
            return gzip.open(self.path, "rb")
        stream = self.path.open("rb")
        known = signature(stream.read(16))
        stream.seek(0)
        if known is not None:
            stream.close()
            raise FileFormatError(
                f'"{self.path}" is not text (it is {known}): a table is expected, one line a row, '
                "or a file ending that names the format."
            )
        return stream

    def _unreadable(self, why: str) -> FileFormatError:
        return FileFormatError(
            f'"{self.path}" cannot be read piece by piece, because {why}: save it as UTF-8, or use '
            "data.memory=resident."
        )


def _end_of_records(text: bytes, *, patient: bool) -> int:
    r"""Return where the last whole record ends: after a line break outside quotation marks.

    Example:
        >>> _end_of_records(b'1,2\n3,"x\ny', patient=True)
        4
    """
    last = text.rfind(b"\n") + 1
    if b'"' not in text or not patient:
        return last
    marks = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(marks == ord('"'))
    breaks = np.flatnonzero(marks == ord("\n"))
    outside = breaks[np.searchsorted(quotes, breaks) % 2 == 0]
    return int(outside[-1]) + 1 if len(outside) else 0
