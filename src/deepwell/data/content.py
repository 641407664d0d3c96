"""The bytes of a file: found, unpacked, and told apart by their first bytes."""

from __future__ import annotations

import gzip
import hashlib
import os
import zlib
from pathlib import Path

from deepwell.errors import FileFormatError, did_you_mean

_PACKED = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}
_SIGNATURES = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"ARROW1": "an Arrow file",
    b"SQLite format 3": "an SQLite database",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"\x1f\x8b": "a gzip file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
}


def existing(path: str | os.PathLike[str]) -> Path:
    """Return the path if something is there.

    Raises:
        FileFormatError: There is no such file; a neighbour with a similar name is proposed.

    Example:
        >>> existing("no_such_file.csv")
        Traceback (most recent call last):
            ...
        deepwell.errors.FileFormatError: There is no file "no_such_file.csv".
    """
    text = os.fspath(path)
    if "://" in text:
        raise FileFormatError(f'"{text}" is an address: download the file first, then name it.')
    found = Path(text).expanduser()
    try:
        if text.strip() and found.exists():
            return found
        folder = found.parent
        neighbours = [p.name for p in folder.iterdir() if p != found] if folder.is_dir() else []
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileFormatError(f'"{text}" cannot be opened: {reason}.') from error
    if not folder.is_dir():
        raise FileFormatError(f'There is no file "{text}": the folder {folder} does not exist.')
    raise FileFormatError(f'There is no file "{text}".{did_you_mean(found.name, neighbours)}')


def load(path: Path) -> bytes:
    """Return all bytes of a file as they are on the disk.

    Raises:
        FileFormatError: The file is empty or may not be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FileFormatError(f'"{path}" cannot be read: {reason}.') from error
    if not data:
        raise FileFormatError(f'"{path}" is empty (0 bytes): is this the right file?')
    return data


def digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes as hexadecimal text."""
    return hashlib.sha256(data).hexdigest()


def signature(data: bytes) -> str | None:
    """Name the format that the first bytes give away, or return None.

    Example:
        >>> signature(b"PAR1....")
        'a Parquet file'
    """
    for start, name in _SIGNATURES.items():
        if data.startswith(start):
            return name
    return None


def endings(path: Path) -> tuple[str, str]:
    """Return the ending that tells the format and the one of the packer, lower case.

    Example:
        >>> endings(Path("houses.CSV.gz")), endings(Path("a.parquet"))
        (('.csv', '.gz'), ('.parquet', ''))
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _PACKED:
        return (suffixes[-2] if len(suffixes) > 1 else ""), suffixes[-1]
    return (suffixes[-1] if suffixes else ""), ""


def unpack(data: bytes, path: Path) -> bytes:
    """Undo gzip or Zstandard if the data are packed, whatever the file is called.

    Raises:
        FileFormatError: The file says it is packed and is not, or it is damaged.
    """
    packer = endings(path)[1]
    start = _PACKED.get(packer, b"")
    if not data.startswith(start):
        known = signature(data)
        found = f"it is {known}" if known else "its first bytes are others"
        raise FileFormatError(f'"{path}" is not packed as its ending {packer} says: {found}.')
    try:
        if data.startswith(_PACKED[".gz"]):
            data = gzip.decompress(data)
        elif data.startswith(_PACKED[".zst"]):
            data = _unpack_zstandard(data)
    except (OSError, EOFError, zlib.error, ValueError) as error:
        raise FileFormatError(
            f'"{path}" is damaged and cannot be unpacked ({_plain(error)}): copy it again.'
        ) from error
    if not data:
        raise FileFormatError(f'"{path}" is empty once unpacked: is this the right file?')
    return data


def _unpack_zstandard(data: bytes) -> bytes:
    """Undo Zstandard by way of Polars, which has a reader built in; Python's comes with 3.14."""
    import polars as pl

    try:
        lines = pl.read_csv(
            data,
            has_header=False,
            separator="\x01",
            quote_char=None,
            infer_schema=False,
            empty_string_is_null=False,
        )
    except pl.exceptions.NoDataError:
        return b""
    except pl.exceptions.PolarsError as error:
        raise ValueError("not UTF-8 text; pack it with gzip instead") from error
    if lines.width != 1:
        raise ValueError("not text")
    return "\n".join(lines.to_series().fill_null("").to_list()).encode()


def _plain(error: Exception) -> str:
    """Return the first line of an error of a library, without its final stop."""
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
