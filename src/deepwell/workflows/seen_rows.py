"""Which rows a network has learned from and was tested on, as hashes in the run folder."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.duplicates import repeats_are_ordinary
from deepwell.data.row_hashes import hash_rows
from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import DeepwellError
from deepwell.evaluation import report as report_page
from deepwell.evaluation.looks import looks_sentence
from deepwell.evaluation.numerals import plural
from deepwell.files import atomic_path
from deepwell.runs import RunFolder
from deepwell.runs.looks import record_look
from deepwell.workflows.prepare import Prepared

FILE_NAME = "seen.npy"
TESTED = "tested.npy"
SECOND_LOOK = "These are test rows of the run; that they were scored could not be written down."


def write_seen_rows(run: RunFolder, prepared: Prepared) -> None:
    """Write the sorted hashes of the rows of training and validation, and those of the test rows.

    Where so few combinations of inputs exist that equal rows are ordinary, nothing is written:
    there, an equal row is not the same row.
    """
    found = (prepared.audit.get("copies") or {}).get("ordinary")
    num_rows = sum(prepared.num_rows.values())
    if found or repeats_are_ordinary(prepared.schema.inputs, num_rows):
        return
    sides = {FILE_NAME: (prepared.train, prepared.val), TESTED: (prepared.test,)}
    for name, tables in sides.items():
        hashes = np.concatenate([hash_rows(side, prepared.schema) for side in tables])
        with atomic_path(run / name) as temporary:
            np.save(temporary, np.unique(hashes), allow_pickle=False)


def count_seen_rows(model: Path, table: Table, schema: Schema) -> dict[str, Any] | None:
    """Count the rows whose inputs equal those of a row that the model has learned from.

    Args:
        model: A run folder, or the model folder inside one.
        table: The rows that are scored.
        schema: Of the model.

    Returns:
        `rows`, `of` and `sentence` ("" if there is none); None if the model lies in no run folder,
        or the run did not write down its rows.
    """
    run = run_of(model)
    seen = None if run is None else _hashes(run / FILE_NAME)
    if seen is None:
        return None
    found = int(np.isin(hash_rows(table, schema), seen).sum())
    sentence = ""
    if found:
        were = "was" if found == 1 else "were"
        sentence = (
            f"{found:,} of {plural(len(table), 'row')} {were} in training or validation: "
            "the score flatters. Score rows that the model has never seen."
        )
    return {"rows": found, "of": len(table), "sentence": sentence}


def note_look(
    model: Path, data: Any, table: Table, schema: Schema, what: str
) -> dict[str, Any] | None:
    """Write into the run folder that test rows of the run are scored again, if they are.

    Args:
        model: A run folder, or the model folder inside one.
        data: What the user gave; a path tells where rows themselves cannot.
        table: The rows that are scored.
        schema: Of the model.
        what: Why they are scored.

    Returns:
        `rows` (test rows of the run among them), `times` and `sentence`; None if there is no such
        row, or the model lies in no run folder.
    """
    run = run_of(model)
    rows = 0 if run is None else _count_tested(run, data, table, schema)
    if run is None or not rows:
        return None
    try:
        looks = record_look(run, what, rows=rows)
    except DeepwellError as error:
        return {"rows": rows, "times": None, "sentence": f"{SECOND_LOOK} ({error})"}
    _tell_in_report(run)
    return {"rows": rows, "times": len(looks), "sentence": looks_sentence(looks)}


def _tell_in_report(run: RunFolder) -> None:
    """Write the report again, so that it knows of the look; the look counts all the same."""
    if (run / report_page.FILE_NAME).is_file():
        with contextlib.suppress(DeepwellError):
            report_page.write(run.path)


def run_of(model: Path) -> RunFolder | None:
    """Return the run folder that a model lies in, or None."""
    places = (model, model.absolute().parent)
    return next((RunFolder(p) for p in places if (p / "status.json").is_file()), None)


def _count_tested(run: RunFolder, data: Any, table: Table, schema: Schema) -> int:
    tested = _hashes(run / TESTED)
    if tested is not None:
        return int(np.isin(tested, hash_rows(table, schema)).sum())
    try:
        path = (run.read("manifest.json").get("data") or {}).get("path")
        is_same = isinstance(data, (str, Path)) and path == str(Path(data).absolute())
        return len(run.read_splits()["test"]) if is_same else 0
    except DeepwellError:
        return 0


def _hashes(path: Path) -> NDArray[np.uint64] | None:
    """Read hashes; None if there are none: no score depends on them."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None
