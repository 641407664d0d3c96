"""Splits: nothing crosses that must not, sizes are as asked, the same seed gives the same."""

import datetime

import numpy as np
import polars as pl
import pytest

from deepwell.data.infer import infer_schema
from deepwell.data.schema import Schema
from deepwell.data.settings import DataSettings
from deepwell.data.split import Splits, SplitSettings, split, without_leaks
from deepwell.data.table import Table
from deepwell.errors import ColumnError, SplitError

SEEDS = range(8)


def numbers(rows: int, seed: int = 0) -> pl.Series:
    return pl.Series(np.random.default_rng(seed).normal(size=rows))


def table_and_schema(columns: dict, **settings: object) -> tuple[Table, Schema]:
    table = Table({n: c if isinstance(c, np.ndarray) else pl.Series(c) for n, c in columns.items()})
    targets = ["y"] if "y" in columns else []
    return table, infer_schema(table, targets=targets, settings=DataSettings(**settings))


def side_of(splits: Splits, rows: int) -> np.ndarray:
    sides = np.full(rows, -1)
    for index, positions in enumerate(splits.sides.values()):
        assert (sides[positions] == -1).all(), "a row is on two sides"
        assert (np.diff(positions) > 0).all()
        sides[positions] = index
    assert (sides >= 0).all(), "a row is on no side"
    return sides


def crossing(sides: np.ndarray, keys: np.ndarray) -> int:
    """Number of keys that are on more than one side."""
    return sum(len(set(sides[keys == key])) > 1 for key in np.unique(keys))


# random


@pytest.mark.parametrize("rows", [34, 101, 1000])
def test_random_sizes_are_as_asked_and_all_rows_are_dealt(rows: int) -> None:
    table, schema = table_and_schema({"x": numbers(rows), "y": numbers(rows, 1)})
    for seed in SEEDS:
        splits = split(table, schema, seed=seed)
        side_of(splits, rows)
        assert len(splits.test) == round(0.2 * rows)
        assert len(splits.val) == round(0.15 * rows)
    assert splits.reason == "At random: 65 % train, 15 % val, 20 % test."
    assert splits.duplicates == 0


