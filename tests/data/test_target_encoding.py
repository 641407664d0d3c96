"""Encodings of categories by order and by target: what training rows see and must not see."""

import json

import numpy as np
import polars as pl
import pytest

from deepwell.data.encoders import Encoders
from deepwell.data.infer import infer_schema
from deepwell.data.settings import DataSettings, EncodeSettings
from deepwell.data.table import Table
from deepwell.data.target_encoding import answers_of, encode_out_of_fold, fit_means, look_up
from deepwell.errors import ConfigError

RNG = np.random.default_rng(3)
TARGET = EncodeSettings(categories="target", target_smoothing=2.0)


def _table(values: list[str | None]) -> Table:
    return Table({"c": pl.Series(values), "y": pl.Series(np.arange(len(values), dtype=float))})


def _fit(table: Table, targets: np.ndarray, settings: EncodeSettings = TARGET) -> Encoders:
    return Encoders.fit(table, infer_schema(table, targets=["y"]), settings, targets=targets)


def test_training_rows_do_not_see_their_own_target() -> None:
    """Noise in many small categories: an encoding that leaks is correlated with the target."""
    codes = RNG.integers(0, 600, 2000)
    answers = answers_of(RNG.normal(size=(2000, 1)).astype(np.float32))
    state = fit_means(codes, answers, TARGET)
    leaking = np.corrcoef(look_up(codes, state)[:, 0], answers[:, 0])[0, 1]
    honest = np.corrcoef(encode_out_of_fold(codes, answers, state)[:, 0], answers[:, 0])[0, 1]
    assert leaking > 0.4
    assert abs(honest) < 0.07


def test_a_changed_target_changes_other_rows_only() -> None:
    codes = RNG.integers(0, 5, 200)
    answers = RNG.normal(size=(200, 2))
    changed = answers.copy()
    changed[17] += 100.0
    state = fit_means(codes, answers, TARGET)
    before = encode_out_of_fold(codes, answers, state)
    after = encode_out_of_fold(codes, changed, state)
    assert np.array_equal(before[17], after[17])
    assert not np.array_equal(before, after)


def test_out_of_fold_is_the_smoothed_mean_of_the_other_folds() -> None:
    codes = RNG.integers(0, 4, 30)
    answers = RNG.normal(size=(30, 1))
    settings = EncodeSettings(categories="target", target_folds=30, target_smoothing=2.0)
    state = fit_means(codes, answers, settings)
    encoded = encode_out_of_fold(codes, answers, state)
    for row in range(30):  # as many folds as rows: all rows but this one
        rest = np.arange(30) != row
        same = answers[rest & (codes == codes[row]), 0]
        expected = (same.sum() + 2 * answers[rest, 0].mean()) / (len(same) + 2)
        assert encoded[row, 0] == pytest.approx(expected)


def test_new_rows_take_the_means_of_all_training_rows() -> None:
    table = _table((["a"] * 4 + ["b"] * 2) * 5)
    targets = np.where(np.array(table.series("c")) == "a", 1.0, 0.0)[:, None].astype(np.float32)
    encoders = _fit(table, targets)
    assert encoders.feature_names == ("c (target)",)
    new = Table({"c": pl.Series(["a", "b", "never seen", None])})
    (numbers,) = encoders.encode(new)
    assert numbers[0, 0] > 0.5
    assert numbers[1, 0] < -0.5
    assert numbers[2:, 0] == pytest.approx([0.0, 0.0])
    again = Encoders.from_json(json.loads(json.dumps(encoders.to_json())))
    np.testing.assert_array_equal(again.encode(new)[0], numbers)


def test_training_rows_differ_from_new_rows_and_repeat() -> None:
    table = _table(["a", "b", "c", None] * 25)
    targets = RNG.integers(0, 3, 100)
    encoders = _fit(table, targets)
    first, second = (
        encoders.encode_training(table, targets),
        encoders.encode_training(table, targets),
    )
    np.testing.assert_array_equal(first[0], second[0])
    plain = encoders.encode(table)[0]
    # three classes and a flag for missing values
    assert plain.shape == first[0].shape == (100, 4)
    np.testing.assert_array_equal(first[0][:, 3], [0, 0, 0, 1] * 25)
    assert not np.array_equal(first[0][:, :3], plain[:, :3])


def test_without_targets_it_is_refused() -> None:
    table = _table(["a", "b"] * 20)
    with pytest.raises(ConfigError, match="targets"):
        Encoders.fit(table, infer_schema(table, targets=["y"]), TARGET)


def test_other_columns_are_encoded_alike_for_training() -> None:
    table = _table(["a", "b"] * 20)
    encoders = _fit(table, np.zeros((40, 1), np.float32), EncodeSettings(categories="onehot"))
    targets = np.zeros((40, 1), np.float32)
    np.testing.assert_array_equal(
        encoders.encode_training(table, targets)[0], encoders.encode(table)[0]
    )


@pytest.mark.parametrize("ordered", [["9", "10", "100"], ["high", "low", "mid"]])
def test_ordinal_places_values_in_their_order(ordered: list[str]) -> None:
    table = Table({"c": pl.Series(ordered[::-1] * 7), "y": pl.Series(range(21))})
    settings = DataSettings(kinds={"c": "category"})
    schema = infer_schema(table, targets=["y"], settings=settings)
    encoders = Encoders.fit(table, schema, EncodeSettings(categories="ordinal"))
    assert encoders.feature_names == ("c (order)",)
    (numbers,) = encoders.encode(Table({"c": pl.Series([*ordered, "new"])}))
    assert numbers[:, 0].tolist() == [-1.0, 0.0, 1.0, 0.0]
