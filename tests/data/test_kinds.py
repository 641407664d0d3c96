"""Common checks of every kind, and what is special about each."""

import datetime
import json

import numpy as np
import polars as pl
import pytest

from deepwell.data.kinds import KINDS
from deepwell.data.kinds.base import Blocks
from deepwell.data.kinds.number import STANDARD_LIMIT
from deepwell.data.schema import KIND_NAMES
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column
from deepwell.errors import ColumnError

RNG = np.random.default_rng(0)
COLUMNS: dict[str, Column] = {
    "number": pl.Series([1.5, None, -2.0, 4.0, 1e6, 0.1] * 5),
    "boolean": pl.Series([True, None, False, True, True, False] * 5),
    "category": pl.Series(["a", "b", None, "a", "c", "a"] * 4 + ["b", "d", "a", "a", "ü", "c"]),
    "date": pl.Series(
        [datetime.datetime(2024, 1, 31, 7), None, datetime.datetime(1969, 7, 20)] * 10
    ),
    "text": pl.Series(["good house by the sea", "small flat", None, "Sea view, GOOD flat", ""] * 6),
    "image": RNG.integers(0, 256, (30, 4, 5, 3), dtype=np.uint8),
}
SETTINGS = [
    EncodeSettings(numbers=numbers, categories=categories)
    for numbers in ("standard", "robust", "quantile", "raw")
    for categories in ("auto", "codes", "onehot")
]


def arrays(blocks: Blocks) -> list[np.ndarray]:
    return [a for a in (blocks.numbers, blocks.categories, blocks.images) if a is not None]


def one(kind: str, column: Column, **settings: object) -> tuple[dict, np.ndarray]:
    parsed = KINDS[kind].parse("x", column)
    plain = {"numbers": "standard", "categories": "codes"}
    state = KINDS[kind].fit(parsed, EncodeSettings(**{**plain, **settings}))
    return state, arrays(KINDS[kind].encode(parsed, state))[0]


def test_every_kind_of_the_schema_is_registered_and_tested() -> None:
    assert set(KINDS) == set(KIND_NAMES) == set(COLUMNS)
    assert all(KINDS[name].name == name for name in KINDS)


@pytest.mark.parametrize("settings", SETTINGS, ids=lambda s: f"{s.numbers}-{s.categories}")
@pytest.mark.parametrize("name", list(COLUMNS))
def test_common_checks(name: str, settings: EncodeSettings) -> None:
    kind, column = KINDS[name], COLUMNS[name]
    assert kind.recognise(column)
    parsed = kind.parse("x", column)
    state = kind.fit(parsed, settings)
    text = json.dumps(state, allow_nan=False)
    encoded = arrays(kind.encode(parsed, state))
    again = arrays(kind.encode(parsed, json.loads(text)))
    assert len(encoded) == 1
    assert encoded[0].tobytes() == again[0].tobytes()
    assert len(encoded[0]) == len(column)
    # a row is encoded alike alone and among others
    for row in (0, 1, 2, 13):
        alone = arrays(kind.encode(parsed[row : row + 1], state))[0]
        np.testing.assert_array_equal(alone, encoded[0][row : row + 1])
    assert len(arrays(kind.encode(parsed[:0], state))[0]) == 0
    layout = kind.layout("x", state)
    if layout.features:
        assert encoded[0].shape[1] == len(layout.features) == len(set(layout.features))
        assert encoded[0].dtype == np.float32
        assert settings.numbers == "raw" or np.isfinite(encoded[0]).all()
    if layout.cardinality is not None:
        assert encoded[0].dtype == np.int64
        assert 0 <= encoded[0].min() <= encoded[0].max() < layout.cardinality
    if layout.image_shape is not None:
        assert encoded[0].shape[1:] == layout.image_shape
    assert kind.describe(parsed).summary


