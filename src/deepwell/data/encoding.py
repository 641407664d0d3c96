"""Text from bytes: UTF-8 first, then what spreadsheets write; binary data are refused."""

from __future__ import annotations

import codecs
from pathlib import Path

from deepwell.data.content import signature
from deepwell.errors import FileFormatError

_CONTROL = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b")) + b"\x7f"
_PROBE = 1 << 16
_MOST_CONTROL = 0.02


def to_utf8(data: bytes, path: Path) -> tuple[bytes, list[str]]:
    r"""Return the text as UTF-8 with "\\n" between lines, and notes.

    Args:
        data: The unpacked content of a file.
        path: Its name, for messages.

    Raises:
        FileFormatError: The content is not text.

    Example:
        >>> to_utf8("a,b\r\n1,é".encode("cp1252"), Path("x.csv"))
        (b'a,b\n1,\xc3\xa9', ['x.csv is not UTF-8; it was read as Windows-1252.'])
    """
    notes: list[str] = []
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        data = _from_utf16(data, path)
        notes.append(f"{path.name} is UTF-16.")
    data = data.removeprefix(codecs.BOM_UTF8)
    _refuse_binary(data, path)
    if not data.isascii():
        try:
            data.decode("utf-8")
        except UnicodeDecodeError:
            data, name = _from_western(data)
            notes.append(f"{path.name} is not UTF-8; it was read as {name}.")
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n")
        if b"\n" not in data:
            data = data.replace(b"\r", b"\n")
    return data, notes


def _from_utf16(data: bytes, path: Path) -> bytes:
    try:
        return data.decode("utf-16").encode()
    except UnicodeDecodeError:
        raise FileFormatError(f'"{path}" is not text: it cannot be read as a table.') from None


def _from_western(data: bytes) -> tuple[bytes, str]:
    try:
        return data.decode("cp1252").encode(), "Windows-1252"
    except UnicodeDecodeError:
        return data.decode("latin-1").encode(), "Latin-1"


def _refuse_binary(data: bytes, path: Path) -> None:
    known = signature(data)
    probe = data[:_PROBE]
    control = len(probe) - len(probe.translate(None, _CONTROL))
    if known is None and b"\0" not in data and control <= _MOST_CONTROL * len(probe):
        return
    what = f"it is {known}" if known else "it holds binary data"
    raise FileFormatError(
        f'"{path}" is not text ({what}): a table is expected, one line a row, '
        "or a file ending that names the format."
    )
