"""Divide rows in train, val and test, so that nothing leaks from one side to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray
from pydantic import Field

from deepwell.config import Settings
from deepwell.data.conform import parsed_columns
from deepwell.data.copies.find import Copies, Search, find_copies
from deepwell.data.deal import TEST, TRAIN, VAL, deal, deal_by_class, deal_by_time
from deepwell.data.duplicates import (
    join_groups,
    key_series,
    repeats_are_ordinary,
    row_groups,
)
from deepwell.data.kinds import KINDS
from deepwell.data.kinds.base import share
from deepwell.data.kinds.date import moments
from deepwell.data.schema import Schema
from deepwell.data.table import Column, Table
from deepwell.errors import SplitError

Method = Literal["random", "stratified", "group", "time"]
Sides = NDArray[np.int8]
Positions = NDArray[np.int64]


class SplitSettings(Settings):
    """How the rows are divided."""

    method: Literal["auto", "random", "stratified", "group", "time"] = "auto"
    """auto: by time or by group if such a column is named, stratified for classes, else random."""
    val: float = 0.15
    """Share of all rows that chooses when to stop; 0 = none."""
    test: float = 0.2
    """Share of all rows that is scored once, at the end; 0 = none."""
    min_rows: int = 5
    """Fewest rows that a side may have."""
    copies: Search = "near"
    """Rows that stay on one side: near = also changed copies (pictures mirrored or recompressed,
    texts with other words, numbers rounded), exact = equal rows only, none."""
    seed: int | None = Field(default=None, ge=0, lt=2**31)
    """Own seed of the division, so that other seeds train and test on the same rows."""


def _unknown_copies() -> Copies:
    return Copies(np.zeros(0, np.int64), search="none")


@dataclass(frozen=True, slots=True)
class Splits:
    """Which rows are on which side.

    Args:
        train: Positions in the table, rising.
        val: Positions in the table, rising.
        test: Positions in the table, rising; empty if the test rows came in a file of their own.
        reason: How the rows were divided and why, in words.
        notes: What a person should know.
        duplicates: Rows that repeat the inputs of an earlier row.
        method: How the rows were divided.
        copies: Which rows are copies of each other; unknown if the split was read from a file.
    """

    train: Positions
    val: Positions
    test: Positions
    reason: str = ""
    notes: tuple[str, ...] = ()
    duplicates: int = 0
    method: Method = "random"
    copies: Copies = field(default_factory=_unknown_copies)

    @property
    def sides(self) -> dict[str, Positions]:
        """Name of the side → positions."""
        return {"train": self.train, "val": self.val, "test": self.test}

    @property
    def sizes(self) -> dict[str, int]:
        """Name of the side → number of rows."""
        return {name: len(rows) for name, rows in self.sides.items()}

    def ids(self, table: Table) -> dict[str, NDArray[np.int64]]:
        """Name of the side → stable row ids, for storing."""
        return {name: table.ids[rows] for name, rows in self.sides.items()}

    @classmethod
    def from_ids(
        cls,
        table: Table,
        ids: Mapping[str, NDArray[np.int64]],
        *,
        reason: str = "",
        notes: tuple[str, ...] = (),
        duplicates: int = 0,
    ) -> Splits:
        """Find stored row ids again in a table.

        Raises:
            SplitError: A row is no longer there.
        """
        order = np.argsort(table.ids, kind="stable")
        found: dict[str, Positions] = {}
        for side in ("train", "val", "test"):
            wanted = np.asarray(ids.get(side, ()), dtype=np.int64)
            places = np.searchsorted(table.ids, wanted, sorter=order)
            rows = order[np.minimum(places, len(order) - 1)] if len(order) else order[:0]
            if len(rows) != len(wanted) or (table.ids[rows] != wanted).any():
                raise SplitError(
                    f"Rows of the stored {side} side are not in the table: the data have changed."
                )
            found[side] = np.sort(rows)
        return cls(found["train"], found["val"], found["test"], reason, tuple(notes), duplicates)


def split(
    table: Table,
    schema: Schema,
    settings: SplitSettings | None = None,
    *,
    seed: int,
    stratify: NDArray[np.int64] | None = None,
    has_test: bool = False,
) -> Splits:
    """Divide the rows of a table.

    Rows with equal inputs (the target is not compared, pictures are) and changed copies of a row
    stay together, as do the rows of a group. Only where so few combinations of inputs exist that
    equal rows must occur, they are divided like others. By time, rows of the same moment stay
    together.

    Args:
        table: All rows.
        schema: Says which columns are inputs, group and time.
        settings: Method and shares.
        seed: Same seed, same split; `settings.seed` goes before it.
        stratify: Class index of each row, shape (rows,), for a classification.
        has_test: The test rows came in a file of their own: only train and val are made.

    Raises:
        SplitError: Shares that make no sense, too few rows, groups or moments, or a missing
            value in the group or time column.

    Example:
        >>> from deepwell.data.infer import infer_schema
        >>> table = Table({"x": pl.Series(range(100)), "y": pl.Series([0.5, 2.0] * 50)})
        >>> splits = split(table, infer_schema(table, targets=["y"]), seed=0)
        >>> splits.sizes
        {'train': 65, 'val': 15, 'test': 20}
    """
    settings = settings or SplitSettings()
    shares = _check_shares(settings, has_test)
    wanted = _wanted_rows(len(table), shares, settings.min_rows)
    method = _choose(settings, schema, stratify)
    copies = find_copies(schema.inputs, parsed_columns(table, schema.inputs), settings.copies)
    groups, notes = copies.groups, _notes_on_copies(copies, method)
    rng = np.random.default_rng(seed if settings.seed is None else settings.seed)
    if method == "time":
        sides = deal_by_time(times_of(table, schema), wanted)
    else:
        if method == "group":
            groups, more = _join_with_group_column(table, schema, groups, wanted)
            notes += more
        sides = _deal_rows(groups, wanted, stratify if method == "stratified" else None, rng)
    notes += _notes_on_roles(schema, method) + _notes_on_classes(sides, stratify)
    train, val, test = (np.flatnonzero(sides == side) for side in (TRAIN, VAL, TEST))
    _check_sizes((train, val, test), wanted, settings.min_rows, method)
    return Splits(
        train,
        val,
        test,
        _reason(method, schema, shares),
        tuple(notes),
        copies.exact,
        method,
        copies,
    )


class Cleaned(NamedTuple):
    """Training rows without copies of the rows of a test file.

    Args:
        kept: The training rows that remain.
        dropped: How many were left out.
        near: How many of these were changed copies, not equal rows.
        ordinary: How many equal a test row and yet remain, because few combinations exist.
    """

    kept: Table
    dropped: int = 0
    near: int = 0
    ordinary: int = 0


def without_leaks(train: Table, test: Table, schema: Schema, search: Search = "near") -> Cleaned:
    """Drop training rows that are copies of a row of a given test file.

    Where equal rows are ordinary, because few combinations of inputs exist or because chance
    alone brings most of them, they are no copies, and remain.

    Args:
        train: Rows of the training file.
        test: Rows of the test file.
        schema: Says which columns are inputs.
        search: Which copies to look for.

    Raises:
        ColumnError: The test file lacks columns, or a value in it does not fit.
        SplitError: No training row would be left.
    """
    inputs = schema.inputs
    pairs = zip(parsed_columns(train, inputs), parsed_columns(test, inputs), strict=True)
    both = [_stacked(ours, theirs) for ours, theirs in pairs]
    if not both or search == "none":
        return Cleaned(train)
    num = len(train)
    equal = row_groups(both)
    exact = np.isin(equal[:num], equal[num:])
    copies = find_copies(inputs, both, search)
    if copies.ordinary or repeats_are_ordinary(inputs, num):
        return Cleaned(train, ordinary=int(exact.sum()))
    leaks = np.isin(copies.groups[:num], copies.groups[num:]) | exact
    if leaks.all():
        raise SplitError(
            "Every training row is also in the test file: give a test file with other rows."
        )
    if not leaks.any():
        return Cleaned(train)
    return Cleaned(train.take(~leaks), int(leaks.sum()), int((leaks & ~exact).sum()))


def _stacked(ours: Column, theirs: Column) -> Column:
    """Put the values of two tables behind each other."""
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        return _stacked_pictures(ours, theirs)
    first, second = (key_series(column).alias("") for column in (ours, theirs))
    return pl.concat([first.to_frame(), second.to_frame()], how="vertical_relaxed").to_series()


def _stacked_pictures(ours: NDArray[np.uint8], theirs: NDArray[np.uint8]) -> Column:
    if ours.shape[1:] == theirs.shape[1:]:
        return np.concatenate([ours, theirs])
    return pl.concat([key_series(ours), key_series(theirs)])  # of other sizes: none are equal


def _check_shares(settings: SplitSettings, has_test: bool) -> tuple[float, float]:
    val, test = settings.val, 0.0 if has_test else settings.test
    for name, value in (("val", val), ("test", test)):
        if not 0 <= value < 1:
            raise SplitError(
                f"split.{name} is a share of the rows, from 0 to below 1. Got: {value}."
            )
    if val + test >= 1:
        raise SplitError(
            f"split.val + split.test = {val:g} + {test:g} leaves no rows to train on: "
            "their sum must be below 1."
        )
    return val, test


def _wanted_rows(rows: int, shares: tuple[float, float], min_rows: int) -> tuple[int, int]:
    val, test = (round(rows * part) for part in shares)
    sizes = {"train": (rows - val - test, 1.0), "val": (val, shares[0]), "test": (test, shares[1])}
    for side, (size, part) in sizes.items():
        if part > 0 and size < min_rows:
            raise SplitError(
                f"{rows} rows are too few: {share(round(1000 * part), 1000)} of them for {side} "
                f"are {size} rows, and at least {min_rows} are needed. Give more rows, or other "
                f"shares (--set split.val=…, --set split.test=…)."
                if side != "train"
                else f"{rows} rows are too few: {val} for val and {test} for test leave {size} to "
                f"train on, and at least {min_rows} are needed. Give more rows."
            )
    return val, test


def _choose(settings: SplitSettings, schema: Schema, stratify: NDArray[np.int64] | None) -> Method:
    method = settings.method
    if method == "auto":
        if schema.name_of("time") is not None:
            return "time"
        if schema.name_of("group") is not None:
            return "group"
        return "random" if stratify is None else "stratified"
    if method == "time" and schema.name_of("time") is None:
        raise SplitError("A split by time needs a time column: name it with --time.")
    if method == "group" and schema.name_of("group") is None:
        raise SplitError("A split by group needs a group column: name it with --group.")
    if method == "stratified" and stratify is None:
        raise SplitError("A stratified split needs classes as target; use the random method.")
    return method


def _notes_on_copies(copies: Copies, method: Method) -> list[str]:
    notes: list[str] = []
    if copies.exact:
        verb = "rows repeat" if copies.exact > 1 else "row repeats"
        found = f"{copies.exact} {verb} the inputs of another row"
        if method == "time":
            notes.append(f"{found}; only rows of the same time are taken for copies.")
        elif copies.ordinary:
            why = "so few combinations exist that this is ordinary, so they are divided like others"
            notes.append(f"{found}; {why}.")
        else:
            notes.append(f"{found}; equal rows are kept on one side.")
    if copies.near:
        verb = "rows are changed copies" if copies.near > 1 else "row is a changed copy"
        kept = "time alone divides them" if method == "time" else "kept on the side of that row"
        example = next(how for how in copies.edges.how if how != "every input")
        notes.append(f"{copies.near} {verb} of another row (such as: {example}); {kept}.")
    if copies.given_up:
        notes.append(
            f"{copies.given_up} rows are alike in large crowds: that is how these data look, so "
            "they are not taken for copies."
        )
    return notes


def times_of(table: Table, schema: Schema) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return the time of each row as a number; dates in microseconds.

    Raises:
        SplitError: A row has no time.
    """
    name = schema.name_of("time") or ""
    if schema[name].kind == "date":
        series = moments(name, table.series(name))
    else:
        series = KINDS[schema[name].kind].parse(name, table[name])
    if not isinstance(series, pl.Series):
        raise SplitError(f'The time column "{name}" holds pictures.')
    _refuse_missing(name, series, "time")
    return series.to_physical().to_numpy()


