"""Objects of Python: frames, dicts, arrays, tensors, pairs."""

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch

from deepwell.data.frames import read_object, table_digest
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import ColumnError, DataError, FileFormatError, ImageError


def load(data, **settings):
    return read_object(data, DataSettings(**settings))


def columns(data, **settings):
    return load(data, **settings).table.frame().to_dict(as_series=False)


def test_pandas_types():
    frame = pd.DataFrame(
        {
            "whole": [1, 2],
            "gap": [1.5, float("nan")],
            "text": ["x", None],
            "category": pd.Categorical(["u", "v"]),
            "moment": pd.to_datetime(["2024-01-02", None]),
            "zoned": pd.to_datetime(["2024-01-02T12:00+02:00", None]),
            "nullable": pd.array([7, None], dtype="Int64"),
            "flag": pd.array([True, None], dtype="boolean"),
            "object": [datetime.date(2024, 1, 2), None],
        }
    )
    assert columns(frame) == {
        "whole": [1, 2],
        "gap": [1.5, None],
        "text": ["x", None],
        "category": ["u", "v"],
        "moment": [datetime.datetime(2024, 1, 2), None],
        "zoned": [datetime.datetime(2024, 1, 2, 10), None],
        "nullable": [7, None],
        "flag": [True, None],
        "object": [datetime.date(2024, 1, 2), None],
    }


@pytest.mark.parametrize(
    "data",
    [
        pl.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
        pl.LazyFrame({"a": [1, 2], "b": ["x", "y"]}),
        pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[5, 9]),
        {"a": [1, 2], "b": np.array(["x", "y"])},
        {"a": torch.tensor([1, 2]), "b": pl.Series(["x", "y"])},
        {"a": pd.Series([1, 2], index=[4, 4]), "b": ("x", "y")},
        {"a": range(1, 3), "b": [Path("x"), Path("y")]},
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        np.array([(1, "x"), (2, "y")], dtype=[("a", int), ("b", "U1")]),
        Table({"a": pl.Series([1, 2]), "b": pl.Series(["x", "y"])}),
    ],
)
def test_one_table_in_many_clothes(data):
    reading = load(data)
    table = Table({"a": pl.Series([1, 2]), "b": pl.Series(["x", "y"])})
    assert reading.table.frame().to_dict(as_series=False) == {"a": [1, 2], "b": ["x", "y"]}
    assert reading.digest == table_digest(table)


@pytest.mark.parametrize(
    "data",
    [
        np.array([[1.0, 2.0], [3.0, 4.0]]),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True),
        torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.bfloat16),
        [[1.0, 2.0], [3.0, 4.0]],
        [torch.tensor([1.0, 2.0]), torch.tensor([3.0, 4.0])],
        np.array([[1.0, 2.0], [3.0, 4.0]], dtype=object),
    ],
)
def test_arrays_become_numbered_columns(data):
    assert columns(data) == {"x0": [1.0, 3.0], "x1": [2.0, 4.0]}


def test_single_values_are_one_row():
    assert columns({"a": 1, "b": "x"}) == {"a": [1], "b": ["x"]}


def test_columns_of_objects_keep_their_types():
    assert columns([[1, "x"], [2, "y"]]) == {"x0": [1, 2], "x1": ["x", "y"]}


@pytest.mark.parametrize(
    ("answers", "target"),
    [
        (np.array([0, 1]), ("target",)),
        (pd.Series([0, 1], name="price"), ("target",)),
        ([[0], [1]], ("target",)),
        (np.zeros((2, 2)), ("target_0", "target_1")),
    ],
)
def test_pair_of_inputs_and_answers(answers, target):
    reading = load((np.ones((2, 3)), answers))
    assert reading.target == target
    assert reading.table.names == ["x0", "x1", "x2", *target]


