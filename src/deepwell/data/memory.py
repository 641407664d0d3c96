"""Whether data fit in memory: what they would need, and what is free."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from deepwell.data.content import endings, existing
from deepwell.data.idx import idx_files
from deepwell.data.images import has_test_part, holds_pictures, list_pictures
from deepwell.data.settings import DataSettings
from deepwell.errors import ConfigError

TEXT_CELL, TYPED_CELL = 100, 40
"""Bytes of one value of text and of Parquet at the peak of a training in memory, as measured: read,
typed, divided and encoded."""
SMALL = 256 << 20
"""Data that need less than this stay in memory without further thought."""
MOST = 0.5
"""Share of the free memory that the data may take."""

TEXT = (".csv", ".tsv", ".tab", ".txt", ".psv", ".dat", ".data")
PARQUET = (".parquet", ".pq")
_PACKED = 5
"""How many times as large a packed text is once unpacked, about."""
_PROBE = 1 << 18
_PIXELS = 224 * 224 * 3


def is_streamable(data: object) -> bool:
    """Say whether data can be read piece by piece: CSV (plain or gzip), Parquet, or pictures.

    Example:
        >>> is_streamable("houses.csv"), is_streamable("houses.csv.zst"), is_streamable([1, 2])
        (True, False, False)
    """
    if not isinstance(data, (str, Path)):
        return False
    path = Path(data).expanduser()
    if path.is_dir():
        return not idx_files(path) and holds_pictures(path) and not has_test_part(path)
    ending, packer = endings(path)
    return (ending in TEXT and packer in ("", ".gz")) or (ending in PARQUET and not packer)


def wants_mapping(data: object, settings: DataSettings) -> tuple[bool, str]:
    """Decide whether the encoded rows stay on the disk.

    Args:
        data: As for `read`; an existing file, if it is a path.
        settings: `memory` says what is wanted.

    Returns:
        The decision and the reason in words, empty where there was nothing to decide.

    Raises:
        ConfigError: Mapped data are wanted of something that cannot be read piece by piece.
    """
    if settings.memory == "resident":
        return False, ""
    if settings.memory == "mapped":
        _require_streamable(data, settings)
        return True, "Read from the disk while training, as asked (data.memory=mapped)."
    if not is_streamable(data) or settings.test is not None:
        return False, ""
    path = existing(str(data))
    needed, free = needed_memory(path), free_memory()
    if needed < SMALL or free is None:
        return False, ""
    found = f"about {_size(needed)} of memory would be needed and {_size(free)} are free"
    if needed <= MOST * free:
        return False, f"The rows are kept in memory: {found} (data.memory=auto)."
    return True, f"Read from the disk while training: {found} (data.memory=auto)."


def _require_streamable(data: object, settings: DataSettings) -> None:
    if not is_streamable(data):
        what = f'"{data}"' if isinstance(data, (str, Path)) else "an object of Python"
        raise ConfigError(
            "data.memory=mapped reads CSV (plain or .gz), Parquet, and folders of pictures without "
            f"a test folder piece by piece, but {what} must be read at once: save it as Parquet, "
            "or use data.memory=resident."
        )
    if settings.test is not None:
        raise ConfigError(
            "data.memory=mapped takes the test rows out of the same data: leave out --test, or "
            "use data.memory=resident."
        )


def needed_memory(path: Path) -> int:
    """Estimate the bytes that a training on all rows in memory needs at its peak.

    Args:
        path: A file of text or Parquet, or a folder of pictures.
    """
    try:
        return _needed(path)
    except (OSError, pl.exceptions.PolarsError):
        return 0  # the reader has the words for what is wrong


def _needed(path: Path) -> int:
    if path.is_dir():
        return len(list_pictures(path).files) * _PIXELS * 2
    if endings(path)[0] in PARQUET:
        lazy = pl.scan_parquet(path)
        rows = lazy.select(pl.len()).collect().item()
        return TYPED_CELL * int(rows) * len(lazy.collect_schema())
    size = path.stat().st_size
    if endings(path)[1]:
        return _PACKED * size * TEXT_CELL // 8
    with path.open("rb") as stream:
        probe = stream.read(_PROBE)
    separators = max(probe.count(mark) for mark in (b",", b";", b"\t", b"|")) + probe.count(b"\n")
    return TEXT_CELL * separators * size // max(len(probe), 1)


def free_memory() -> int | None:
    """Return the bytes that this process may still use, or None where that is not known."""
    free = _line_of(Path("/proc/meminfo"), "MemAvailable:")
    if free is None:
        try:
            free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, ValueError, OSError):
            return None
    limit = _group_limit()
    return free if limit is None else min(free, limit)


def _group_limit() -> int | None:
    """Return what a container leaves, or None where there is no limit."""
    folder = Path("/sys/fs/cgroup")
    try:
        most = int((folder / "memory.max").read_text())
        return max(0, most - int((folder / "memory.current").read_text()))
    except (OSError, ValueError):
        return None


def _line_of(path: Path, name: str) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith(name)), None)


def _size(number: float) -> str:
    return f"{number / (1 << 30):.1f} GiB"
