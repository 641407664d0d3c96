import json
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_series_equal

from deepwell.artifact.golden import Golden, column_from_json, column_to_json, pick_rows
from deepwell.data.table import Table

berlin = ZoneInfo("Europe/Berlin")
SERIES = [
    pl.Series([1, None, -3]),
    pl.Series([1, 2**64 - 1], dtype=pl.UInt64),
    pl.Series([0.1, float("nan"), float("inf"), None, -0.0]),
    pl.Series([0.1, None], dtype=pl.Float32),
    pl.Series([True, None, False]),
    pl.Series(["naïve", "", None, '"quoted"\n']),
    pl.Series([None, None], dtype=pl.Null),
    pl.Series([date(2024, 2, 29), None, date(1, 1, 1)]),
    pl.Series([datetime(2024, 2, 29, 1, 2, 3, 456), None]),
    pl.Series([datetime(2024, 10, 27, 2, 30, fold=1, tzinfo=berlin)]),
    pl.Series([datetime(1969, 1, 1), None], dtype=pl.Datetime("ms")),
    pl.Series([timedelta(days=1, microseconds=5), None]),
    pl.Series([time(23, 59, 1), None]),
]


@pytest.mark.parametrize("series", SERIES, ids=lambda s: str(s.dtype))
def test_column_comes_back_as_it_was(series: pl.Series) -> None:
    text = json.dumps(column_to_json(series), allow_nan=False)
    back = column_from_json(json.loads(text))
    assert isinstance(back, pl.Series)
    assert_series_equal(back, series, check_exact=True)


def test_categorical_comes_back_as_text() -> None:
    back = column_from_json(column_to_json(pl.Series(["b", None], dtype=pl.Categorical)))
    assert isinstance(back, pl.Series)
    assert back.to_list() == ["b", None]


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_pictures_come_back_bit_for_bit(channels: int) -> None:
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (2, 5, 3, channels), dtype=np.uint8)
    back = column_from_json(json.loads(json.dumps(column_to_json(pictures))))
    np.testing.assert_array_equal(back, pictures)


def test_picture_of_another_size_is_refused_before_it_is_decoded() -> None:
    state = column_to_json(np.zeros((1, 4, 4, 3), np.uint8))
    state["shape"] = [2, 2, 3]
    with pytest.raises(ValueError, match="instead of"):
        column_from_json(state)


def test_rows_are_spread_over_the_table() -> None:
    table = Table({"a": pl.Series(range(100)), "b": pl.Series(range(100))})
    assert pick_rows(table, ["a"]).series("a").to_list() == [0, 24, 49, 74, 99]
    assert pick_rows(table.take([4, 5]), ["a"]).series("a").to_list() == [4, 5]


@pytest.mark.parametrize(
    ("change", "differs"),
    [(0.0, False), (5e-5, False), (3e-4, True), (float("nan"), True), (float("inf"), True)],
)
def test_difference_beyond_tolerance_is_told(change: float, differs: bool) -> None:
    outputs = np.array([[1.0, -2.0], [0.0, 0.5]], np.float32)
    golden = Golden(rows=Table({"a": pl.Series([1, 2])}), outputs=outputs)
    golden = Golden.from_json(json.loads(json.dumps(golden.to_json())))
    got = outputs.copy()
    got[1, 0] += change
    found = golden.difference(got)
    assert (found is not None) == differs
    if found:
        assert found.startswith("row 2 gives")


def test_small_outputs_are_compared_with_their_own_size() -> None:
    golden = Golden(rows=Table({"a": pl.Series([1])}), outputs=np.full((1, 1), 1e-3, np.float32))
    assert golden.difference(np.full((1, 1), 1.2e-3, np.float32)) is not None


def test_other_shape_is_a_difference() -> None:
    golden = Golden(rows=Table({"a": pl.Series([1])}), outputs=np.zeros((1, 2), np.float32))
    assert "shape" in (golden.difference(np.zeros((1, 3), np.float32)) or "")