@pytest.mark.parametrize("name", [name for name in COLUMNS if name != "image"])
def test_a_column_without_any_value_encodes(name: str) -> None:
    empty = KINDS[name].parse("x", pl.Series([None, None, None], dtype=pl.Null))
    for settings in SETTINGS:
        state = KINDS[name].fit(empty, settings)
        json.dumps(state, allow_nan=False)
        encoded = arrays(KINDS[name].encode(empty, state))
        assert all(len(array) == 3 for array in encoded)
        assert KINDS[name].describe(empty).summary == "no values"


# numbers


def test_standard_scales_to_mean_0_and_spread_1_and_flags_gaps() -> None:
    values = pl.Series([1.0, 2.0, 3.0, 10.0, None])
    state, encoded = one("number", values)
    present = np.array([1.0, 2.0, 3.0, 10.0])
    np.testing.assert_allclose(encoded[:4, 0], (present - 4) / present.std(), rtol=1e-6)
    # the gap takes the median
    assert encoded[4, 0] == pytest.approx((2.5 - 4) / present.std())
    assert encoded[:, 1].tolist() == [0, 0, 0, 0, 1]
    assert KINDS["number"].layout("x", state).features == ("x", "x (missing)")


def test_a_gap_that_training_never_had_takes_the_median_without_a_flag() -> None:
    state, _ = one("number", pl.Series([1.0, 2.0, 6.0]))
    encoded = KINDS["number"].encode(pl.Series([None, 2.0], dtype=pl.Float64), state)
    assert encoded.numbers is not None
    assert encoded.numbers.shape == (2, 1)
    assert encoded.numbers[0, 0] == encoded.numbers[1, 0]


@pytest.mark.parametrize("mode", ["standard", "robust"])
def test_a_constant_is_encoded_as_0_also_for_new_values(mode: str) -> None:
    state, encoded = one("number", pl.Series([0.1] * 7), numbers=mode)
    assert not encoded.any()
    new = KINDS["number"].encode(pl.Series([5.0, 0.1]), state)
    assert new.numbers is not None
    assert not new.numbers.any()


def test_absurd_values_stay_bounded() -> None:
    values = pl.Series([1.0, 2.0, 3.0, 4.0])
    for mode, bound in (("standard", STANDARD_LIMIT), ("robust", 3.0), ("quantile", 4.0)):
        state, _ = one("number", values, numbers=mode)
        far = KINDS["number"].encode(pl.Series([1e308, -1e308]), state).numbers
        assert far is not None
        assert np.isfinite(far).all()
        assert 1 < far[0, 0] <= bound
        assert far[1, 0] < -1
        state, encoded = one("number", pl.Series([1e308, -1e308, 5e307, 1.0]), numbers=mode)
        json.dumps(state, allow_nan=False)
        assert np.isfinite(encoded).all()


def test_robust_is_the_published_formula() -> None:
    values = np.array([0.0, 1.0, 2.0, 3.0, 100.0])
    _, encoded = one("number", pl.Series(values), numbers="robust")
    scaled = (values - 2.0) / 2.0
    np.testing.assert_allclose(encoded[:, 0], scaled / np.sqrt(1 + (scaled / 3) ** 2), rtol=1e-6)


def test_quantile_gives_normal_scores_and_ties_share_one() -> None:
    values = RNG.lognormal(size=4000)
    state, encoded = one("number", pl.Series(values), numbers="quantile")
    assert len(state["quantiles"]) <= 1000
    assert abs(encoded.mean()) < 0.01
    assert encoded.std() == pytest.approx(1.0, abs=0.01)
    order = np.argsort(values)
    assert (np.diff(encoded[order, 0]) >= 0).all()
    _, tied = one("number", pl.Series([0.0] * 50 + [1.0] * 50), numbers="quantile")
    assert tied[0, 0] == pytest.approx(-0.6745, abs=1e-3)
    assert tied[-1, 0] == pytest.approx(0.6745, abs=1e-3)


