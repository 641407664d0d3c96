"""Looks: who has scored the test rows of a run, and when. A test set is fresh only once."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

from deepwell.errors import RunError
from deepwell.files import write_json
from deepwell.runs.folder import RunFolder

FILE_NAME = "looks.json"


def read_looks(run: RunFolder) -> list[dict[str, Any]]:
    """Return the looks at the test rows so far, the first one first.

    Raises:
        RunError: The file is damaged.
    """
    if not (run / FILE_NAME).is_file():
        return []
    looks = run.read(FILE_NAME)
    if not isinstance(looks, list):
        raise RunError(f"{run / FILE_NAME} is damaged: it must hold a list. Delete it.")
    return looks


def record_look(run: RunFolder, what: str, *, rows: int) -> list[dict[str, Any]]:
    """Write down that test rows were scored, and return all looks.

    Args:
        run: The run whose test rows they are.
        what: Why they were scored, such as "end of the training".
        rows: How many of the run's test rows were scored.

    Raises:
        OutputError: The run folder cannot be written.
    """
    look = {
        "when": datetime.now().astimezone().isoformat(timespec="seconds"),
        "what": what,
        "command": command_line(),
        "rows": rows,
    }
    looks = [*read_looks(run), look]
    write_json(run / FILE_NAME, looks)
    return looks


def command_line() -> str:
    """Return the command that is running, or "" inside a program of the user's own."""
    is_command = Path(sys.argv[0]).name in ("deepwell", "__main__.py")
    return shlex.join(["deepwell", *sys.argv[1:]]) if is_command else ""
