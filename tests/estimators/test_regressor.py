import numpy as np
import polars as pl
import pytest

from deepwell.errors import TaskError
from deepwell.estimators import DeepRegressor


def _plane(rows: int = 60) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(rows, 2))
    return X, 1000 + 30 * X[:, 0] - 20 * X[:, 1]


def _quick() -> DeepRegressor:
    return DeepRegressor("linear", epochs=100, learning_rate=0.1, random_state=0)


def test_numbers_in_the_units_of_the_data():
    X, y = _plane()
    network = _quick().fit(X, y)
    assert network.score(X, y) > 0.99
    assert network.predict(X).shape == (60,)
    assert network.predictor_.predict(X)["prediction"].to_list() == network.predict(X).tolist()


def test_several_numbers_a_row_with_names():
    X, y = _plane()
    both = pl.DataFrame({"price": y, "rent": -y / 100})
    network = _quick().fit(X, both)
    assert network.predict(X).shape == (60, 2)
    assert network.score(X, both) > 0.99
    assert network.predictor_.task.targets == ("price", "rent")


def test_a_column_of_y_is_one_answer_with_a_warning():
    X, y = _plane()
    with pytest.warns(UserWarning, match="column-vector"):
        network = _quick().fit(X, y[:, None])
    assert network.predict(X).shape == (60,)


def test_text_is_no_number():
    with pytest.raises(TaskError, match="must hold numbers"):
        _quick().fit(_plane(4)[0], list("abcd"))


def test_the_logarithm_of_the_target_can_be_learned():
    X, y = _plane()
    network = DeepRegressor(
        "linear",
        epochs=100,
        learning_rate=0.1,
        random_state=0,
        settings={"task": {"target_transform": "log"}},
    ).fit(X, np.exp(y / 100))
    assert (network.predict(X) > 0).all()
    assert np.corrcoef(np.log(network.predict(X)), y)[0, 1] > 0.99