def test_raw_keeps_values_and_gaps() -> None:
    _, encoded = one("number", pl.Series([1.0, None, 1e300]), numbers="raw")
    assert encoded.shape == (3, 1)
    assert encoded[0, 0] == 1.0
    assert np.isnan(encoded[1, 0])
    assert encoded[2, 0] == np.finfo(np.float32).max


def test_numbers_in_other_types_are_read_and_errors_name_row_and_value() -> None:
    number = KINDS["number"]
    assert number.parse("x", pl.Series([" 1", "2.5", "NA"])).to_list() == [1.0, 2.5, None]
    assert number.parse("x", pl.Series([1, 2], dtype=pl.UInt8)).to_list() == [1.0, 2.0]
    seconds = pl.Series([datetime.timedelta(minutes=1, milliseconds=500)])
    assert number.parse("x", seconds).to_list() == [60.5]
    with pytest.raises(ColumnError, match=r'"zip".*row 2 holds "A12".*--kind zip=category'):
        number.parse("zip", pl.Series(["1", "A12", "3"]))
    with pytest.raises(ColumnError, match=r'"x": row 3 is infinite'):
        number.parse("x", pl.Series([1.0, 2.0, float("inf")]))
    with pytest.raises(ColumnError, match="not numbers"):
        number.parse("x", pl.Series([datetime.date(2024, 1, 1)]))
    with pytest.raises(ColumnError, match="holds images"):
        number.parse("x", np.zeros((1, 2, 2, 1), dtype=np.uint8))


def test_skewed_numbers_are_warned_about() -> None:
    description = KINDS["number"].describe(pl.Series([1.0, 2.0, 3.0, 600.0, 2.0]))
    assert description.summary == "1 … 600, mean 121.6"
    assert description.warnings == ("skewed: the largest value is 300 times the median",)


@pytest.mark.parametrize("values", [["01234", "99999"], ["", "NA"], ["1", "x"]])
def test_texts_that_are_no_numbers_are_not_recognised(values: list[str]) -> None:
    assert KINDS["number"].recognise(pl.Series(values)) is None


# booleans


@pytest.mark.parametrize(
    ("values", "is_boolean"),
    [
        ([0, 1, 1, 0], True),
        ([0.0, 1.0, None, float("nan")], True),
        (["true", "False", None], True),
        ([1, 1, 1], False),
        ([0, 1, 2], False),
        ([0, 0.5, 1], False),
        (["yes", "no"], False),
    ],
)
def test_which_columns_are_boolean(values: list, is_boolean: bool) -> None:
    assert (KINDS["boolean"].recognise(pl.Series(values, strict=False)) is not None) is is_boolean


def test_booleans_are_read_from_words_and_a_gap_takes_the_share_of_true() -> None:
    _, encoded = one("boolean", pl.Series(["yes", "No", None, "TRUE", "1"]))
    np.testing.assert_allclose(encoded, [[1, 0], [0, 0], [0.75, 1], [1, 0], [1, 0]])
    with pytest.raises(ColumnError, match=r'row 2 holds "perhaps"'):
        KINDS["boolean"].parse("x", pl.Series(["yes", "perhaps"]))
    with pytest.raises(ColumnError, match=r'row 3 holds "2.0"'):
        KINDS["boolean"].parse("x", pl.Series([0, 1, 2]))


# categories


def test_codes_are_sorted_by_frequency_and_rare_values_share_one() -> None:
    values = pl.Series(["b", "a", "a", "z", "b", "a", None, "y", "c", "c"])
    state, encoded = one("category", values)
    assert state["values"] == ["a", "b", "c"]
    # 0 missing, 1 a, 2 b, 3 c, 4 shared by z and y, and by what training never saw
    assert encoded.tolist() == [2, 1, 1, 4, 2, 1, 0, 4, 3, 3]
    assert KINDS["category"].layout("x", state).cardinality == 5
    new = KINDS["category"].encode(pl.Series(["never", None]), state).categories
    assert new is not None
    assert new.tolist() == [4, 0]


