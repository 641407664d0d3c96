"""Writing without halves: everything goes to a temporary name and is renamed when complete."""

import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import Any

from deepwell.errors import OutputError


def explain_os_error(error: OSError, path: Path) -> OutputError:
    """Turn an operating-system error into one sentence that says what to do."""
    number = error.errno or _number_in(str(error))
    if number in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(f"No space left on the disk while writing {path}: free some space.")
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return OutputError(f"No permission to write {path}: choose another place or its owner.")
    if number == errno.ENOENT and not path.parent.exists():
        return OutputError(f"The folder {path.parent} does not exist: create it first.")
    if number == errno.ENOTDIR:
        file = next((above for above in path.parents if above.is_file()), path.parent)
        return OutputError(f"{path} cannot be written: {file} is a file, not a folder.")
    if number == errno.EISDIR:
        return OutputError(f"{path} cannot be written: a folder has this name.")
    return OutputError(f"Could not write {path}: {error.strerror or error}.")


def _number_in(text: str) -> int | None:
    """Return the number of the operating system's error that writers in Rust hide in a text."""
    found = re.search(r"os error (\d+)", text)
    return int(found[1]) if found else None


@contextlib.contextmanager
def atomic_path(path: Path) -> Generator[Path]:
    """Yield a temporary path beside `path`; rename it on success, delete it on failure.

    Args:
        path: Where the finished file shall be.

    Raises:
        OutputError: The place cannot be written or the disk is full.

    Example:
        >>> import tempfile, pathlib
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> with atomic_path(folder / "a.txt") as temporary:
        ...     _ = temporary.write_text("done")
        >>> (folder / "a.txt").read_text()
        'done'
    """
    try:
        # the suffix is kept at the end: writers choose the format by it
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f".{path.stem}.", suffix=f".tmp{path.suffix}"
        )
        os.close(handle)
    except OSError as error:
        raise explain_os_error(error, path) from error
    temporary = Path(name)
    try:
        yield temporary
        os.chmod(temporary, 0o666 & ~_umask())
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        os.replace(temporary, path)
    except OutputError:
        raise
    except Exception as error:
        number = _number_in(str(error))
        if isinstance(error, OSError):
            raise explain_os_error(error, path) from error
        if number is not None:
            raise explain_os_error(OSError(number, os.strerror(number)), path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically.

    Raises:
        OutputError: The place cannot be written or the disk is full.
    """
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, readable by people. NaN and infinity are refused.

    Raises:
        OutputError: The place cannot be written or the disk is full.
        ValueError: The value holds NaN or infinity, which JSON does not have.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hexadecimal text, read in pieces."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
