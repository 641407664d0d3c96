"""Bring a table into the types of a schema."""

from __future__ import annotations

from collections.abc import Iterable

from deepwell.data.kinds import KINDS
from deepwell.data.kinds.base import is_textual
from deepwell.data.kinds.date import moments
from deepwell.data.schema import ColumnSpec, Schema
from deepwell.data.table import Column, Table
from deepwell.errors import ColumnError, did_you_mean, listing


def conform(table: Table, schema: Schema) -> Table:
    """Read text as what the schema says: numbers, dates and booleans that came as text.

    Columns that have their type already, that are ignored, or that are absent stay as they are.

    Raises:
        ColumnError: A text cannot be read so; the message names its row.
    """
    changed = dict(table.columns)
    for spec in schema.columns:
        column = table.columns.get(spec.name)
        if column is None or not is_textual(column) or spec.role in ("ignored", "id"):
            continue
        if spec.role == "time" and spec.kind == "date":
            changed[spec.name] = moments(spec.name, column)
        elif spec.kind in ("number", "date", "boolean"):
            changed[spec.name] = KINDS[spec.kind].parse(spec.name, column)
    return Table(changed, ids=table.ids)


def parsed_columns(table: Table, specs: Iterable[ColumnSpec]) -> list[Column]:
    """Return columns in the types of their kinds, in the order of the specs.

    Raises:
        ColumnError: Columns are missing (all are named), or a value does not fit.
    """
    specs = list(specs)
    require_columns(table, [spec.name for spec in specs])
    return [KINDS[spec.kind].parse(spec.name, table[spec.name]) for spec in specs]


def require_columns(table: Table, names: Iterable[str]) -> None:
    """Check that columns exist.

    Raises:
        ColumnError: Names all that are missing.
    """
    missing = [name for name in names if name not in table]
    if not missing:
        return
    quoted = ", ".join(f'"{name}"' for name in missing)
    noun = "Columns are" if len(missing) > 1 else "A column is"
    hint = did_you_mean(missing[0], table.names) if len(missing) == 1 else ""
    raise ColumnError(
        f"{noun} missing that the network was trained on: {quoted}.{hint} "
        f"Columns given: {listing(table.names)}."
    )
