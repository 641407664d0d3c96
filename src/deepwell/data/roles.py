"""What each column is for: as the user said, or as its values and its name suggest."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import polars as pl

from deepwell.data.kinds.base import compact, shorten
from deepwell.data.schema import KIND_NAMES, KindName, Role
from deepwell.data.settings import DataSettings
from deepwell.data.table import Column, Table
from deepwell.errors import ColumnError, did_you_mean, listing

MIN_ROWS_FOR_ID = 10
MAX_ID_LENGTH = 64
ID_NAME = re.compile(
    r"(^|[\W_])(id|ids|idx|index|uuid|guid|pid|uid|key|nr|no|number|row|serial)$"
    r"|^row[\W_]*(id|nr|no|number|index)$|^unnamed|^column_1$|^$",
    re.IGNORECASE,
)
CAMEL_ID = re.compile(r"[a-z](Id|ID|Index|Key|Number|No|Nr)$")

REASONS: dict[Role, str] = {
    "target": "named as what to predict",
    "ignored": "left out as asked",
    "group": "named as the group: its values stay on one side of a split",
    "time": "named as the time: the latest rows are the test set",
    "weight": "named as the weight of a row",
}

Given = dict[str, tuple[Role, str]]
"""Column → role and reason."""


def assign_roles(table: Table, targets: Sequence[str], settings: DataSettings) -> Given:
    """Return the roles that the user gave.

    Raises:
        ColumnError: A named column does not exist, or is named for two purposes.
    """
    wanted: tuple[tuple[Role, Sequence[str | None]], ...] = (
        ("target", targets),
        ("ignored", settings.ignore),
        ("group", [settings.group]),
        ("time", [settings.time]),
        ("weight", [settings.weight]),
    )
    named: list[tuple[str, Role]] = []
    for role, names in wanted:
        named.extend((name, role) for name in names if name is not None)
    _require(table.names, [name for name, _ in named], "")
    _require(table.names, settings.kinds, " (--kind)")
    given: Given = {}
    for name, role in named:
        if name in given:
            raise ColumnError(
                f'Column "{name}" is named twice, as {given[name][0]} and as {role}: '
                "a column has one purpose."
            )
        given[name] = (role, REASONS[role])
    return given


def kind_name(column: str, kind: str) -> KindName:
    """Check the name of a kind.

    Raises:
        ColumnError: There is no such kind.
    """
    for known in KIND_NAMES:
        if known == kind:
            return known
    raise ColumnError(
        f'Unknown kind "{kind}" for column "{column}".{did_you_mean(kind, KIND_NAMES)} '
        f"Kinds: {listing(KIND_NAMES)}."
    )


def constant_reason(column: Column, missing: int, distinct: int) -> str | None:
    """Return why there is nothing to learn from a column, or None."""
    rows = len(column)
    if rows == 0:
        return None
    if missing == rows:
        return "all values are missing"
    if distinct != 1 or missing:
        return None
    if isinstance(column, pl.Series):
        value = column[0]
        text = compact(value) if isinstance(value, float) else shorten(str(value))
        return f'every value is "{text}": there is nothing to learn from'
    return "all pictures are the same: there is nothing to learn from"


def identifier_reason(name: str, raw: Column, kind: KindName, distinct: int) -> str | None:
    """Return why a column only names its row, or None.

    Text without spaces that differs in every row; whole numbers that differ in every row if
    the column is called like an identifier. In whole copies of a row the value may repeat.

    Args:
        name: Of the column.
        raw: Its values, of which each different row has another one.
        kind: What they were taken for.
        distinct: How many different values there are.
    """
    if not isinstance(raw, pl.Series) or raw.null_count() or len(raw) < MIN_ROWS_FOR_ID:
        return None
    where = "" if distinct == len(raw) else ", copies of whole rows apart"
    if kind in ("text", "category") and raw.dtype == pl.String:
        has_spaces = raw.str.strip_chars().str.contains(r"\s").any()
        longest = raw.str.len_chars().max()
        if not has_spaces and isinstance(longest, int) and longest <= MAX_ID_LENGTH:
            return f"every text differs and is one word{where}: looks like an identifier"
        return None
    if raw.dtype.is_integer() and is_id_name(name):
        how = "differs and counts up" if counts_up(raw) else "differs, and the name says so"
        return f"every value {how}{where}: looks like an identifier"
    return None


def counts_up(column: pl.Series) -> bool:
    """Say whether whole numbers grow by one from row to row."""
    if not column.dtype.is_integer() or column.null_count() or len(column) < MIN_ROWS_FOR_ID:
        return False
    return bool((column.cast(pl.Int64).diff().drop_nulls() == 1).all())


def is_id_name(name: str) -> bool:
    """Say whether a column is called like an identifier.

    Example:
        >>> is_id_name("house_id"), is_id_name("roomNr"), is_id_name("price")
        (True, True, False)
    """
    return bool(ID_NAME.search(name.strip()) or CAMEL_ID.search(name.strip()))


def _require(known: Sequence[str], wanted: Iterable[str], where: str) -> None:
    for name in wanted:
        if name not in known:
            hint = did_you_mean(name, known)
            raise ColumnError(
                f'There is no column "{name}"{where}.{hint} Columns: {listing(known)}.'
            )