def test_a_seed_fixes_the_split_and_another_seed_changes_it() -> None:
    table, schema = table_and_schema({"x": numbers(100), "y": numbers(100, 1)})
    one, same, other = (split(table, schema, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one.train, same.train)
    assert np.array_equal(one.test, same.test)
    assert not np.array_equal(one.test, other.test)


def test_shares_can_be_set_and_a_given_test_file_leaves_two_sides() -> None:
    table, schema = table_and_schema({"x": numbers(100), "y": numbers(100, 1)})
    assert split(table, schema, SplitSettings(val=0.1, test=0.3), seed=0).sizes == {
        "train": 60,
        "val": 10,
        "test": 30,
    }
    given = split(table, schema, seed=0, has_test=True)
    assert given.sizes == {"train": 85, "val": 15, "test": 0}
    assert given.reason == "At random: 85 % train, 15 % val."
    assert split(table, schema, SplitSettings(val=0), seed=0).sizes["val"] == 0


# copies


@pytest.mark.parametrize("repeats", [2, 3, 7])
def test_copies_never_cross(repeats: int) -> None:
    rows = 60 * repeats
    base = np.tile(np.arange(60), repeats)
    x, c = numbers(60).to_numpy()[base], np.array(list("abcdef"))[base % 6]
    y = numbers(rows, 1)  # the target differs among copies: it is no part of what is compared
    table, schema = table_and_schema({"x": pl.Series(x), "c": pl.Series(c), "y": y})
    for seed in SEEDS:
        splits = split(table, schema, seed=seed)
        sides = side_of(splits, rows)
        assert crossing(sides, base) == 0
        assert abs(len(splits.test) - 0.2 * rows) <= repeats
        assert abs(len(splits.val) - 0.15 * rows) <= repeats
    assert splits.duplicates == rows - 60
    assert "equal rows are kept on one side" in splits.notes[0]


def test_copies_never_cross_when_stratified() -> None:
    base = np.repeat(np.arange(100), 2)
    classes = (np.arange(100) % 4 == 0)[base].astype(np.int64)
    table, schema = table_and_schema(
        {"x": pl.Series(numbers(100).to_numpy()[base]), "y": pl.Series(classes)}
    )
    for seed in SEEDS:
        splits = split(table, schema, seed=seed, stratify=classes)
        sides = side_of(splits, 200)
        assert crossing(sides, base) == 0
        assert classes[splits.test].sum() == pytest.approx(10, abs=2)


def test_equal_pictures_never_cross() -> None:
    base = np.random.default_rng(0).integers(0, 40, 120)
    pixels = np.random.default_rng(1).integers(0, 256, (40, 3, 3, 1), dtype=np.uint8)[base]
    table, schema = table_and_schema({"image": pixels, "y": numbers(120)})
    for seed in SEEDS:
        assert crossing(side_of(split(table, schema, seed=seed), 120), base) == 0


def test_one_large_block_of_copies_goes_to_train() -> None:
    x = np.concatenate([np.zeros(120), numbers(80).to_numpy()])
    z = np.concatenate([np.zeros(120), numbers(80, 1).to_numpy()])
    table, schema = table_and_schema({"x": pl.Series(x), "z": pl.Series(z), "y": numbers(200, 2)})
    for seed in SEEDS:
        splits = split(table, schema, seed=seed)
        assert splits.sizes == {"train": 130, "val": 30, "test": 40}
        assert set(range(120)) <= set(splits.train.tolist())


def test_few_combinations_of_inputs_are_no_copies() -> None:
    rng = np.random.default_rng(0)
    table, schema = table_and_schema(
        {
            "a": rng.choice(list("xyz"), 600).tolist(),
            "b": rng.choice([0, 1], 600),
            "y": numbers(600),
        }
        | {"b": pl.Series(rng.choice([0, 1], 600))}
    )
    splits = split(table, schema, seed=0)
    assert splits.sizes == {"train": 390, "val": 90, "test": 120}
    assert splits.duplicates == 594
    assert "ordinary" in splits.notes[0]
    cleaned = without_leaks(table, table.take(range(50)), schema)
    assert cleaned.dropped == 0
    assert cleaned.ordinary > 50


def people(rows: int) -> dict[str, pl.Series]:
    """Return answers to a questionnaire: many combinations exist, and yet many rows are equal."""
    rng = np.random.default_rng(0)
    columns = {name: pl.Series(rng.integers(0, 9, rows)) for name in "abc"}
    return {**columns, "d": pl.Series(rng.integers(0, 4, rows)), "y": numbers(rows)}


def test_rows_that_are_equal_by_chance_are_no_copies() -> None:
    table, schema = table_and_schema(people(2000))
    splits = split(table, schema, seed=0)
    assert splits.copies.ordinary
    assert splits.sizes == {"train": 1300, "val": 300, "test": 400}
    cleaned = without_leaks(table.take(range(1500)), table.take(range(1500, 2000)), schema)
    assert cleaned.dropped == 0
    assert len(cleaned.kept) == 1500
    assert cleaned.ordinary > 200


@pytest.mark.parametrize("flag", [["a"], ["a", "b"]])
def test_copies_are_found_where_one_column_tells_all_rows_apart(flag: list[str]) -> None:
    x = np.append(
        np.random.default_rng(0).normal(size=100), np.random.default_rng(0).normal(size=100)
    )
    flags = np.random.default_rng(1).choice(flag, 100)
    table, schema = table_and_schema(
        {"x": pl.Series(x), "flag": pl.Series(np.append(flags, flags)), "y": numbers(200)}
    )
    copies = split(table, schema, seed=0).copies
    assert (copies.exact, copies.ordinary) == (100, False)


def test_planted_copies_are_found_where_chance_cannot_explain_them() -> None:
    """The same columns, but as measurements: now each of 100 equal rows was put in on purpose."""
    rng = np.random.default_rng(0)
    columns = {name: rng.normal(size=1000).round(1) for name in "abcd"}
    again = {name: pl.Series(np.append(x, x[:100])) for name, x in columns.items()}
    table, schema = table_and_schema({**again, "y": numbers(1100)})
    copies = split(table, schema, seed=0).copies
    assert not copies.ordinary
    assert 95 <= copies.exact <= 105
    cleaned = without_leaks(table.take(range(1000)), table.take(range(1000, 1100)), schema)
    assert cleaned.dropped >= 100


# stratified


def test_stratified_shares_are_within_one_row() -> None:
    rng = np.random.default_rng(0)
    classes = rng.choice(5, size=997, p=[0.5, 0.3, 0.15, 0.04, 0.01])
    table, schema = table_and_schema({"x": numbers(997), "y": pl.Series(classes)})
    for seed in SEEDS:
        splits = split(table, schema, seed=seed, stratify=classes)
        side_of(splits, 997)
        assert abs(len(splits.test) - 0.2 * 997) <= 1
        for label in range(5):
            count = (classes == label).sum()
            assert abs((classes[splits.test] == label).sum() - 0.2 * count) <= 1
            assert abs((classes[splits.val] == label).sum() - 0.15 * count) <= 1
    assert splits.reason.startswith("Stratified")
    assert splits.notes == ()


def test_small_classes_are_on_every_side_and_single_rows_are_for_training() -> None:
    classes = np.array([0] * 90 + [1] * 3 + [2] * 4 + [3])
    table, schema = table_and_schema({"x": numbers(98), "y": pl.Series(classes)})
    for seed in SEEDS:
        splits = split(table, schema, seed=seed, stratify=classes)
        for rows in splits.sides.values():
            assert {1, 2} <= set(classes[rows].tolist())
        assert 3 in classes[splits.train]
        assert splits.notes == (
            "1 of 4 classes has no row in val.",
            "1 of 4 classes has no row in test.",
        )


# groups


@pytest.mark.parametrize("groups", [3, 7, 50])
def test_groups_never_cross(groups: int) -> None:
    rng = np.random.default_rng(groups)
    rows = 400
    group = rng.integers(0, groups, rows)
    table, schema = table_and_schema(
        {"x": numbers(rows), "g": pl.Series([f"person {g}" for g in group]), "y": numbers(rows, 1)},
        group="g",
    )
    largest = np.bincount(group).max()
    for seed in SEEDS:
        splits = split(table, schema, seed=seed)
        sides = side_of(splits, rows)
        assert crossing(sides, group) == 0
        assert all(size > 0 for size in splits.sizes.values())
        assert abs(len(splits.test) - 80) <= largest
    if groups == 50:
        assert abs(len(splits.test) - 80) <= 3
        assert abs(len(splits.val) - 60) <= 3
    assert splits.reason.startswith('By group, so that no value of "g"')


def test_chains_of_groups_and_copies_stay_together() -> None:
    # group 0 shares a row with group 1, which shares another with group 2
    rows = 300
    group = np.arange(rows) // 10
    x = numbers(rows).to_numpy().copy()
    x[10], x[25] = x[5], x[15]
    table, schema = table_and_schema(
        {"x": pl.Series(x), "g": pl.Series(group), "y": numbers(rows, 1)}, group="g"
    )
    for seed in SEEDS:
        splits = split(table, schema, seed=seed)
        sides = side_of(splits, rows)
        assert len(set(sides[:30])) == 1
        assert crossing(sides, group) == 0
    assert "2 groups share equal rows" in splits.notes[1]


def test_copies_that_join_all_groups_are_given_up_and_said_so() -> None:
    group = np.arange(200) % 10
    x = numbers(20).to_numpy()[np.arange(200) // 10]
    z = numbers(20, 1).to_numpy()[np.arange(200) // 10]
    table, schema = table_and_schema(
        {"x": pl.Series(x), "z": pl.Series(z), "g": pl.Series(group), "y": numbers(200, 2)},
        group="g",
    )
    splits = split(table, schema, seed=0)
    assert crossing(side_of(splits, 200), group) == 0
    assert "only the groups are kept together" in splits.notes[1]


# time


def test_time_orders_the_sides_and_ties_never_cross() -> None:
    rng = np.random.default_rng(0)
    days = rng.integers(0, 60, 500)
    dates = [datetime.date(2024, 1, 1) + datetime.timedelta(days=int(day)) for day in days]
    for time in (pl.Series(dates), pl.Series(days), pl.Series([str(date) for date in dates])):
        table, schema = table_and_schema(
            {"x": numbers(500), "t": time, "y": numbers(500, 1)}, time="t"
        )
        splits = split(table, schema, seed=0)
        side_of(splits, 500)
        assert days[splits.train].max() < days[splits.val].min()
        assert days[splits.val].max() < days[splits.test].min()
        assert abs(len(splits.test) - 100) < 12
        assert splits.reason.startswith('By time, so that the latest rows of "t" come last')


def test_time_with_a_given_test_file_makes_two_sides() -> None:
    table, schema = table_and_schema(
        {"x": numbers(100), "t": pl.Series(range(100)), "y": numbers(100, 1)}, time="t"
    )
    splits = split(table, schema, seed=0, has_test=True)
    assert splits.val.tolist() == list(range(85, 100))
    assert len(splits.test) == 0


def test_few_moments_are_cut_where_possible() -> None:
    time = np.array([0] * 90 + [1] * 5 + [2] * 5)
    table, schema = table_and_schema(
        {"x": numbers(100), "t": pl.Series(time), "y": numbers(100, 1)}, time="t"
    )
    assert split(table, schema, seed=0).sizes == {"train": 90, "val": 5, "test": 5}


def test_a_group_beside_a_time_is_noted() -> None:
    table, schema = table_and_schema(
        {
            "x": numbers(100),
            "t": pl.Series(range(100)),
            "g": pl.Series(list("ab") * 50),
            "y": numbers(100, 1),
        },
        time="t",
        group="g",
    )
    assert 'values of "g" can be on several sides' in split(table, schema, seed=0).notes[0]
    by_group = split(table, schema, SplitSettings(method="group", test=0), seed=0)
    assert by_group.sizes == {"train": 50, "val": 50, "test": 0}


# what cannot be done


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"val": -0.1}, "split.val is a share"),
        ({"test": 1.0}, "split.test is a share"),
        ({"val": float("nan")}, "split.val is a share"),
        ({"val": 0.5, "test": 0.5}, r"0.5 \+ 0.5 leaves no rows"),
        ({"val": 0.04}, "100 rows are too few: 4 % of them for val are 4 rows, and at least 5"),
        ({"val": 0.5, "test": 0.47}, "leave 3 to train on"),
        ({"method": "time"}, "name it with --time"),
        ({"method": "group"}, "name it with --group"),
        ({"method": "stratified"}, "needs classes"),
    ],
)
def test_wrong_settings_are_explained(settings: dict, message: str) -> None:
    table, schema = table_and_schema({"x": numbers(100), "y": numbers(100, 1)})
    with pytest.raises(SplitError, match=message):
        split(table, schema, SplitSettings(**settings), seed=0)


