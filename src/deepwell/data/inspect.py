"""What is in the data, as rows for a table on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import polars as pl

from deepwell.data.kinds.base import share, shorten
from deepwell.data.schema import ColumnSpec, KindName, Role, Schema
from deepwell.data.table import Table

ORDER: tuple[Role, ...] = ("target", "input", "group", "time", "weight", "id", "ignored")


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectionRow:
    """One column, ready to be shown.

    Args:
        name: The column's name.
        kind: What its values are.
        role: What it is used for.
        missing: Rows without a value, with their share; empty if there are none.
        distinct: Number of different values.
        summary: A range, or the most common values.
        example: The first value that is present, as text; empty for pictures.
        reason: Why this kind and role.
        warnings: What a person should look at, joined; empty if there is nothing.
    """

    name: str
    kind: KindName
    role: Role
    missing: str
    distinct: int
    summary: str
    example: str
    reason: str
    warnings: str


class HasTable(Protocol):
    """What `read` returns: a table and where it came from."""

    @property
    def table(self) -> Table:
        """The rows."""
        ...


def inspect(
    source: HasTable | Table, schema: Schema, *, by_role: bool = False
) -> list[InspectionRow]:
    """Describe each column of a schema.

    Args:
        source: The data as read, or a table.
        schema: As inferred from the data.
        by_role: Put the target first and ignored columns last, instead of the order of the file.

    Example:
        >>> from deepwell.data.infer import infer_schema
        >>> table = Table({"x": pl.Series([1.5, None, 2.5, 4.0])})
        >>> row = inspect(table, infer_schema(table))[0]
        >>> row.kind, row.missing, row.summary, row.example
        ('number', '1 (25 %)', '1.5 … 4, mean 2.667', '1.5')
    """
    table = source if isinstance(source, Table) else source.table
    columns = list(schema.columns)
    if by_role:
        columns.sort(key=lambda column: ORDER.index(column.role))
    return [_show(column, table, schema.num_rows) for column in columns]


def _show(column: ColumnSpec, table: Table, rows: int) -> InspectionRow:
    return InspectionRow(
        name=column.name,
        kind=column.kind,
        role=column.role,
        missing=f"{column.missing} ({share(column.missing, rows)})" if column.missing else "",
        distinct=column.distinct,
        summary=column.summary,
        example=_example(table, column.name),
        reason=column.reason,
        warnings="; ".join(column.warnings),
    )


def _example(table: Table, name: str) -> str:
    values = table.columns.get(name)
    if not isinstance(values, pl.Series):
        return ""
    present = values.drop_nulls().head(1)
    return shorten(" ".join(str(present[0]).split())) if len(present) else ""