def test_without_rare_values_an_unseen_value_has_code_0() -> None:
    state, encoded = one("category", pl.Series(["a", "b", "a", "b"]))
    assert encoded.tolist() == [1, 2, 1, 2]
    new = KINDS["category"].encode(pl.Series(["never", "b"]), state).categories
    assert new is not None
    assert new.tolist() == [0, 2]


def test_max_categories_keeps_the_most_frequent() -> None:
    state, encoded = one("category", pl.Series(["a"] * 3 + ["b"] * 2 + ["c"] * 4), max_categories=2)
    assert state["values"] == ["c", "a"]
    assert encoded.tolist() == [2, 2, 2, 3, 3, 1, 1, 1, 1]


def test_onehot_names_its_columns_and_flags_missing() -> None:
    state, encoded = one(
        "category", pl.Series(["a", "b", None, "a", "b", "q"]), categories="onehot"
    )
    assert KINDS["category"].layout("x", state).features == (
        *("x=a", "x=b", "x=(rare)", "x (missing)"),
    )
    expected = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]]
    assert encoded.tolist() == expected


def test_whole_numbers_are_the_same_category_in_every_type() -> None:
    state, _ = one("category", pl.Series([3, 4, 3, 4, 3]))
    for same in (
        pl.Series([3.0, 4.0, None]),
        pl.Series(["3", " 4", None]),
        pl.Series([3, 4, None]),
    ):
        parsed = KINDS["category"].parse("x", same)
        codes = KINDS["category"].encode(parsed, state).categories
        assert codes is not None
        assert codes.tolist() == [1, 2, 0]
    mixed = KINDS["category"].parse("x", pl.Series([3.0, 2.5]))
    assert mixed.to_list() == ["3", "2.5"]


def test_categories_in_words() -> None:
    description = KINDS["category"].describe(pl.Series(list("aaabbcde")))
    assert description.summary == "a (3), b (2), c (1), …"
    assert description.warnings == ("3 values occur once",)


# dates


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-02-29", datetime.datetime(2024, 2, 29)),
        ("2024/02/29", datetime.datetime(2024, 2, 29)),
        ("29.02.2024", datetime.datetime(2024, 2, 29)),
        ("2024-02-29T06:30", datetime.datetime(2024, 2, 29, 6, 30)),
        ("2024-02-29 06:30:15.25", datetime.datetime(2024, 2, 29, 6, 30, 15, 250_000)),
        ("2024-02-29T06:30:15+02:00", datetime.datetime(2024, 2, 29, 6, 30, 15)),
        ("2024-02-29T06:30:15Z", datetime.datetime(2024, 2, 29, 6, 30, 15)),
    ],
)
def test_dates_are_read_from_text(text: str, moment: datetime.datetime) -> None:
    values = pl.Series([text, None, "1999-12-31"])
    assert KINDS["date"].recognise(values)
    parsed = KINDS["date"].parse("x", values)
    assert parsed.to_list() == [moment, None, datetime.datetime(1999, 12, 31)]


@pytest.mark.parametrize("text", ["2024-13-01", "2024-03", "yesterday", "1/2/2024", "20240101"])
def test_texts_that_are_no_dates(text: str) -> None:
    assert KINDS["date"].recognise(pl.Series(["2024-01-01", text])) is None
    with pytest.raises(ColumnError, match="row 2 holds"):
        KINDS["date"].parse("x", pl.Series(["2024-01-01", text]))