@pytest.mark.parametrize(
    ("column", "role", "message"),
    [
        (pl.Series(["a", "b"] * 50), "group", "has 2 groups, but 3 sides"),
        (pl.Series(["a", None, "b", "c"] * 25), "group", "no value in row 2"),
        (pl.Series([1.0, 2.0] * 50), "time", "at least 3 different times. Found: 2"),
        (pl.Series([1, None, 3, 4] * 25), "time", r"no value in row 2 \(25 in all\)"),
        (pl.Series([0] * 98 + [1, 2]), "time", "Only 1 row would be in val"),
    ],
)
def test_columns_that_cannot_divide_are_explained(
    column: pl.Series, role: str, message: str
) -> None:
    table, schema = table_and_schema(
        {"x": numbers(100), "k": column, "y": numbers(100, 1)}, **{role: "k"}
    )
    with pytest.raises(SplitError, match=message):
        split(table, schema, seed=0)


def test_small_data_can_be_split_if_asked() -> None:
    table, schema = table_and_schema({"x": numbers(12), "y": numbers(12, 1)})
    with pytest.raises(SplitError, match="12 rows are too few"):
        split(table, schema, seed=0)
    sizes = split(table, schema, SplitSettings(min_rows=1), seed=0).sizes
    assert sizes == {"train": 8, "val": 2, "test": 2}


