import copy
import datetime
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from deepwell import load
from deepwell.data import read
from deepwell.errors import ConfigError, DataError, SplitError
from deepwell.estimators import DeepClassifier, DeepRegressor, base
from deepwell.workflows.learn import assemble, fit_encoders, learn
from deepwell.workflows.prepare import prepare


def _quick(**given: Any) -> DeepRegressor:
    options = {"model": "linear", "epochs": 40, "learning_rate": 0.1, "random_state": 0}
    return DeepRegressor(**(options | given))


def _houses(rows: int = 80) -> tuple[pl.DataFrame, pl.Series]:
    """Columns of every kind, with gaps."""
    rng = np.random.default_rng(0)
    start = datetime.date(2020, 1, 1)
    frame = pl.DataFrame(
        {
            "rooms": rng.integers(1, 6, rows),
            "area": [None if i % 9 == 0 else float(i % 20) for i in range(rows)],
            "town": rng.choice(["Ulm", "Bonn", "Kiel"], rows),
            "sold": [start + datetime.timedelta(days=int(d)) for d in rng.integers(0, 900, rows)],
            "garden": rng.random(rows) > 0.5,
            "note": [f"a quiet house near the lake, number {i}" for i in range(rows)],
        }
    )
    towns = frame["town"].replace_strict({"Ulm": 0, "Bonn": 20, "Kiel": 40})
    price = 10 * frame["rooms"] + towns + 5 * frame["garden"].cast(pl.Int64)
    return frame, price.cast(pl.Float64).alias("price")


def _numbers(rows: int = 50) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(1).normal(size=(rows, 3))
    return X, X @ np.array([1.0, -2.0, 0.5])


def test_frames_of_mixed_columns_polars_and_pandas_alike():
    frame, price = _houses()
    network = _quick(epochs=100).fit(frame, price)
    assert network.score(frame, price) > 0.95
    assert network.feature_names_in_.tolist() == frame.columns
    assert network.predictor_.task.targets == ("price",)
    other = _quick(epochs=100).fit(frame.to_pandas(), price.to_pandas())
    np.testing.assert_array_equal(network.predict(frame), other.predict(frame.to_pandas()))
    lazy = _quick(epochs=100).fit(frame.lazy(), price)
    np.testing.assert_array_equal(network.predict(frame), lazy.predict(frame.lazy()))


def test_columns_are_checked_as_scikit_learn_does():
    frame, price = _houses()
    network = _quick(epochs=1).fit(frame, price)
    with pytest.raises(ValueError, match="yet now missing:\n- area"):
        network.predict(frame.drop("area"))
    with pytest.raises(ValueError, match="same order"):
        network.predict(frame.select(reversed(frame.columns)))


def test_a_frame_and_an_array_of_the_same_numbers_give_the_same_answers():
    X, y = _numbers()
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    named, bare = _quick().fit(frame, y), _quick().fit(X, y)
    np.testing.assert_array_equal(named.predict(frame), bare.predict(X))
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        np.testing.assert_array_equal(named.predict(X), bare.predict(X))
    with pytest.warns(UserWarning, match="was fitted without feature names"):
        np.testing.assert_array_equal(bare.predict(frame), bare.predict(X))


def test_the_numbers_are_those_of_the_workflow(tmp_path: Path):
    frame, price = _houses()
    others, answers = _houses(10)
    others.with_columns(answers, rooms=pl.col("rooms") + 10).write_parquet(tmp_path / "t.parquet")
    overrides = {
        "target": ("price",),
        "seed": 5,
        "data": {"test": str(tmp_path / "t.parquet")},
        "engine": {"epochs": 3},
        "model": {"name": "mlp"},
    }
    ready = prepare(frame.with_columns(price), overrides, module=None, say=lambda text: None)
    encoders = fit_encoders(ready.train, ready.schema, ready.task, ready.settings, None)
    network = assemble(encoders, ready.task, ready.schema, ready.settings, None)
    learned = learn(network, ready.train, ready.val, settings=ready.settings)
    estimator = DeepRegressor("mlp", epochs=3, random_state=5).fit(frame, price)
    for record, expected in zip(estimator.history_, learned.fit.history, strict=True):
        assert record["train"] == expected["train"]
        assert record["val"] == expected["val"]
    rows = learned.predictor.predict_table(read(frame).table).values
    np.testing.assert_allclose(estimator.predict(frame), rows[:, 0], rtol=1e-6)


