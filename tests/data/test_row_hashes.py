"""A row has the same hash wherever it is read from."""

from __future__ import annotations

from datetime import date, datetime

import numpy as np
import polars as pl

from deepwell.data import infer_schema
from deepwell.data.row_hashes import hash_rows
from deepwell.data.table import Table

ROWS = {
    "size": pl.Series([1, 2, 3, None]),
    "town": pl.Series(["Rome", None, "Oslo", "Rome"]),
    "zip": pl.Series(["1", "2", "2", "1"], dtype=pl.Categorical),
    "day": pl.Series([date(2024, 1, day) for day in (1, 2, 3, 4)]),
    "ok": pl.Series([True, False, None, True]),
    "y": pl.Series([0.5, 1.5, 2.5, 3.5]),
}


def table(**changes: pl.Series) -> Table:
    return Table({**ROWS, **changes})


SCHEMA = infer_schema(table(), targets=["y"])


def test_other_types_of_the_same_values_give_the_same_hashes() -> None:
    days = pl.Series([datetime(2024, 1, day) for day in (1, 2, 3, 4)])
    other = table(
        size=pl.Series([1.0, 2.0, 3.0, float("nan")]),
        town=ROWS["town"].cast(pl.Categorical),
        zip=ROWS["zip"].cast(pl.String),
        day=days.cast(pl.Datetime("ms")),
        y=pl.Series([9.0, 9.0, 9.0, 9.0]),
    )
    assert (hash_rows(table(), SCHEMA) == hash_rows(other, SCHEMA)).all()


def test_each_column_counts() -> None:
    plain = hash_rows(table(), SCHEMA)
    assert len(np.unique(plain)) == 4
    for name in ("size", "town", "zip", "day", "ok"):
        values = ROWS[name]
        moved = hash_rows(table(**{name: values.gather([3, 1, 2, 1])}), SCHEMA)
        assert moved[1] == plain[1]
        assert moved[3] != plain[3]


def test_equal_values_in_other_columns_are_another_row() -> None:
    swapped = Table({"a": pl.Series([1, 2]), "b": pl.Series([2, 1]), "y": pl.Series([0.5, 1.5])})
    first, second = hash_rows(swapped, infer_schema(swapped, targets=["y"]))
    assert first != second


def test_hashes_stay_what_they_are_in_folders_written_before() -> None:
    small = Table({"a": pl.Series([1, None]), "b": pl.Series(["x", "y"]), "y": pl.Series([0.0, 1])})
    found = hash_rows(small, infer_schema(small, targets=["y"])).tolist()
    assert found == [7076457219298045888, 3635687494672543173]


def test_pictures_are_told_apart() -> None:
    pixels = np.zeros((3, 4, 4, 1), dtype=np.uint8)
    pixels[1, 2, 2] = 1
    pictures = Table({"image": pixels, "y": pl.Series(["a", "b", "a"])})
    hashes = hash_rows(pictures, infer_schema(pictures, targets=["y"]))
    assert hashes[0] == hashes[2] != hashes[1]