def _refuse_missing(name: str, series: pl.Series, role: str) -> None:
    missing = series.is_null().arg_true()
    if len(missing):
        raise SplitError(
            f'The {role} column "{name}" has no value in row {missing[0] + 1} '
            f"({len(missing)} in all): fill it in, or leave these rows out."
        )


def _join_with_group_column(
    table: Table, schema: Schema, copies: NDArray[np.int64], wanted: tuple[int, int]
) -> tuple[NDArray[np.int64], list[str]]:
    name = schema.name_of("group") or ""
    series = table.series(name)
    _refuse_missing(name, key_series(series), "group")
    groups = row_groups([series])
    needed = 1 + sum(size > 0 for size in wanted)
    found = len(np.unique(groups))
    if found < needed:
        raise SplitError(
            f'Column "{name}" has {found} group{"s" if found != 1 else ""}, '
            f"but {needed} sides need at least {needed} groups: name a column that divides the "
            "rows, or none."
        )
    joined = join_groups(groups, copies)
    sizes = np.unique(joined, return_counts=True)[1]
    if len(sizes) < needed or sizes.max() > max(
        len(table) - sum(wanted), np.unique(groups, return_counts=True)[1].max()
    ):
        return groups, ["Equal rows connect most groups, so only the groups are kept together."]
    merged = found - len(sizes)
    note = f"{merged} groups share equal rows with another group and stay with it."
    return joined, [note] if merged else []


