"""Encoded rows on the disk: a folder that is complete or not there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.table import Column, Table
from deepwell.errors import OutputError
from deepwell.files import explain_os_error, read_json, write_json
from deepwell.types import StoredBlock, StoredRows

NOTE = "cache.json"
FORMAT = 1


def cache_root(chosen: str | None) -> Path:
    """Return the folder that holds the encoded rows of all data.

    Args:
        chosen: The setting; None: "deepwell" in the user's cache folder.
    """
    if chosen is not None:
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
    return Path(base or Path.home() / ".cache") / "deepwell"


class ArrayWriter:
    """Writes an ``.npy`` file whose number of rows is known only at the end.

    Args:
        path: The file.
        dtype: Of the values.
        shape: Of one row.
    """

    def __init__(self, path: Path, dtype: str, shape: tuple[int, ...]) -> None:
        self.rows = 0
        self._dtype, self._shape = np.dtype(dtype), shape
        self._file = path.open("wb")
        self._write_header()

    def _write_header(self) -> None:
        # numpy leaves room in the header for a longer first number
        descr = np.lib.format.dtype_to_descr(self._dtype)
        header = {"descr": descr, "fortran_order": False, "shape": (self.rows, *self._shape)}
        np.lib.format.write_array_header_1_0(self._file, header)

    def append(self, rows: NDArray[Any]) -> None:
        """Write further rows."""
        array = np.ascontiguousarray(rows, dtype=self._dtype)
        self._file.write(array.data if array.size else b"")
        self.rows += len(array)

    def close(self, *, complete: bool) -> None:
        """Close the file; if complete, put the number of rows in its place."""
        try:
            if complete:
                self._file.seek(0)
                self._write_header()
                self._file.flush()
                os.fsync(self._file.fileno())
        finally:
            self._file.close()


@dataclass(slots=True)
class Writers:
    """The open files of a folder of encoded rows."""

    folder: Path
    files: dict[str, ArrayWriter] = field(default_factory=dict[str, ArrayWriter])

    def append(self, name: str, rows: NDArray[Any], dtype: str) -> None:
        """Write rows to the file of this name, which is made with the first of them."""
        if name not in self.files:
            self.files[name] = ArrayWriter(self.folder / name, dtype, rows.shape[1:])
        self.files[name].append(rows)


@contextlib.contextmanager
def open_writers(folder: Path) -> Generator[Writers]:
    """Give writers, and close all of their files."""
    writers = Writers(folder)
    complete = False
    try:
        yield writers
        complete = True
    finally:
        for file in writers.files.values():
            file.close(complete=complete)


@contextlib.contextmanager
def whole_folder(path: Path, *, needed: int) -> Generator[Path]:
    """Yield a temporary folder beside `path`, and rename it when it is complete.

    What stands at `path` is replaced. Whatever goes wrong, also Ctrl-C, nothing half is left.

    Args:
        path: Where the folder shall be.
        needed: Bytes that will be written, about.

    Raises:
        OutputError: No permission, or not enough space.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(path.parent).free
        if needed > free:
            raise OutputError(
                f"The encoded rows need about {needed / (1 << 30):.1f} GiB, and {path.parent} has "
                f"{free / (1 << 30):.1f} GiB left: free some space, or choose another place with "
                "--set data.cache=FOLDER."
            )
        _remove_leftovers(path)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=_prefix(path, os.getpid())))
    except OutputError:
        raise
    except OSError as error:
        raise explain_os_error(error, path) from error
    try:
        yield temporary
        shutil.rmtree(path, ignore_errors=True)
        temporary.rename(path)
    except OutputError:
        raise
    except OSError as error:
        raise explain_os_error(error, path) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _prefix(path: Path, process: int) -> str:
    return f".{path.name}.{process}."


def _remove_leftovers(path: Path) -> None:
    """Remove what a process left that was killed while it wrote the same folder."""
    for folder in path.parent.glob(f".{path.name}.*"):
        process = folder.name.removeprefix(f".{path.name}.").partition(".")[0]
        if process.isdigit() and not _is_alive(int(process)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_note(folder: Path, facts: dict[str, Any]) -> None:
    """Write what the folder holds, and the size of each file."""
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    write_json(folder / NOTE, {"format": FORMAT, **facts, "files": sizes})


def read_note(folder: Path) -> dict[str, Any] | None:
    """Return what the folder holds, or None if it is not there or torn."""
    try:
        note = read_json(folder / NOTE)
        if note["format"] != FORMAT:
            return None
        is_whole = all(
            (folder / name).stat().st_size == size for name, size in note["files"].items()
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return note if is_whole else None


def folder_size(note: dict[str, Any]) -> int:
    """Return the bytes of all files of a folder."""
    return sum(note["files"].values())


def stored_rows(folder: Path, note: dict[str, Any]) -> StoredRows:
    """Return the training rows of a folder."""
    blocks = tuple(
        StoredBlock(
            paths=tuple(folder / name for name in block["files"]),
            dtype=block["dtype"],
            order=None if block["order"] is None else tuple(block["order"]),
        )
        for block in note["blocks"]
    )
    weight = folder / "weight.npy" if "weight.npy" in note["files"] else None
    return StoredRows(
        inputs=blocks, targets=folder / "targets.npy", ids=folder / "ids.npy", weight=weight
    )


def write_table(folder: Path, name: str, parts: list[Table]) -> None:
    """Write the rows of several tables as one."""
    # whole numbers in one piece of the data can stand beside broken ones in another
    frames = [part.frame() for part in parts]
    pl.concat(frames, how="vertical_relaxed").write_parquet(folder / f"{name}.parquet")
    np.save(folder / f"{name}-ids.npy", np.concatenate([part.ids for part in parts]))
    for column in (n for n, c in parts[0].columns.items() if isinstance(c, np.ndarray)):
        np.save(folder / f"{name}-pictures.npy", np.concatenate([part[column] for part in parts]))
        write_json(folder / f"{name}-pictures.json", column)


def read_table_again(folder: Path, name: str) -> Table:
    """Return a table that `write_table` wrote."""
    frame = pl.read_parquet(folder / f"{name}.parquet")
    columns: dict[str, Column] = {series.name: series for series in frame.iter_columns()}
    if (folder / f"{name}-pictures.npy").exists():
        pictures = np.load(folder / f"{name}-pictures.npy", allow_pickle=False)
        columns = {read_json(folder / f"{name}-pictures.json"): pictures, **columns}
    return Table(columns, ids=np.load(folder / f"{name}-ids.npy", allow_pickle=False))
