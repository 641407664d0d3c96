"""Inspecting: what a file holds and what each column would be used for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from deepwell.data import DataSettings, check, infer_schema, read
from deepwell.data.inspect import InspectionRow, inspect
from deepwell.data.proposals import propose
from deepwell.errors import DataError, TaskError
from deepwell.tasks import TaskSettings, formulate


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a file holds.

    Args:
        name: Of the file.
        num_rows: Rows of the table.
        rows: One for each column.
        task: What would be asked, or why that does not work; None without a target.
        notes: What a person should know.
    """

    name: str
    num_rows: int
    rows: tuple[InspectionRow, ...]
    task: str | None
    notes: tuple[str, ...]


def inspect_data(data: Any, target: Sequence[str], settings: Mapping[str, Any]) -> Inspection:
    """Read a file and say what each column is taken for, and why.

    Args:
        data: A path or an object of Python; see `data.read`.
        target: Columns that would be predicted; may be empty.
        settings: As in `DataSettings`.

    Raises:
        DataError: The file cannot be read.
    """
    asked = DataSettings.model_validate(settings)
    source = read(data, asked, target=target)
    targets = tuple(target) or source.target or ()
    schema = infer_schema(source.table, targets=targets, settings=asked)
    task, notes = None, list(source.notes)
    if targets:
        try:
            notes += check(source.table, schema)
            task = formulate(schema, source.table, TaskSettings()).reason
        except (DataError, TaskError) as error:
            task = f"cannot be learned: {error}"
    notes += propose(source.table, schema)
    rows = tuple(inspect(source.table, schema))
    return Inspection(source.name, len(source.table), rows, task, tuple(notes))