def _deal_rows(
    groups: NDArray[np.int64],
    wanted: tuple[int, int],
    classes: NDArray[np.int64] | None,
    rng: np.random.Generator,
) -> Sides:
    """Deal whole groups; return the side of each row."""
    first, unit, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if classes is None:
        return deal(sizes, wanted, rng)[unit]
    if len(classes) != len(groups):
        raise SplitError(f"{len(groups)} rows but {len(classes)} classes were given.")
    return deal_by_class(sizes, np.asarray(classes)[first], wanted, rng)[unit]


def _notes_on_roles(schema: Schema, method: Method) -> list[str]:
    group = schema.name_of("group")
    if group is not None and method != "group":
        return [f'The split is by {method}: values of "{group}" can be on several sides.']
    return []


def _notes_on_classes(sides: Sides, classes: NDArray[np.int64] | None) -> list[str]:
    if classes is None:
        return []
    every = np.unique(classes)
    notes: list[str] = []
    for side, name in ((TRAIN, "train"), (VAL, "val"), (TEST, "test")):
        lacking = len(every) - len(np.unique(classes[sides == side]))
        if lacking and (sides == side).any():
            verb = "have" if lacking > 1 else "has"
            notes.append(f"{lacking} of {len(every)} classes {verb} no row in {name}.")
    return notes


