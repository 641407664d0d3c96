"""Find out what each column is, and say why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from deepwell.data.duplicates import row_groups
from deepwell.data.kinds import KINDS
from deepwell.data.kinds.base import count_missing, is_textual, share
from deepwell.data.roles import (
    assign_roles,
    constant_reason,
    counts_up,
    identifier_reason,
    kind_name,
)
from deepwell.data.schema import ColumnSpec, KindName, Role, Schema
from deepwell.data.settings import DataSettings
from deepwell.data.table import Column, Table
from deepwell.errors import ColumnError

MISSING_WARNING = 0.2
"""From this share of missing values on, a person should look."""
DOMINANT_WARNING = 0.99
"""From this share of one value on, a person should look."""


def infer_schema(
    table: Table,
    *,
    targets: Sequence[str] = (),
    settings: DataSettings | None = None,
    test: Table | None = None,
) -> Schema:
    """Find the kind and the role of each column.

    Args:
        table: All rows.
        targets: Names of the columns to predict.
        settings: Kinds and roles that the user sets; they override what is found.
        test: Test rows that were given apart. Only whether a column of zeros and ones holds other
            numbers there is looked at: it is a column of numbers then.

    Raises:
        ColumnError: A named column or kind does not exist, a value does not fit the kind that was
            asked for, or is infinite; the message names column, row and value.

    Example:
        >>> table = Table({"rooms": pl.Series([3, 4, 5, 4]), "town": pl.Series(list("abab"))})
        >>> schema = infer_schema(table, targets=["rooms"])
        >>> schema["town"].kind, schema["town"].reason
        ('category', '2 different texts in 4 rows, so a category')
    """
    settings = settings or DataSettings()
    given = assign_roles(table, targets, settings)
    columns: list[ColumnSpec] = []
    for name, column in table.columns.items():
        role, why = given.get(name, (None, ""))
        if role == "ignored":
            columns.append(_left_out(name, column, why))
            continue
        asked = settings.kinds.get(name)
        asked = None if asked is None else kind_name(name, asked)
        further = None if test is None or name in targets else test.columns.get(name)
        is_wider = asked is None and _has_other_numbers(column, further)
        asked = "number" if is_wider else asked
        spec = _inspect(name, column, role, why, asked, _DifferentRows(table))
        reason = "0 and 1 here, and other numbers in the test rows"
        columns.append(replace(spec, reason=reason) if is_wider else spec)
    schema = Schema(tuple(columns), len(table))
    _check_special(table, schema)
    return schema


def _has_other_numbers(column: Column, further: Column | None) -> bool:
    """Say whether a column of zeros and ones alone goes on with other numbers."""
    both = [one for one in (column, further) if isinstance(one, pl.Series)]
    if len(both) < 2 or not all(one.dtype.is_numeric() for one in both):
        return False
    values = (one.cast(pl.Float64).fill_nan(None).drop_nulls() for one in both)
    here, there = (one.is_in([0.0, 1.0]).all() for one in values)
    return here and not there


@dataclass(frozen=True, slots=True)
class _DifferentRows:
    """The number of different rows of a table, counted only where a column may name its rows."""

    table: Table

    def are_named_by(self, column: Column, distinct: int) -> bool:
        """Say whether a column has another value in each different row, copies of rows apart."""
        rows = len(self.table)
        if distinct == rows:
            return True
        others = [one for one in self.table.columns.values() if isinstance(one, pl.Series)]
        if len(others) < max(2, len(self.table.columns)) or not isinstance(column, pl.Series):
            return False
        if 2 * distinct < rows or column.dtype.is_float():
            return False
        keys = [one.alias(str(index)) for index, one in enumerate(others)]
        return pl.DataFrame(keys).n_unique() == distinct


def _inspect(
    name: str,
    column: Column,
    role: Role | None,
    why: str,
    asked: KindName | None,
    rows: _DifferentRows,
) -> ColumnSpec:
    kind, reason = (asked, "kind set by you") if asked else recognise(column, role)
    if kind is None:
        return _unusable(name, column, role, reason)
    parsed = _weights(name, column) if role == "weight" else KINDS[kind].parse(name, column)
    missing, distinct = count_missing(parsed), _count_distinct(parsed)
    description = KINDS[kind].describe(parsed)
    warnings = [*_general_warnings(column, parsed, missing), *description.warnings]
    if role is None:
        names_rows = not asked and rows.are_named_by(column, distinct)
        role, instead = _default_role(name, column, kind, missing, distinct, names_rows)
        reason = instead or reason
        if role == "id":
            warnings = [
                f"looks like an identifier: not learned from (keep it: --kind {name}={kind})"
            ]
        elif role == "ignored":
            warnings = [f"not learned from: {reason.split(':')[0]}"]
        elif isinstance(column, pl.Series) and counts_up(column):
            warnings.append("counts up row by row: if it only numbers the rows, ignore it")
    elif why:
        reason = f"{why}; {reason}"
    return ColumnSpec(
        name=name,
        kind=kind,
        role=role,
        reason=reason,
        missing=missing,
        distinct=distinct,
        summary=description.summary,
        warnings=tuple(warnings),
    )


def recognise(column: Column, role: Role | None = None) -> tuple[KindName | None, str]:
    """Return kind and reason; the kind is None if the values are of no kind."""
    if role == "weight":
        return "number", "read as numbers"
    for kind in KINDS:
        reason = KINDS[kind].recognise(column)
        if reason is None:
            continue
        found = KINDS[kind].name
        if found == "text" and role in ("target", "group") and isinstance(column, pl.Series):
            distinct, rows = column.drop_nulls().n_unique(), len(column) - column.null_count()
            if distinct < rows or role == "group":
                return "category", f"{distinct} different texts in {rows} rows"
        return found, reason
    dtype = column.dtype
    if dtype == pl.Null:
        return "number", "all values are missing"
    return None, f"values of type {dtype} cannot be learned from"


def _default_role(
    name: str, column: Column, kind: KindName, missing: int, distinct: int, names_rows: bool
) -> tuple[Role, str]:
    """Return the role of a column that the user did not name, and the reason if it is no input."""
    reason = constant_reason(column, missing, distinct)
    if reason is not None:
        return "ignored", reason
    reason = identifier_reason(name, column, kind, distinct) if names_rows else None
    return ("id", reason) if reason else ("input", "")


def _left_out(name: str, column: Column, why: str) -> ColumnSpec:
    """Describe a column that the user ignores; its values are not judged."""
    kind: KindName = "text" if isinstance(column, pl.Series) else "image"
    if isinstance(column, pl.Series) and column.dtype.is_numeric():
        kind = "number"
    return ColumnSpec(
        name=name, kind=kind, role="ignored", reason=why, missing=count_missing(column)
    )


def _unusable(name: str, column: Column, role: Role | None, reason: str) -> ColumnSpec:
    if role is not None:
        raise ColumnError(f'Column "{name}" cannot be the {role}: {reason}.')
    return ColumnSpec(
        name=name,
        kind="text",
        role="ignored",
        reason=reason,
        missing=count_missing(column),
        warnings=("not learned from: write it as numbers or text",),
    )


def _count_distinct(parsed: Column) -> int:
    if isinstance(parsed, pl.Series):
        return parsed.drop_nulls().n_unique()
    return len(np.unique(row_groups([parsed]))) if len(parsed) else 0


def _general_warnings(raw: Column, parsed: Column, missing: int) -> list[str]:
    rows = len(parsed)
    warnings: list[str] = []
    if rows and missing >= MISSING_WARNING * rows:
        warnings.append(f"{share(missing, rows)} missing")
    if isinstance(parsed, pl.Series) and rows:
        counts = parsed.drop_nulls().value_counts(name="how many")["how many"]
        largest = counts.max() if len(counts) > 1 else None
        if isinstance(largest, int) and largest >= DOMINANT_WARNING * rows:
            warnings.append(f"one value in {share(largest, rows)} of rows")
    if isinstance(raw, pl.Series) and is_textual(raw) and _looks_like_dates(raw):
        warnings.append("looks like dates: write them as 2024-03-31")
    return warnings


def _looks_like_dates(texts: pl.Series) -> bool:
    head = texts.cast(pl.String).drop_nulls().head(50)
    return bool(len(head)) and bool(head.str.contains(r"^\d{1,2}/\d{1,2}/\d{2,4}\b").all())


def _check_special(table: Table, schema: Schema) -> None:
    """Check the time column and the weights."""
    time = schema.name_of("time")
    if time is not None and schema[time].kind not in ("date", "number"):
        raise ColumnError(
            f'The time column "{time}" must hold dates or numbers, '
            f"but it is of kind {schema[time].kind}."
        )
    weight = schema.name_of("weight")
    if weight is not None:
        check_weights(weight, table[weight])


def _weights(name: str, column: Column) -> Column:
    """Read weights as numbers; categories, as an input may be, are no way out for them."""
    try:
        return KINDS["number"].parse(name, column)
    except ColumnError as error:
        read = str(error).partition(" Correct the value")[0]
        raise ColumnError(
            f"{read} A weight says how much a row counts, 0 or more: name a column of numbers with "
            "--weight, or leave it out."
        ) from error


def check_weights(name: str, column: Column) -> None:
    """Check the weights of the rows.

    Raises:
        ColumnError: They are no numbers, missing, negative, infinite or all zero.
    """
    values = _weights(name, column)
    if not isinstance(values, pl.Series):
        return
    for wrong, what in ((values.is_null(), "has no value"), (values < 0, "is negative")):
        rows = wrong.fill_null(False).arg_true()
        if len(rows):
            raise ColumnError(
                f'Weight column "{name}": row {rows[0] + 1} {what}. A weight says how much a row '
                "counts, 0 or more: correct the column, or leave --weight out."
            )
    if len(values) and not values.sum():
        raise ColumnError(
            f'Weight column "{name}": all weights are 0, so no row would count. Correct the '
            "column, or leave --weight out."
        )