def test_a_date_becomes_its_parts() -> None:
    dates = pl.Series([datetime.date(2024, 1, 1), datetime.date(2025, 7, 2), None])
    state, encoded = one("date", dates, numbers="raw")
    names = KINDS["date"].layout("d", state).features
    assert names == (
        *("d year", "d month", "d weekday", "d day of year sin", "d day of year cos", "d days"),
    )
    assert encoded[0].tolist() == [2024, 1, 1, 0, 1, 19723]
    assert encoded[1, 3] == pytest.approx(0.0, abs=0.02)
    assert encoded[1, 4] == pytest.approx(-1.0, abs=0.01)
    assert np.isnan(encoded[2]).all()
    state, scaled = one("date", dates)
    assert scaled[0, 0] == pytest.approx(-1.0)
    assert scaled[2].tolist() == [0, 0, 0, 0, 0, 0, 1]


def test_the_hour_is_used_only_if_there_is_one() -> None:
    hours = pl.Series([datetime.datetime(2024, 1, 1, 6), datetime.datetime(2024, 1, 2, 18)])
    state, encoded = one("date", hours, numbers="raw")
    assert state["features"][-1] == "hour"
    assert encoded[:, -1].tolist() == [6, 18]
    assert encoded[0, 5] == pytest.approx(19723.25)


# text


def test_text_weights_are_those_of_the_formula() -> None:
    texts = pl.Series(["red red house", "red boat", "house"])
    state, encoded = one("text", texts)
    assert state["words"] == ["house", "red"]  # boat is in one row only
    idf = np.log(4 / 3) + 1
    first = np.array([idf, (1 + np.log(2)) * idf])
    np.testing.assert_allclose(encoded[0], first / np.linalg.norm(first), rtol=1e-6)
    np.testing.assert_allclose(encoded[1:], [[0, 1], [1, 0]])


def test_text_of_words_that_never_repeat_keeps_them_and_pairs_are_an_option() -> None:
    state, encoded = one("text", pl.Series(["ein Haus", "ÄRGER groß"]))
    assert sorted(state["words"]) == ["ein", "groß", "haus", "ärger"]
    assert encoded.shape == (2, 4)
    state, _ = one("text", pl.Series(["big red house", "big red boat"]), text_ngrams=2)
    assert state["words"] == ["big", "big red", "red"]


def test_text_features_are_limited() -> None:
    state, encoded = one("text", pl.Series(["a b c d", "a b c", "a b"] * 2), text_features=2)
    assert state["words"] == ["a", "b"]
    assert encoded.shape == (6, 2)


# pictures


def test_pictures_are_channels_first_and_moments_are_those_of_the_pixels() -> None:
    pixels = COLUMNS["image"]
    state, encoded = one("image", pixels)
    assert encoded.flags.c_contiguous
    assert encoded.dtype == np.uint8
    np.testing.assert_array_equal(encoded[7, 2], pixels[7, :, :, 2])
    np.testing.assert_allclose(state["mean"], (pixels / 255).mean(axis=(0, 1, 2)), rtol=1e-9)
    np.testing.assert_allclose(state["std"], (pixels / 255).std(axis=(0, 1, 2)), rtol=1e-9)


def test_pictures_of_another_size_or_type_are_refused() -> None:
    state, _ = one("image", COLUMNS["image"])
    with pytest.raises(ColumnError, match=r"5 × 5 pixels, 1 channel,.*5 × 4 pixels, 3 channels"):
        KINDS["image"].encode(np.zeros((2, 5, 5, 1), dtype=np.uint8), state)
    with pytest.raises(ColumnError, match="uint8"):
        KINDS["image"].parse("x", np.zeros((2, 5, 5, 1), dtype=np.float32))
    with pytest.raises(ColumnError, match="not pictures"):
        KINDS["image"].parse("x", pl.Series(["a.png"]))


def test_auto_gives_few_values_a_number_each_and_many_a_code() -> None:
    few = pl.Series([f"v{index % 64}" for index in range(256)])
    many = pl.Series([f"v{index % 65}" for index in range(260)])
    assert one("category", few, categories="auto")[0]["mode"] == "onehot"
    assert one("category", many, categories="auto")[0]["mode"] == "codes"