def _check_sizes(
    sides: tuple[Positions, ...], wanted: tuple[int, int], min_rows: int, method: Method
) -> None:
    needed = (True, wanted[0] > 0, wanted[1] > 0)
    why = {
        "group": "the groups are too large or too few",
        "time": "too many rows have the same time",
        "stratified": "most classes have too few rows for every side, or are copies of each other",
    }.get(method, "too many rows are copies of each other")
    mend = f", or name another --{method}" if method in ("group", "time") else ""
    for name, rows, is_needed in zip(("train", "val", "test"), sides, needed, strict=True):
        if is_needed and len(rows) < min_rows:
            sizes = " / ".join(str(len(side)) for side in sides)
            what = "row" if len(rows) == 1 else "rows"
            raise SplitError(
                f"Only {len(rows)} {what} would be in {name} (train / val / test: {sizes}), at "
                f"least {min_rows} are needed: {why}. Add rows, change the shares "
                f"(--set split.val=…, --set split.test=…){mend}."
            )


def _reason(method: Method, schema: Schema, shares: tuple[float, float]) -> str:
    val, test = shares
    parts = [f"{100 * (1 - val - test):g} % train"]
    parts += [f"{100 * part:g} % {name}" for part, name in ((val, "val"), (test, "test")) if part]
    how = {
        "random": "At random",
        "stratified": "Stratified, so that each side has the same share of each class",
        "group": f'By group, so that no value of "{schema.name_of("group")}" is on two sides',
        "time": f'By time, so that the latest rows of "{schema.name_of("time")}" come last',
    }[method]
    return f"{how}: {', '.join(parts)}."
