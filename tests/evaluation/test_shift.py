"""Whether training and test rows differ, and by which columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from deepwell.data import Schema, infer_schema
from deepwell.data.table import Table
from deepwell.evaluation.shift import Shift, compare_sides


def sides(rows: int = 600, **columns: Any) -> tuple[Schema, Table, Table]:
    rng = np.random.default_rng(0)
    data = {
        "size": rng.normal(size=rows),
        "town": rng.choice(["Rome", "Oslo", "Lima"], rows),
        "y": rng.normal(size=rows),
        **columns,
    }
    table = Table({name: pl.Series(name, values) for name, values in data.items()})
    border = rows * 3 // 4
    schema = infer_schema(table, targets=["y"])
    return schema, table.take(range(border)), table.take(range(border, rows))


def compared(*given: Any, **options: Any) -> Shift:
    found = compare_sides(*given, **options)
    assert found is not None
    return found


def test_sides_of_one_source_look_alike() -> None:
    shift = compared(*sides())
    assert shift.differs is False
    assert shift.columns == {}
    assert shift.auc.value is not None
    assert 0.4 < shift.auc.value < 0.6
    assert shift.auc.low is not None
    assert shift.auc.low < 0.5
    assert "look alike" in shift.verdict


def test_the_column_by_which_they_differ_is_named_with_what_it_reaches_alone() -> None:
    moved = np.random.default_rng(1).normal(size=600) + np.repeat([0.0, 3.0], [450, 150])
    shift = compared(*sides(moved=moved))
    assert shift.differs
    assert list(shift.columns) == ["moved"]
    assert shift.columns["moved"] > 0.9
    assert 'mostly by "moved"' in shift.verdict
    assert shift.to_json()["rows"] == {"train": 450, "test": 150}


def test_a_difference_that_only_shows_in_two_columns_together() -> None:
    rng = np.random.default_rng(1)
    one = rng.normal(size=2000)
    is_test = np.arange(2000) >= 1500
    other = np.where(is_test, -one, one) + 0.1 * rng.normal(size=2000)
    shift = compared(*sides(2000, one=one, other=other))
    assert shift.differs
    assert shift.columns == {}
    assert "several columns together" in shift.verdict


def test_gaps_and_new_towns_are_differences() -> None:
    late = np.arange(600) >= 450
    gaps = np.where(late, np.nan, np.random.default_rng(1).normal(size=600))
    town = np.where(late, "Kyiv", "Rome")
    assert set(compared(*sides(gaps=gaps, where=town)).columns) == {"gaps", "where"}


def test_the_target_is_not_looked_at() -> None:
    assert not compared(*sides(y=np.arange(600) * 1.0)).differs


@pytest.mark.parametrize(
    ("made_by", "words"),
    [("time", "later"), ("group", "other groups"), ("given", "own"), ("random", "should not be")],
)
def test_the_verdict_says_which_difference_was_expected(made_by: str, words: str) -> None:
    shift = compared(*sides(day=np.arange(600) * 1.0), made_by=made_by)
    assert words in shift.verdict


def test_brighter_test_pictures_are_noticed() -> None:
    pixels = np.random.default_rng(0).integers(0, 100, (200, 8, 8, 1), dtype=np.uint8)
    pixels[150:] += 100
    table = Table({"image": pixels, "y": pl.Series(["a", "b"] * 100)})
    schema = infer_schema(table, targets=["y"])
    shift = compared(schema, table.take(range(150)), table.take(range(150, 200)))
    assert "brightness of image" in shift.columns


def test_of_few_rows_nothing_is_said() -> None:
    schema, train, test = sides()
    assert compare_sides(schema, train, test.take(range(10))) is None
