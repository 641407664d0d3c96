from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.exceptions import NotFittedError

from deepwell.errors import ConfigError, ImageError, ModelError, TaskError
from deepwell.estimators import DeepClassifier


def _points(rows: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """Points in the plane, and whether they lie right of the origin."""
    X = np.random.default_rng(0).normal(size=(rows, 2))
    return X, X[:, 0] > 0


def _quick(**given: Any) -> DeepClassifier:
    options = {"model": "linear", "epochs": 30, "learning_rate": 0.1, "random_state": 0}
    return DeepClassifier(**(options | given))


@pytest.mark.parametrize(
    "names",
    [
        np.array(["left", "right"]),
        np.array(["left", "right"], dtype=object),
        np.array([0, 1]),
        np.array([-1.0, 1.0]),
        np.array([False, True]),
        np.array([" a", "a"]),
        np.array(["1", "01"]),
        np.array(["no", "yes"]),
    ],
    ids=str,
)
def test_labels_of_any_type_come_back_as_they_are(names: np.ndarray):
    X, is_right = _points()
    y = names[is_right.astype(int)]
    network = _quick().fit(X, y)
    assert network.classes_.tolist() == sorted(names.tolist())
    assert network.classes_.dtype == y.dtype
    assert (network.predict(X) == y).mean() > 0.9
    chosen = network.classes_[network.predict_proba(X).argmax(axis=1)]
    assert (chosen == network.predict(X)).all()


def test_probabilities_stand_in_the_order_of_the_classes_whatever_is_positive():
    X, is_right = _points()
    y = np.where(is_right, "a", "b")
    plain = _quick().fit(X, y)
    turned = _quick(settings={"task": {"positive": "a"}}).fit(X, y)
    assert turned.predictor_.task.labels == ("b", "a")
    assert turned.classes_.tolist() == ["a", "b"]
    assert turned.score(X, y) > 0.9
    assert np.abs(plain.predict_proba(X) - turned.predict_proba(X)).max() < 0.2


def test_the_predictor_answers_with_the_labels_themselves():
    X, is_right = _points()
    network = _quick().fit(X, np.where(is_right, "right", "left"))
    answers = network.predictor_.predict(X)
    assert answers["prediction"].to_list() == network.predict(X).tolist()
    assert answers["probability_left"].to_list() == network.predict_proba(X)[:, 0].tolist()


def test_more_than_two_classes_and_names_from_y():
    X, _ = _points(120)
    y = pd.Series(np.select([X[:, 0] > 0.5, X[:, 0] < -0.5], ["east", "west"], "here"), name="side")
    network = _quick(epochs=60).fit(X, y)
    assert network.classes_.tolist() == ["east", "here", "west"]
    assert network.predictor_.task.targets == ("side",)
    assert network.score(X, y) > 0.85
    assert np.allclose(network.predict_proba(X).sum(axis=1), 1)


def test_several_labels_even_if_one_is_the_same_in_all_rows():
    X, is_right = _points()
    y = np.stack([is_right, X[:, 1] > 0, np.zeros(len(X))], axis=1).astype(int)
    network = _quick().fit(X, y)
    assert network.classes_.tolist() == [0, 1, 2]
    assert network.predict(X).shape == network.predict_proba(X).shape == y.shape
    assert (network.predict(X) == y).mean() > 0.9


@pytest.mark.parametrize("shape", ["n h w", "n h w k", "n k h w"])
def test_pictures_of_any_layout(shape: str):
    rng = np.random.default_rng(0)
    pictures = rng.integers(0, 256, (60, 10, 10), dtype=np.uint8)
    y = np.arange(60) % 2
    pictures[y == 1, :5] //= 4
    if shape != "n h w":
        axis = 3 if shape == "n h w k" else 1
        pictures = np.repeat(np.expand_dims(pictures, axis), 3, axis)
    network = _quick(epochs=20).fit(pictures, y)
    assert network.score(pictures, y) > 0.9
    assert network.n_features_in_ == pictures[0].size
    with pytest.raises(ValueError, match="features"):
        network.predict(pictures[:, :5, :5])


def test_auto_takes_a_convolutional_network_for_pictures():
    pictures = np.random.default_rng(0).integers(0, 256, (20, 12, 12), dtype=np.uint8)
    network = DeepClassifier(epochs=1, random_state=0).fit(pictures, np.arange(20) % 2)
    assert network.predictor_.architecture["name"] == "cnn"


def test_wrong_answers_are_explained():
    X, _ = _points(12)
    with pytest.raises(TaskError, match=r"one class only \(7\)"):
        _quick().fit(X, np.full(12, 7))
    with pytest.raises(TaskError, match=r"must be of one type\. Got: int, str"):
        _quick().fit(X, np.array(["a", 1] * 6, dtype=object))
    with pytest.raises(TaskError, match="Train a classifier for each column"):
        _quick().fit(X, np.arange(24).reshape(12, 2))
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        _quick().fit(X, [0, 1])


def test_wrong_inputs_are_explained():
    with pytest.raises(ImageError, match="Pictures must be bytes"):
        _quick().fit(np.zeros((12, 8, 8)), [0, 1] * 6)
    with pytest.raises(ModelError, match='Did you mean "mlp"'):
        DeepClassifier("mpl").fit(*_points())
    with pytest.raises(ConfigError, match="use validation_fraction"):
        _quick(settings={"split": {"val": 0.5}}).fit(*_points())
    with pytest.raises(NotFittedError):
        _quick().predict(np.zeros((3, 2)))


def test_a_group_stays_on_one_side():
    X, is_right = _points(60)
    frame = pl.DataFrame(X, schema=["x", "y"]).with_columns(who=pl.Series(np.arange(60) // 10))
    network = _quick(settings={"data": {"group": "who"}}).fit(frame, is_right)
    assert network.predictor_.input_names == ["x", "y"]
    assert network.history_[0]["val"]
