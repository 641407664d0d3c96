"""Find out before any slow work whether training makes sense."""

from __future__ import annotations

import numpy as np
import polars as pl

from deepwell.data.conform import require_columns
from deepwell.data.duplicates import row_groups
from deepwell.data.infer import check_weights
from deepwell.data.kinds import KINDS
from deepwell.data.kinds.base import share
from deepwell.data.kinds.category import as_text, count_values
from deepwell.data.roles import REASONS
from deepwell.data.schema import ColumnSpec, Schema
from deepwell.data.table import Table
from deepwell.errors import DataError, TaskError, listing

MIN_ROWS = 10
HEAVY_MISSING = 0.5
"""From this share of missing values on, a column is named in the notes."""


def check(table: Table, schema: Schema) -> tuple[str, ...]:
    """Check a table against its schema.

    Args:
        table: All rows.
        schema: As inferred, with the roles as they will be used.

    Returns:
        What a person should know, in words: rows without a target, ignored columns, equal
        inputs with different targets, inputs that give the target away.

    Raises:
        DataError: Too few rows, no input column, or wrong weights.
        TaskError: The target is all missing, constant, an identifier, or has a class with a single
            example.
    """
    require_columns(table, [c.name for c in schema.columns if c.role not in ("ignored", "id")])
    if len(table) < MIN_ROWS:
        rows = "1 row is" if len(table) == 1 else f"{len(table)} rows are"
        raise DataError(f"{rows} too few to learn from: at least {MIN_ROWS}.")
    notes: list[str] = []
    for column in schema.targets:
        notes += _check_target(table, column, is_only=len(schema.targets) == 1)
    if not schema.inputs:
        left = "; ".join(f"{c.name}: {c.reason}" for c in schema.columns if c.role != "target")
        raise DataError(
            f"No input column is left to learn from ({left or 'only the target'}): add columns "
            "that tell the rows apart, or let fewer be ignored."
        )
    weight = schema.name_of("weight")
    if weight is not None:
        check_weights(weight, table[weight])
    notes += _notes_on_columns(schema) + _notes_on_copies(table, schema)
    if len(schema.targets) == 1:
        notes += _notes_on_give_aways(table, schema)
    return tuple(notes)


def rows_with_target(table: Table, schema: Schema) -> Table:
    """Return the rows in which no target is missing."""
    present = np.ones(len(table), dtype=np.bool_)
    for column in schema.targets:
        values = KINDS[column.kind].parse(column.name, table[column.name])
        if isinstance(values, pl.Series):
            present &= values.is_not_null().to_numpy()
    return table if present.all() else table.take(present)


def _check_target(table: Table, column: ColumnSpec, *, is_only: bool) -> list[str]:
    name = column.name
    values = KINDS[column.kind].parse(name, table[name])
    if not isinstance(values, pl.Series):
        return []
    present = values.drop_nulls()
    if not len(present):
        raise TaskError(f'Target "{name}" has no value in any row: there is nothing to learn.')
    distinct = present.n_unique()
    if distinct == 1:
        raise TaskError(
            f'Target "{name}" is always {as_text(name, present)[0]}: there is nothing to learn. '
            "Choose another target, or add rows with other values."
        )
    if column.kind in ("text", "category", "date") and distinct == len(present):
        noun = "date" if column.kind == "date" else "text"
        raise TaskError(
            f'Target "{name}" has a different {noun} in each of {distinct} rows: it looks like an '
            "identifier, not like classes. Choose another target."
        )
    notes = _single_examples(name, present, is_only) if column.kind != "number" else []
    if len(present) < MIN_ROWS:
        raise TaskError(
            f'Target "{name}" has a value in only {len(present)} rows: at least {MIN_ROWS}.'
        )
    gaps = len(values) - len(present)
    if gaps:
        verb = "row has" if gaps == 1 else "rows have"
        notes.append(f'{gaps} {verb} no value in the target "{name}" and cannot be used.')
    return notes


def _single_examples(name: str, present: pl.Series, is_only: bool) -> list[str]:
    """Refuse a class with a single example; for one of several labels it is only noted."""
    counts = count_values(as_text(name, present))
    single = counts.filter(pl.col("count") == 1)["value"].to_list()
    if not single:
        return []
    what = "class has" if len(single) == 1 else "classes have"
    text = f'Target "{name}": {len(single)} {what} a single example ({listing(single, 5)})'
    if is_only:
        raise TaskError(
            f"{text}: a class must be in training and in the test. Add examples, join it with "
            "another class, or leave these rows out."
        )
    return [f"{text}."]


def _notes_on_columns(schema: Schema) -> list[str]:
    notes = [f'"{column.name}" is not used: {column.reason}.' for column in schema.with_role("id")]
    notes += [
        f'"{column.name}" is not used: {column.reason}.'
        for column in schema.with_role("ignored")
        if column.reason != REASONS["ignored"]
    ]
    notes += [
        f'"{column.name}": {share(column.missing, schema.num_rows)} missing.'
        for column in schema.inputs
        if column.missing >= HEAVY_MISSING * schema.num_rows
    ]
    return notes


def _notes_on_copies(table: Table, schema: Schema) -> list[str]:
    """Note equal inputs with different answers; the split itself says how many rows are equal."""
    targets = [table[column.name] for column in schema.targets]
    if not targets or any(column.kind == "number" for column in schema.targets):
        return []
    groups = row_groups([table[column.name] for column in schema.inputs])
    answers = row_groups([pl.Series(groups), *targets])
    several = np.unique(groups[groups != answers])
    count = int(np.isin(groups, several).sum())
    if not count:
        return []
    return [
        f"{count:,} rows have the same inputs as a row with another target: no model gets all "
        "right."
    ]


def _notes_on_give_aways(table: Table, schema: Schema) -> list[str]:
    """Name inputs from which the target follows exactly."""
    target = schema.targets[0]
    answers = table[target.name]
    if target.distinct < 2 or not isinstance(answers, pl.Series):
        return []
    notes: list[str] = []
    for column in schema.inputs:
        values = table[column.name]
        if column.distinct != target.distinct or not isinstance(values, pl.Series):
            continue
        if _follows(values, answers, target):
            notes.append(give_away_note(column.name, target.name))
    return notes


def give_away_note(column: str, target: str) -> str:
    """Return the note on a column from which the target follows exactly."""
    return (
        f'"{column}" gives the target "{target}" away in every row: is it '
        "known when a prediction is needed? If not, ignore it."
    )


def _follows(values: pl.Series, answers: pl.Series, target: ColumnSpec) -> bool:
    """Say whether two columns are the same, or name the same classes by other words."""
    pairs = pl.DataFrame([values.alias("value"), answers.alias("answer")]).drop_nulls()
    if not len(pairs):
        return False
    # where nearly every value differs, any two columns determine each other: only equality counts
    if 2 * target.distinct > len(pairs):
        same_type = pairs["value"].dtype.is_numeric() and pairs["answer"].dtype.is_numeric()
        return same_type and bool((pairs["value"] == pairs["answer"]).all())
    return pairs.n_unique() == target.distinct
