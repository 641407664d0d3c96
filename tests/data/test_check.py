"""What makes training pointless is found before it starts."""

import numpy as np
import polars as pl
import pytest

from deepwell.data.check import check, rows_with_target
from deepwell.data.infer import infer_schema
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import ColumnError, DataError, TaskError

RNG = np.random.default_rng(0)


def checked(
    targets: tuple[str, ...] = ("y",), settings: dict | None = None, **columns
) -> tuple[str, ...]:
    table = Table({name: pl.Series(values) for name, values in columns.items()})
    schema = infer_schema(table, targets=targets, settings=DataSettings(**(settings or {})))
    return check(table, schema)


X = RNG.normal(size=20)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([None] * 20, 'Target "y" has no value in any row'),
        ([7] * 20, 'Target "y" is always 7'),
        (["a"] * 19 + [None], 'Target "y" is always a'),
        ([f"name {i}" for i in range(20)], "a different text in each of 20 rows"),
        (["a"] * 10 + ["b"] * 9 + ["rare"], r"1 class has a single example \(rare\)"),
        ([True] * 19 + [False], r"single example \(false\)"),
        ([1.5, 2.5, 3.5] + [None] * 17, "a value in only 3 rows"),
    ],
)
def test_pointless_targets(y: list, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        checked(x=X, y=y)


def test_too_few_rows_and_no_inputs() -> None:
    with pytest.raises(DataError, match="9 rows are too few"):
        checked(x=X[:9], y=X[:9])
    with pytest.raises(DataError, match=r"No input column is left.*x: every value is"):
        checked(x=[1] * 20, y=X)
    with pytest.raises(DataError, match="only the target"):
        checked(y=X)


def test_a_good_table_has_no_notes() -> None:
    assert checked(x=X, y=RNG.normal(size=20)) == ()
    assert checked(x=X, y=["a", "b"] * 10) == ()
    assert checked(x=X, targets=()) == ()


def test_rows_without_a_target_are_counted_and_can_be_left_out() -> None:
    y = [1.5, None, float("nan"), *RNG.normal(size=17)]
    assert checked(x=X, y=y) == ('2 rows have no value in the target "y" and cannot be used.',)
    table = Table({"x": pl.Series(X), "y": pl.Series(y)})
    kept = rows_with_target(table, infer_schema(table, targets=["y"]))
    assert kept.ids.tolist() == [0, *range(3, 20)]
    assert rows_with_target(kept, infer_schema(kept, targets=["y"])) is kept


def test_ignored_columns_are_noted() -> None:
    notes = checked(
        x=X,
        one=[1] * 20,
        id=list(range(20)),
        gaps=[1.0, 2.5] + [None] * 18,
        mine=[3] * 20,
        y=RNG.normal(size=20),
        settings={"ignore": ("mine",)},
    )
    assert notes == (
        '"id" is not used: every value differs and counts up: looks like an identifier.',
        '"one" is not used: every value is "1": there is nothing to learn from.',
        '"gaps": 90 % missing.',
    )


def test_equal_rows_with_different_classes_are_noted() -> None:
    x = np.concatenate([X, X[:3]])
    y = ["a", "b"] * 10
    assert checked(x=x, y=[*y, "b", "b", "b"]) == (
        "4 rows have the same inputs as a row with another target: no model gets all right.",
    )
    assert checked(x=x, y=[*y, "a", "b", "a"]) == ()


@pytest.mark.parametrize(
    ("leak", "y"),
    [
        ([1.5, 2.5, 3.5, 2.5] * 5, [1.5, 2.5, 3.5, 2.5] * 5),
        (X.tolist(), X.tolist()),
        (["sold", "free"] * 10, [1, 0] * 10),
    ],
)
def test_inputs_that_give_the_target_away_are_noted(leak: list, y: list) -> None:
    notes = checked(leak=leak, x=RNG.normal(size=20), y=y)
    assert notes[-1].startswith('"leak" gives the target "y" away')


def test_a_label_with_one_example_is_only_noted_among_several() -> None:
    notes = checked(targets=("a", "b"), x=X, a=[1] + [0] * 19, b=[1, 0] * 10)
    assert notes == ('Target "a": 1 class has a single example (true).',)


def test_weights_and_missing_columns() -> None:
    table = Table({"x": pl.Series(X), "w": pl.Series([1.0] * 20), "y": pl.Series(X)})
    schema = infer_schema(table, targets=["y"], settings=DataSettings(weight="w"))
    with pytest.raises(ColumnError, match='"w": row 4 is negative'):
        check(table.with_column("w", pl.Series([1.0] * 3 + [-1.0] * 17)), schema)
    with pytest.raises(ColumnError, match='missing that the network was trained on: "x"'):
        check(table.without(["x"]), schema)