# stored ids and given test files


def test_ids_find_the_rows_again() -> None:
    table, schema = table_and_schema({"x": numbers(100), "y": numbers(100, 1)})
    table = table.take(np.random.default_rng(0).permutation(100)[:80])
    splits = split(table, schema, seed=0)
    ids = splits.ids(table)
    again = Splits.from_ids(table, ids, reason=splits.reason)
    for side, rows in splits.sides.items():
        assert np.array_equal(again.sides[side], rows)
    with pytest.raises(SplitError, match="the data have changed"):
        Splits.from_ids(table.take(splits.train), ids)


def test_rows_of_a_given_test_file_are_taken_out_of_training() -> None:
    table, schema = table_and_schema(
        {"x": numbers(50), "c": pl.Series(list("ab") * 25), "y": numbers(50, 1)}
    )
    test = table.take([3, 4, 5]).with_column("y", pl.Series([9.0, 9.0, 9.0]))
    test = test.with_column("x", test.series("x").cast(pl.String))  # other types do not hide a leak
    kept, dropped, _, _ = without_leaks(table, test, schema)
    assert dropped == 3
    assert kept.ids.tolist() == [0, 1, 2, *range(6, 50)]
    assert (
        without_leaks(table, Table({"x": numbers(9, 7), "c": pl.Series(["a"] * 9)}), schema)[1] == 0
    )
    with pytest.raises(SplitError, match="Every training row"):
        without_leaks(table, table, schema)
    with pytest.raises(ColumnError, match='missing that the network was trained on: "x", "c"'):
        without_leaks(table, Table({"y": numbers(5)}), schema)


def test_equal_pictures_of_a_test_file_are_taken_out() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 3, 3, 1), dtype=np.uint8)
    table, schema = table_and_schema({"image": pixels, "y": numbers(20)})
    assert without_leaks(table, table.take([7]), schema)[0].ids.tolist() == [
        *range(7),
        *range(8, 20),
    ]