def test_the_same_random_state_gives_the_same_network_and_none_another():
    X, y = _numbers()
    one, two = (DeepRegressor("mlp", epochs=2, random_state=3).fit(X, y) for _ in range(2))
    np.testing.assert_array_equal(one.predict(X), two.predict(X))
    drawn = [DeepRegressor("mlp", epochs=2).fit(X, y).predict(X) for _ in range(2)]
    assert not np.array_equal(*drawn)
    seeded = DeepRegressor("mlp", epochs=2, settings={"seed": 3}).fit(X, y)
    np.testing.assert_array_equal(one.predict(X), seeded.predict(X))


def test_global_random_numbers_of_torch_stay_as_they_are():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    _quick(epochs=1).fit(*_numbers())
    assert torch.equal(torch.rand(3), expected)


def test_rows_for_validation_only_where_there_are_enough():
    X, y = _numbers(60)
    assert _quick(epochs=1).fit(X, y).history_[0]["val"]
    assert not _quick(epochs=1).fit(X[:20], y[:20]).history_[0]["val"]
    assert not _quick(epochs=1, validation_fraction=0).fit(X, y).history_[0]["val"]
    two = _quick(epochs=2).fit(X[:2], y[:2])
    assert two.n_iter_ == 2
    frame = pl.DataFrame(X).with_columns(who=pl.lit("Ada"))
    with pytest.raises(SplitError, match="set validation_fraction=0"):
        _quick(settings={"data": {"group": "who"}}).fit(frame, y)


def test_columns_that_are_all_constant_give_one_answer():
    network = _quick(epochs=50).fit(np.ones((20, 2)), np.arange(20.0))
    assert network.predict([[1.0, 1.0], [5.0, 5.0]]) == pytest.approx([9.5, 9.5], abs=1)


def test_weights_count_as_repeated_rows_do():
    X, y = _numbers(20)
    weight = np.arange(20) % 4
    settings = {
        "encode": {"numbers": "raw"},
        "engine": {"optimizer": "sgd", "schedule": "constant", "batch_size": 100},
    }
    network = DeepClassifier("linear", epochs=50, learning_rate=0.5, settings=settings)
    network.set_params(validation_fraction=0, random_state=0)
    weighted = clone(network).fit(X, y > 0, sample_weight=weight)
    repeated = clone(network).fit(X.repeat(weight, axis=0), (y > 0).repeat(weight))
    plain = clone(network).fit(X, y > 0)
    np.testing.assert_allclose(
        weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-3, atol=1e-5
    )
    assert np.abs(weighted.predict_proba(X) - plain.predict_proba(X)).max() > 0.01


def test_rows_of_weight_zero_are_as_if_not_there():
    X, y = _numbers(30)
    weight = np.r_[np.ones(20), np.zeros(10)]
    one = _quick().fit(X, y, sample_weight=weight)
    two = _quick().fit(X[:20], y[:20], sample_weight=np.ones(20))
    np.testing.assert_array_equal(one.predict(X), two.predict(X))


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(50, -1.0), "Negative values"),
        (np.zeros(50), "All sample_weight are zero"),
        (np.ones(49), "one number for each of the 50 rows"),
        (np.full(50, np.nan), "sample_weight contains NaN"),
    ],
)
def test_wrong_weights_are_explained(weight: np.ndarray, message: str):
    with pytest.raises(ValueError, match=message):
        _quick(epochs=1).fit(*_numbers(), sample_weight=weight)


