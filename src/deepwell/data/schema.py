"""The schema: what each column is, why we think so, and what it is for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from deepwell.errors import ColumnError, did_you_mean, listing

KindName = Literal["number", "category", "boolean", "date", "text", "image"]
Role = Literal["input", "target", "id", "group", "time", "weight", "ignored"]
KIND_NAMES: tuple[KindName, ...] = get_args(KindName)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSpec:
    """One column of a schema.

    Args:
        name: The column's name.
        kind: What its values are.
        role: What it is used for.
        reason: Why this kind and role, in words.
        missing: Number of rows without a value.
        distinct: Number of different values.
        summary: What the inspection shows: a range such as "12 … 90" or the most common values.
        warnings: Things a person should look at, in words.
    """

    name: str
    kind: KindName
    role: Role
    reason: str
    missing: int = 0
    distinct: int = 0
    summary: str = ""
    warnings: tuple[str, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class Schema:
    """All columns of a table.

    Args:
        columns: In the order of the file.
        num_rows: Rows of the table from which the schema was inferred.
    """

    columns: tuple[ColumnSpec, ...]
    num_rows: int

    def __getitem__(self, name: str) -> ColumnSpec:
        for column in self.columns:
            if column.name == name:
                return column
        known = [column.name for column in self.columns]
        hint = did_you_mean(name, known)
        raise ColumnError(f'There is no column "{name}".{hint} Columns: {listing(known)}.')

    def with_role(self, role: Role) -> tuple[ColumnSpec, ...]:
        """Return the columns that have this role."""
        return tuple(column for column in self.columns if column.role == role)

    @property
    def inputs(self) -> tuple[ColumnSpec, ...]:
        """The columns from which the network predicts."""
        return self.with_role("input")

    @property
    def targets(self) -> tuple[ColumnSpec, ...]:
        """The columns that the network predicts."""
        return self.with_role("target")

    def name_of(self, role: Role) -> str | None:
        """Return the name of the first column with this role, or None."""
        columns = self.with_role(role)
        return columns[0].name if columns else None

    def set_role(self, names: Iterable[str], role: Role, reason: str) -> Schema:
        """Return a schema in which these columns have another role."""
        changed = set(names)
        columns = tuple(
            replace(column, role=role, reason=reason) if column.name in changed else column
            for column in self.columns
        )
        return Schema(columns, self.num_rows)

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary that `from_json` reads."""
        return {"num_rows": self.num_rows, "columns": [asdict(c) for c in self.columns]}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Schema:
        """Rebuild the schema from `to_json`."""
        columns = tuple(
            replace(ColumnSpec(**column), warnings=tuple(column["warnings"]))
            for column in state["columns"]
        )
        return cls(columns, int(state["num_rows"]))
