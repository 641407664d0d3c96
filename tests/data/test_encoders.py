"""Encoders: fitted on training rows, the same arrays again after JSON."""

import json

import numpy as np
import polars as pl
import pytest

from deepwell.data.encoders import Encoders
from deepwell.data.infer import infer_schema
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Table
from deepwell.errors import ColumnError, DataError

RNG = np.random.default_rng(2)
ROWS = 60
WORDS = ["sunny", "large", "old", "kitchen", "garden", "quiet"]

CODES = EncodeSettings(categories="codes", numbers="standard")


@pytest.fixture
def table() -> Table:
    return Table(
        {
            "size": pl.Series(RNG.normal(100, 20, ROWS)),
            "town": pl.Series(RNG.choice(["Bonn", "Ulm", "Köln"], ROWS)),
            "garden": pl.Series([True, False, None] * 20),
            "picture": RNG.integers(0, 256, (ROWS, 3, 4, 3), dtype=np.uint8),
            "street": pl.Series(RNG.choice(["A", "B"], ROWS)),
            "sold": pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 2, 29), eager=True),
            "notes": pl.Series([" ".join(RNG.choice(WORDS, 5)) + f" {i}" for i in range(ROWS)]),
            "id": pl.Series(range(ROWS)),
            "price": pl.Series(RNG.normal(size=ROWS)),
        }
    )


def test_blocks_come_in_the_order_of_the_spec(table: Table) -> None:
    encoders = Encoders.fit(table, infer_schema(table, targets=["price"]), CODES)
    numbers, categories, images = encoders.encode(table)
    assert encoders.spec.blocks == ("numbers", "categories", "images")
    assert numbers.shape == (ROWS, encoders.spec.num_numbers) == (ROWS, len(encoders.feature_names))
    assert encoders.feature_names[:3] == ("size", "garden", "garden (missing)")
    assert encoders.feature_names[3] == "sold year"
    assert "notes: kitchen" in encoders.feature_names
    assert encoders.category_names == ("town", "street")
    assert encoders.spec.cardinalities == (4, 3)
    assert categories.shape == (ROWS, 2)
    assert categories[:, 1].min() == 1
    assert images.shape == (ROWS, 3, 3, 4)
    assert encoders.image_mean == pytest.approx((table["picture"] / 255).mean(axis=(0, 1, 2)))
    assert len(encoders.image_std or ()) == 3
    assert [numbers.dtype, categories.dtype, images.dtype] == [np.float32, np.int64, np.uint8]


@pytest.mark.parametrize("numbers", ["standard", "robust", "quantile", "raw"])
@pytest.mark.parametrize("categories", ["auto", "codes", "onehot"])
def test_json_gives_the_same_bits(table: Table, numbers: str, categories: str) -> None:
    settings = EncodeSettings.model_validate({"numbers": numbers, "categories": categories})
    encoders = Encoders.fit(table.take(range(40)), infer_schema(table, targets=["price"]), settings)
    again = Encoders.from_json(json.loads(json.dumps(encoders.to_json(), allow_nan=False)))
    assert again == encoders
    for one, other in zip(encoders.encode(table), again.encode(table), strict=True):
        assert one.tobytes() == other.tobytes()
    # a part of the rows is encoded as it is within the whole
    part = encoders.encode(table.take([50, 3]))
    for some, every in zip(part, encoders.encode(table), strict=True):
        np.testing.assert_array_equal(some, every[[50, 3]])


def test_only_the_rows_that_are_given_are_learned_from(table: Table) -> None:
    schema = infer_schema(table, targets=["price"])
    changed = table.with_column(
        "size", table.series("size").set(pl.Series([False] * 40 + [True] * 20), 1e9)
    )
    rows = range(40)
    one = Encoders.fit(table.take(rows), schema).to_json()
    assert one == Encoders.fit(changed.take(rows), schema).to_json()
    assert one != Encoders.fit(changed, schema).to_json()


def test_absent_blocks_are_left_out() -> None:
    table = Table({"c": pl.Series(list("aabb")), "y": pl.Series([1.0, 2.0, 3.0, 4.0])})
    encoders = Encoders.fit(table, infer_schema(table, targets=["y"]), CODES)
    assert encoders.spec.blocks == ("categories",)
    assert encoders.image_mean is None
    (codes,) = encoders.encode(table)
    assert codes.tolist() == [[1], [1], [2], [2]]


def test_no_rows_give_empty_arrays(table: Table) -> None:
    encoders = Encoders.fit(table, infer_schema(table, targets=["price"]), CODES)
    assert [len(array) for array in encoders.encode(table.take([]))] == [0, 0, 0]


def test_all_missing_columns_are_named_at_once(table: Table) -> None:
    encoders = Encoders.fit(table, infer_schema(table, targets=["price"]), CODES)
    with pytest.raises(ColumnError, match=r'missing.*: "size", "street", "notes"\.'):
        encoders.encode(table.without(["size", "street", "notes", "price", "id"]))
    renamed = table.without(["town"]).with_column("Town", table["town"])
    with pytest.raises(ColumnError, match=r'"town".*Did you mean "Town"'):
        encoders.encode(renamed)


def test_other_types_at_prediction_are_read_strictly(table: Table) -> None:
    encoders = Encoders.fit(table, infer_schema(table, targets=["price"]), CODES)
    size = table.series("size")
    as_text = table.with_column("size", size.cast(pl.String))
    np.testing.assert_array_equal(encoders.encode(as_text)[0], encoders.encode(table)[0])
    wrong = table.with_column("size", pl.Series(["1.5"] * 7 + ["big"] + ["2"] * 52))
    with pytest.raises(ColumnError, match='"size": a number is expected, but row 8 holds "big"'):
        encoders.encode(wrong)


def test_unseen_categories_and_new_gaps_are_encoded(table: Table) -> None:
    encoders = Encoders.fit(table, infer_schema(table, targets=["price"]), CODES)
    new = table.take([0, 1]).with_column("town", pl.Series(["Atlantis", None]))
    numbers, categories, _ = encoders.encode(new.with_column("size", pl.Series([None, 1e300])))
    assert categories[:, 0].tolist() == [0, 0]
    assert np.isfinite(numbers).all()


def test_nothing_to_learn_from_is_an_error() -> None:
    table = Table({"x": pl.Series([1, 1, 1]), "y": pl.Series([1.0, 2.0, 3.0])})
    with pytest.raises(DataError, match="No input column"):
        Encoders.fit(table, infer_schema(table, targets=["y"]), CODES)
    dots = Table(
        {"x": pl.Series(["...", "!!! ! ! !", "? ?? ? ."]), "y": pl.Series([1.0, 2.0, 3.0])}
    )
    with pytest.raises(DataError, match="nothing that can be encoded"):
        Encoders.fit(dots, infer_schema(dots, targets=["y"]))


def test_two_columns_of_pictures_are_refused() -> None:
    pixels = RNG.integers(0, 256, (4, 2, 2, 1), dtype=np.uint8)
    table = Table({"front": pixels, "back": pixels, "y": pl.Series([1.0, 2.0, 3.0, 4.0])})
    with pytest.raises(ColumnError, match="one column of pictures, but there are 2: front, back"):
        Encoders.fit(table, infer_schema(table, targets=["y"]), CODES)


def test_a_newer_format_is_refused() -> None:
    with pytest.raises(DataError, match="newer"):
        Encoders.from_json({"format": 99, "columns": []})
