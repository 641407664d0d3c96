"""Predicting: a model folder answers questions about new rows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import polars as pl

from deepwell.artifact import load
from deepwell.errors import OutputError
from deepwell.files import atomic_path, explain_os_error


def _write_tsv(frame: pl.DataFrame, path: Path) -> None:
    frame.write_csv(path, separator="\t")


WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".csv": pl.DataFrame.write_csv,
    ".tsv": _write_tsv,
    ".parquet": pl.DataFrame.write_parquet,
    ".jsonl": pl.DataFrame.write_ndjson,
    ".arrow": pl.DataFrame.write_ipc,
}
"""File ending → how predictions are written."""


def predict(model: str | Path, data: Any, output: str | Path | None = None) -> pl.DataFrame:
    """Predict new rows with a stored model.

    Args:
        model: A model folder, or a run folder that holds one.
        data: Path of a file or folder, a frame, arrays, or a dict of columns.
        output: Where the rows with their predictions are written; None writes nothing.

    Raises:
        ArtifactError: The model folder is damaged, unsafe or too new.
        ColumnError: The data lack columns that the model needs; all are named.
        OutputError: The output cannot be written.
    """
    target = None if output is None else check_output(Path(output))
    answers = load(model).predict(data)
    frame = answers if isinstance(answers, pl.DataFrame) else pl.from_pandas(answers)
    if target is not None:
        with atomic_path(target) as temporary:
            WRITERS[target.suffix.lower()](frame, temporary)
    return frame


def check_output(path: Path, endings: Collection[str] = WRITERS) -> Path:
    """Refuse, before slow work starts, an output that could not be written.

    Raises:
        OutputError: Unknown file ending, or the folder is missing or not writable.
    """
    if path.suffix.lower() not in endings:
        known = ", ".join(endings)
        raise OutputError(f'"{path.name}": an output ends in {known}.')
    if path.is_dir():
        raise OutputError(f"{path} is a folder: give the name of a file.")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.stem}."):
            pass
    except OSError as error:
        raise explain_os_error(error, path) from error
    return path