@pytest.mark.parametrize(
    ("array", "shape"),
    [
        (np.full((2, 8, 6), 9, np.uint8), (2, 8, 6, 1)),
        (np.full((2, 8, 6, 3), 9, np.uint8), (2, 8, 6, 3)),
        (np.full((2, 3, 8, 6), 9, np.uint8), (2, 8, 6, 3)),
        (torch.full((2, 1, 8, 6), 9, dtype=torch.uint8), (2, 8, 6, 1)),
        (torch.full((2, 3, 8, 3), 9, dtype=torch.uint8), (2, 8, 3, 3)),
        (np.full((2, 8, 3, 3), 9, np.uint8), (2, 8, 3, 3)),
        (np.full((2, 8, 6, 4), 9, np.int64), (2, 8, 6, 3)),
    ],
)
def test_pictures_in_arrays(array, shape):
    image = load(array).table["image"]
    assert isinstance(image, np.ndarray)
    assert image.shape == shape
    assert image.dtype == np.uint8
    assert (image == 9).all()


def test_floats_within_one_become_bytes_with_a_note():
    reading = load({"photo": np.full((2, 4, 4), 0.5), "y": [0, 1]})
    assert np.unique(reading.table["photo"]).tolist() == [128]
    assert "multiplied by 255" in reading.notes[0]


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (3, DataError, "type int cannot be read"),
        (object(), DataError, "a NumPy array"),
        ((1, 2, 3), DataError, r"pair \(X, y\)"),
        (np.array(3), DataError, "rows × columns"),
        (np.zeros((2, 2), complex), DataError, "complex"),
        ([[1, 2], [3]], DataError, "differ in length"),
        (np.zeros((2, 5, 5, 2)), ImageError, "cannot be pictures"),
        (np.full((2, 4, 4), -1.0), ImageError, "from -1 to -1"),
        (np.full((2, 4, 4), np.nan), ImageError, "0 … 255"),
        ({}, FileFormatError, "no columns"),
        ([], FileFormatError, "no columns"),
        (pl.DataFrame({"a": []}), FileFormatError, "no rows"),
        (pd.DataFrame({"a": []}), FileFormatError, "no rows"),
        ({"a": [1, 2], "b": [1]}, ColumnError, "a 2, b 1"),
        ({"a": [1, 2], "b": 7}, ColumnError, '"b" is a single value'),
        ((np.ones((3, 2)), [1, 2]), ColumnError, "X has 3 rows and y has 2"),
        (({"target": [1, 2]}, [1, 2]), ColumnError, "already has a column named target"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), ColumnError, 'several columns named "a"'),
        ({"a": [1.0, np.inf]}, ColumnError, "infinite value in row 2 of the data"),
        ({"a": [[1], [2, 3]]}, ColumnError, '"a" holds a list'),
        ({"a": [*range(19), "abc"]}, ColumnError, '19 of 20 rows, but row 20.*"abc"'),
        (pd.DataFrame({"a": [*range(19), "abc"]}), ColumnError, "--kind a=category"),
        (pl.scan_csv("/no/such/file.csv"), DataError, "cannot be collected"),
    ],
)
def test_objects_that_cannot_be_read(data, error, message):
    with pytest.raises(error, match=message):
        load(data)


def test_mixed_types_are_accepted_when_said_so():
    assert columns({"a": [*range(19), "abc"]}, kinds={"a": "category"})["a"][-1] == "abc"


def test_text_dates_become_dates_unless_said_otherwise():
    data = {"day": ["2024-01-02", None]}
    assert columns(data)["day"] == [datetime.date(2024, 1, 2), None]
    assert columns(data, kinds={"day": "category"})["day"] == ["2024-01-02", None]


def test_table_keeps_its_ids():
    table = Table({"a": pl.Series([1, 2])}, ids=np.array([7, 9]))
    assert load(table).table.ids.tolist() == [7, 9]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": [1, 2]}, {"a": [1, 3]}),
        ({"a": [1, 2]}, {"b": [1, 2]}),
        ({"a": [1, 2]}, {"a": [1.0, 2.0]}),
        ({"a": ["x", "yz"]}, {"a": ["xy", "z"]}),
        ({"a": ["", "x"]}, {"a": [None, "x"]}),
        ({"a": [True, None]}, {"a": [True, False]}),
        (np.zeros((2, 4, 6), np.uint8), np.zeros((2, 6, 4), np.uint8)),
    ],
)
def test_digest_tells_contents_apart(one, other):
    assert load(one).digest == load(one).digest
    assert load(one).digest != load(other).digest
