"""Which rows a network has learned from, as hashes in the run folder, and who asks for them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from deepwell.data.duplicates import repeats_are_ordinary
from deepwell.data.row_hashes import hash_rows
from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.numerals import plural
from deepwell.files import atomic_path
from deepwell.runs import RunFolder
from deepwell.workflows.prepare import Prepared

FILE_NAME = "seen.npy"


def write_seen_rows(run: RunFolder, prepared: Prepared) -> None:
    """Write the sorted hashes of the rows of training and validation, 8 bytes each.

    Where so few combinations of inputs exist that equal rows must occur, nothing is written:
    there, an equal row is not the same row.
    """
    if repeats_are_ordinary(prepared.schema.inputs, sum(prepared.num_rows.values())):
        return
    sides = (prepared.train, prepared.val)
    hashes = np.concatenate([hash_rows(side, prepared.schema) for side in sides])
    with atomic_path(run / FILE_NAME) as temporary:
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
    path = next((p for p in (model / FILE_NAME, model.parent / FILE_NAME) if p.is_file()), None)
    if path is None:
        return None
    try:
        seen = np.load(path, allow_pickle=False)
    except (OSError, ValueError):
        return None  # the scores do not depend on it
    found = int(np.isin(hash_rows(table, schema), seen).sum())
    sentence = ""
    if found:
        were = "was" if found == 1 else "were"
        sentence = (
            f"{found:,} of {plural(len(table), 'row')} {were} in training or validation: "
            "the score flatters. Score rows that the model has never seen."
        )
    return {"rows": found, "of": len(table), "sentence": sentence}