def test_weights_cannot_be_given_twice():
    frame, price = _houses()
    network = _quick(epochs=1, settings={"data": {"weight": "rooms"}})
    assert "rooms" not in network.fit(frame, price).predictor_.input_names
    with pytest.raises(ConfigError, match="given twice"):
        network.fit(frame, price, sample_weight=np.ones(len(frame)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"validation_fraction": 1.0}, "validation_fraction is a share"),
        ({"random_state": -1}, "random_state is a number"),
        ({"model": 3}, "a name of the catalog or a torch module"),
        ({"settings": 3}, "nested mapping"),
        ({"settings": {"target": "y"}}, "give y to fit"),
        ({"settings": {"split": {"val": 0.1}}}, "use validation_fraction"),
        ({"settings": {"task": {"kind": "binary"}}}, "DeepClassifier or DeepRegressor"),
        ({"settings": {"engine": {"epoch": 3}}}, 'Did you mean "epochs"'),
        ({"epochs": 0}, "greater than or equal to 1"),
    ],
)
def test_wrong_arguments_are_found_by_fit(given: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        _quick(**given).fit(*_numbers())


def test_pipeline_and_searches_over_arguments_and_settings():
    X, y = _numbers()
    pipeline = make_pipeline(StandardScaler(), _quick())
    assert cross_val_score(pipeline, X, y, cv=3).min() > 0.9
    grid = {
        "deepregressor__epochs": [1, 40],
        "deepregressor__settings": [{"engine": {"optimizer": "sgd"}}, None],
    }
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    assert search.best_params_["deepregressor__epochs"] == 40
    assert search.best_score_ > 0.9
    drawn = RandomizedSearchCV(
        _quick(), {"epochs": np.array([2, 3])}, n_iter=2, cv=2, random_state=0
    )
    assert drawn.fit(X, y).best_estimator_.n_iter_ in (2, 3)


def test_behind_a_column_transformer():
    frame, price = _houses()
    columns = make_column_transformer(
        (StandardScaler(), ["rooms"]), (OneHotEncoder(sparse_output=False), ["town", "garden"])
    )
    pipeline = make_pipeline(columns, _quick(epochs=100)).fit(frame.to_pandas(), price.to_numpy())
    assert pipeline.score(frame.to_pandas(), price.to_numpy()) > 0.95


def test_an_own_network_is_copied_for_each_fit():
    X, y = _numbers()
    module = torch.nn.Linear(3, 1)
    before = copy.deepcopy(module.state_dict())
    network = DeepRegressor(module, epochs=40, learning_rate=0.1, random_state=0)
    assert network.fit(X, y).score(X, y) > 0.9
    assert all(torch.equal(module.state_dict()[name], w) for name, w in before.items())
    twin = clone(network)
    assert twin.model is not module
    np.testing.assert_array_equal(twin.fit(X, y).predict(X), network.predict(X))


def test_a_fitted_estimator_can_be_pickled_copied_and_saved(tmp_path: Path):
    frame, price = _houses()
    network = _quick().fit(frame, price)
    expected = network.predict(frame)
    for twin in (pickle.loads(pickle.dumps(network)), copy.deepcopy(network)):
        np.testing.assert_array_equal(twin.predict(frame), expected)
    folder = network.predictor_.save(tmp_path / "model", golden=network.predictor_.read(frame))
    answers = load(folder).predict(frame)["prediction"]
    np.testing.assert_allclose(answers.to_numpy(), expected, rtol=1e-5)


def test_nothing_is_printed_unless_asked_for(capfd: pytest.CaptureFixture[str], tmp_path: Path):
    _quick(epochs=2).fit(*_numbers())
    assert capfd.readouterr() == ("", "")
    _quick(epochs=2, verbose=True).fit(*_numbers())
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "epoch 2/2" in printed.err


def test_ctrl_c_ends_a_search_and_keeps_the_weights(monkeypatch: pytest.MonkeyPatch):
    import dataclasses

    fit_table = base.fit_table

    def interrupted(*given: Any, **options: Any) -> Any:
        learned = fit_table(*given, **options)
        return dataclasses.replace(
            learned, fit=dataclasses.replace(learned.fit, interrupted=True, stopped="Stopped.")
        )

    monkeypatch.setattr(base, "fit_table", interrupted)
    network = _quick()
    X, y = _numbers()
    with pytest.raises(KeyboardInterrupt, match="keeps the best weights"):
        network.fit(X, y)
    assert network.score(X, y) > 0.9


def test_one_row_gets_the_answer_that_it_gets_among_many():
    X, y = _numbers(100)
    network = DeepRegressor("mlp", epochs=3, random_state=0).fit(X, y)
    alone = [network.predict(row[None])[0] for row in X[:10]]
    np.testing.assert_allclose(alone, network.predict(X)[:10], rtol=1e-7)


def test_pictures_and_columns_are_not_mixed_up():
    pictures = np.random.default_rng(0).integers(0, 256, (20, 4, 4), dtype=np.uint8)
    network = _quick(epochs=1).fit(pictures, np.arange(20.0))
    with pytest.raises(DataError, match="fitted on pictures"):
        network.predict(pictures.reshape(20, 16))
    columns = _quick(epochs=1).fit(pictures.reshape(20, 16), np.arange(20.0))
    with pytest.raises(DataError, match="fitted on columns"):
        columns.predict(pictures)
