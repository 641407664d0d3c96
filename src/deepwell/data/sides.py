"""The side of a row, from the row alone: rows that are read piece by piece are divided so.

A row is train, val or test by a 64-bit hash of its inputs, so rows with equal inputs are on one
side by construction, wherever they stand in the file. Rows of one group share the hash of the
group. By time, two moments part the sides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.conform import parsed_columns
from deepwell.data.deal import TEST, TRAIN, VAL
from deepwell.data.duplicates import key_series, repeats_are_ordinary
from deepwell.data.schema import Schema
from deepwell.data.split import SplitSettings
from deepwell.data.table import Table
from deepwell.errors import SplitError

UNUSED = -1
"""Side of the rows of val and test beyond the most that are kept."""
MOST_ROWS = 200_000
"""Rows that val and test keep at the most; they stay in memory."""

Basis = Literal["inputs", "row", "group", "time"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SideRule:
    """How rows are divided.

    Args:
        basis: What decides: the inputs, the number of the row, the group or the time.
        columns: Names of the columns that are looked at.
        shares: Of val and of test.
        kept: Share of the rows of val and of test that is used.
        borders: By time: the first moments of val and of test.
        seed: Same seed, same sides.
        reason: In words.
        notes: What a person should know.
    """

    basis: Basis
    columns: tuple[str, ...]
    shares: tuple[float, float]
    kept: tuple[float, float] = (1.0, 1.0)
    borders: tuple[float, float] = (0.0, 0.0)
    seed: int = 0
    reason: str = ""
    notes: tuple[str, ...] = ()

    def sides(self, table: Table, schema: Schema) -> NDArray[np.int8]:
        """Return the side of each row, shape (rows,), as in `deal`; `UNUSED` for none.

        Raises:
            ColumnError: A value does not fit its kind.
            SplitError: A row without group or time.
        """
        if self.basis == "time":
            sides = self._by_time(table, schema)
        else:
            share = _uniform(self._keys(table, schema), self.seed)
            val, test = self.shares
            sides = np.full(len(table), TRAIN, dtype=np.int8)
            sides[share < val + test] = VAL
            sides[share < test] = TEST
        if self.kept != (1.0, 1.0):
            draw = _uniform(table.ids.astype(np.uint64), self.seed + 1)
            for side, kept in ((VAL, self.kept[0]), (TEST, self.kept[1])):
                sides[(sides == side) & (draw >= kept)] = UNUSED
        return sides

    def _keys(self, table: Table, schema: Schema) -> NDArray[np.uint64]:
        if self.basis == "row":
            return table.ids.astype(np.uint64)
        if self.basis == "group":
            series = key_series(table[self.columns[0]])
            _refuse_missing(series, "group")
            keys = [series]
        else:
            specs = [schema[name] for name in self.columns]
            keys = [key_series(column) for column in parsed_columns(table, specs)]
        frame = pl.DataFrame([key.alias(str(place)) for place, key in enumerate(keys)])
        return frame.hash_rows(seed=0).to_numpy()

    def _by_time(self, table: Table, schema: Schema) -> NDArray[np.int8]:
        times = times_of(table, schema, self.columns[0])
        sides = np.full(len(table), TRAIN, dtype=np.int8)
        if self.shares[0]:
            sides[times >= self.borders[0]] = VAL
        if self.shares[1]:
            sides[times >= self.borders[1]] = TEST
        return sides


def plan_sides(
    sample: Table, schema: Schema, settings: SplitSettings, *, num_rows: int, seed: int
) -> SideRule:
    """Decide how the rows of a large table are divided.

    Args:
        sample: Rows drawn from all.
        schema: Says which columns are inputs, group and time.
        settings: Method and shares.
        num_rows: Rows of the whole table.
        seed: Same seed, same sides.

    Raises:
        SplitError: Shares that make no sense, a method that needs all rows at once, or a split by
            time with too few moments.

    Example:
        >>> from deepwell.data.infer import infer_schema
        >>> table = Table({"x": pl.Series(range(1000)), "y": pl.Series([0.5, 2.0] * 500)})
        >>> schema = infer_schema(table, targets=["y"])
        >>> rule = plan_sides(table, schema, SplitSettings(), num_rows=1000, seed=0)
        >>> rule.basis, (np.bincount(rule.sides(table, schema)) / 1000).round(1).tolist()
        ('inputs', [0.7, 0.1, 0.2])
    """
    val, test = _check_shares(settings)
    group, time = schema.name_of("group"), schema.name_of("time")
    method = settings.method
    if method == "stratified":
        raise SplitError(
            "Rows that are read piece by piece are divided by a hash, so classes have equal shares "
            "only on average: use split.method=random, or data.memory=resident."
        )
    _require_column(method, group, time)
    if time is not None and method in ("auto", "time"):
        borders = _borders(sample, schema, time, (val, test))
        wanted = _cap((val, test), num_rows)
        reason = f'By time, so that the latest rows of "{time}" come last: {_parts((val, test))}.'
        return SideRule(
            basis="time", columns=(time,), shares=(val, test), kept=wanted, borders=borders,
            seed=seed, reason=reason, notes=_thinned(wanted),
        )  # fmt: skip
    if group is not None and method in ("auto", "group"):
        kept = _cap((val, test), num_rows)
        note = "Equal rows of different groups can be on several sides."
        return SideRule(
            basis="group", columns=(group,), shares=(val, test), kept=kept, seed=seed,
            reason=f'By a hash of "{group}", so that no value of it is on two sides: '
            f"{_parts((val, test))}.",
            notes=(note, *_thinned(kept)),
        )  # fmt: skip
    return _at_random(schema, (val, test), num_rows, seed)


def _at_random(schema: Schema, shares: tuple[float, float], num_rows: int, seed: int) -> SideRule:
    kept = _cap(shares, num_rows)
    val, test = shares[0] * kept[0], shares[1] * kept[1]
    notes: tuple[str, ...] = ()
    if kept != (1.0, 1.0):
        notes = (f"Val and test have at most about {MOST_ROWS:,} rows each; all others train.",)
    is_ordinary = repeats_are_ordinary(schema.inputs, num_rows)
    how = "of the number of the row" if is_ordinary else "of the inputs: equal rows share a side"
    return SideRule(
        basis="row" if is_ordinary else "inputs",
        columns=() if is_ordinary else tuple(column.name for column in schema.inputs),
        shares=(val, test),
        seed=seed,
        reason=f"At random, by a hash {how}: {_parts((val, test))}.",
        notes=notes,
    )


def times_of(table: Table, schema: Schema, name: str) -> NDArray[np.float64]:
    """Return the time of each row as a number.

    Raises:
        SplitError: A row has no time.
    """
    (series,) = parsed_columns(table, [schema[name]])
    if not isinstance(series, pl.Series):
        raise SplitError(f'The time column "{name}" holds pictures.')
    _refuse_missing(series, "time")
    return series.to_physical().cast(pl.Float64).to_numpy()


def _borders(
    sample: Table, schema: Schema, name: str, shares: tuple[float, float]
) -> tuple[float, float]:
    times = times_of(sample, schema, name)
    moments = np.quantile(times, [1 - sum(shares), 1 - shares[1]], method="higher")
    first, last = float(moments[0]), float(moments[1])
    needed = [first] * (shares[0] > 0) + [last] * (shares[1] > 0)
    if len(set(needed)) < len(needed) or (needed and times.min() == needed[0]):
        raise SplitError(
            f'Too many rows have the same time in "{name}": a split by time needs different '
            "times for its sides."
        )
    return first, last


def _check_shares(settings: SplitSettings) -> tuple[float, float]:
    val, test = settings.val, settings.test
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


def _require_column(method: str, group: str | None, time: str | None) -> None:
    if method == "time" and time is None:
        raise SplitError("A split by time needs a time column: name it with --time.")
    if method == "group" and group is None:
        raise SplitError("A split by group needs a group column: name it with --group.")


def _refuse_missing(series: pl.Series, role: str) -> None:
    missing = series.is_null()
    if missing.any():
        raise SplitError(
            f'The {role} column "{series.name}" has no value in row {(missing.arg_max() or 0) + 1}:'
            " fill it in, or leave these rows out."
        )


def _cap(shares: tuple[float, float], num_rows: int) -> tuple[float, float]:
    """Return the share of val and test rows that may be used."""
    val, test = (min(1.0, MOST_ROWS / max(1.0, share * num_rows)) for share in shares)
    return val, test


def _thinned(kept: tuple[float, float]) -> tuple[str, ...]:
    if kept == (1.0, 1.0):
        return ()
    return (f"Of the rows of val and of test, about {MOST_ROWS:,} each are drawn at random.",)


def _parts(shares: tuple[float, float]) -> str:
    val, test = shares
    parts = [f"{100 * (1 - val - test):.3g} % train"]
    return ", ".join(
        parts
        + [f"{100 * part:.3g} % {name}" for part, name in ((val, "val"), (test, "test")) if part]
    )


def _uniform(keys: NDArray[np.uint64], seed: int) -> NDArray[np.float64]:
    """Return a number from 0 to below 1 for each key: the finaliser of MurmurHash3, seeded."""
    with np.errstate(over="ignore"):
        mixed = keys + np.uint64(0x9E3779B97F4A7C15) * np.uint64(seed + 1)
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        mixed ^= mixed >> np.uint64(33)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def uniform_of(keys: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """Return a number from 0 to below 1 for each key, the same in each process.

    Example:
        >>> bool(0.4 < uniform_of(np.arange(1000), 0).mean() < 0.6)
        True
    """
    return _uniform(keys.astype(np.uint64), seed)
