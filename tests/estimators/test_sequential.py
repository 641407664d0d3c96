import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import deepwell
from deepwell.engine import Callback, Stop, TrainState
from deepwell.errors import ArtifactError, ConfigError, DataError, ModelError
from deepwell.estimators import DeepClassifier, Sequential
from deepwell.nn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
)


def _rows(count: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Six numbers, and which of the first three is the largest."""
    x = np.random.default_rng(0).random((count, 6)).astype(np.float32)
    return x, x[:, :3].argmax(axis=1)


def _pictures(count: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Pictures, channels last, whose upper half is dark if the class is 1."""
    x = np.random.default_rng(0).random((count, 12, 12, 1)).astype(np.float32)
    y = np.arange(count) % 2
    x[y == 1, :6] *= 0.2
    return x, y


def _network(last: str | None = None) -> Sequential:
    return Sequential([Dense(16, activation="relu"), Dense(3, activation=last)])


def test_the_network_of_the_lecture_learns():
    x, y = _pictures()
    network = Sequential([Flatten(), Dense(32, activation="relu"), Dense(2)])
    network.compile(optimizer="rmsprop", loss="sparse_categorical_crossentropy")
    history = network.fit(x[..., 0], y, epochs=10, batch_size=16, verbose=0)
    assert list(history) == ["loss", "accuracy"]
    assert history.history["loss"][-1] < history["loss"][0]
    assert network.evaluate(x[..., 0], y)["accuracy"] > 0.95


def test_softmax_at_the_end_or_not_gives_the_same_network():
    x, y = _rows()
    answers = []
    for last in (None, "softmax"):
        network = _network(last)
        network.compile(loss="sparse_categorical_crossentropy")
        network.fit(x, y, epochs=3, verbose=0)
        answers.append(network.predict(x))
    np.testing.assert_array_equal(*answers)
    np.testing.assert_allclose(answers[0].sum(axis=1), 1, rtol=1e-5)


def test_called_as_a_module_it_returns_logits_and_the_loss_is_safe():
    x, y = _rows(8)
    network = Sequential([Dense(3, activation="softmax")])
    network.fit(x, y, verbose=0)
    with torch.no_grad():
        network.layers[0].weight.mul_(1000)
    logits = network(torch.from_numpy(x))
    loss = functional.cross_entropy(logits, torch.from_numpy(y)).item()
    assert loss > 20  # computed from probabilities it would be infinite, or cut at 16
    assert network.evaluate(x, y)["loss"] == pytest.approx(loss, rel=1e-5)


@pytest.mark.parametrize("last", [nn.Softmax(dim=1), None])
def test_activation_as_a_layer_of_its_own(last: nn.Module | None):
    x, y = _rows()
    network = Sequential([nn.Linear(6, 3), *([last] if last else [])])
    assert len(network.layers) == 1
    network.fit(x, y, verbose=0)
    assert np.allclose(network.predict(x).sum(axis=1), 1)


def test_an_activation_that_is_no_longer_last_goes_back_into_its_layer():
    network = Sequential([Dense(4, activation="sigmoid")])
    assert isinstance(network.output_activation, nn.Sigmoid)
    network.add(Dense(3, activation="softmax"))
    assert isinstance(network.output_activation, nn.Softmax)
    assert [type(layer) for layer in network.layers] == [Dense, Dense]
    hidden = network.layers[0](torch.randn(5, 6))
    assert hidden.min() > 0
    assert hidden.max() < 1
    whole = Sequential([network, Dense(2)])
    assert [type(layer) for layer in whole.layers] == [Dense, Dense, Dense]
    assert torch.allclose(whole.layers[1](hidden).sum(dim=1), torch.ones(5))


@pytest.mark.parametrize(
    ("last", "units", "answers", "expected"),
    [
        (None, 3, "classes", "sparse_categorical_crossentropy"),
        ("softmax", 3, "classes", "sparse_categorical_crossentropy"),
        (None, 3, "one-hot", "categorical_crossentropy"),
        ("softmax", 3, "one-hot", "categorical_crossentropy"),
        ("sigmoid", 1, "yes or no", "binary_crossentropy"),
        (None, 1, "yes or no", "binary_crossentropy"),
        ("sigmoid", 2, "labels", "binary_crossentropy"),
        (None, 1, "numbers", "mse"),
        (None, 2, "pairs", "mse"),
    ],
)
def test_the_loss_is_chosen_by_y(last: str | None, units: int, answers: str, expected: str):
    x, classes = _rows()
    y = {
        "classes": classes,
        "one-hot": np.eye(3)[classes],
        "yes or no": classes == 1,
        "labels": np.stack([classes == 1, classes > 0], axis=1).astype(int),
        "numbers": x.sum(axis=1),
        "pairs": x[:, :2],
    }[answers]
    plain = Sequential([Dense(8, activation="relu"), Dense(units, activation=last)])
    history = plain.fit(x, y, epochs=2, verbose=0)
    chosen = Sequential([Dense(8, activation="relu"), Dense(units, activation=last)])
    chosen.compile(loss=expected)
    assert history == chosen.fit(x, y, epochs=2, verbose=0)
    np.testing.assert_array_equal(plain.predict(x), chosen.predict(x))
    assert ("accuracy" in history) == (expected != "mse")


def test_every_loss_learns():
    x, classes = _rows()
    for loss, y, units in (
        ("categorical_crossentropy", np.eye(3)[classes], 3),
        ("binary_crossentropy", (classes == 1).astype(float), 1),
        ("mse", x.sum(axis=1), 1),
        ("mae", x.sum(axis=1), 1),
    ):
        network = Sequential([Dense(16, activation="relu"), Dense(units)])
        network.compile("adam", loss, learning_rate=0.01)
        losses = network.fit(x, y, epochs=15, verbose=0)["loss"]
        assert losses[-1] < 0.8 * losses[0], loss


def test_sigmoid_with_mse_compares_the_answers_themselves():
    x, _ = _rows()
    network = Sequential([Dense(1, activation="sigmoid")])
    network.compile(loss="mse", metrics=["mae"])
    network.fit(x, np.full(len(x), 0.5), verbose=0)
    answers = network.predict(x)
    assert answers.min() > 0
    assert answers.max() < 1
    scores = network.evaluate(x, np.full(len(x), 0.5))
    assert scores["loss"] == pytest.approx(np.square(answers - 0.5).mean(), rel=1e-5)
    assert scores["mae"] == pytest.approx(np.abs(answers - 0.5).mean(), rel=1e-5)


def _convolutional(**given: Any) -> Sequential:
    return Sequential(
        [
            Conv2D(4, 3, padding="same", activation="relu"),
            BatchNormalization(),
            MaxPooling2D(2),
            Dropout(0.1),
            GlobalAveragePooling2D(),
            Dense(2, activation="softmax"),
        ],
        **given,
    )


def test_pictures_come_channels_last_unless_said_otherwise():
    x, y = _pictures()
    histories = [
        _convolutional().fit(x, y, epochs=2, verbose=0),
        _convolutional().fit(x[..., 0], y, epochs=2, verbose=0),
        _convolutional(data_format="channels_first").fit(
            np.moveaxis(x, -1, 1), y, epochs=2, verbose=0
        ),
        _convolutional().fit(torch.from_numpy(x), torch.from_numpy(y), epochs=2, verbose=0),
    ]
    assert all(history == histories[0] for history in histories)
    with pytest.raises(DataError, match='data_format="channels_first"'):
        _convolutional().fit(np.moveaxis(x, -1, 1), y, verbose=0)


def test_pictures_as_answers_come_back_in_the_same_layout():
    x, _ = _pictures(8)
    network = Sequential([Conv2D(1, 3, padding="same", activation="sigmoid")])
    network.compile(loss="mse")
    network.fit(x, x, verbose=0)
    assert network.predict(x).shape == x.shape


def test_validation_rows_are_the_last_ones_or_those_given():
    x, y = _rows()
    parts = _network().fit(x, y, epochs=2, validation_split=0.25, verbose=0)
    given = _network().fit(x[:90], y[:90], epochs=2, validation_data=(x[90:], y[90:]), verbose=0)
    assert parts == given
    assert list(parts) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert len(parts["val_loss"]) == 2


def test_fit_goes_on_from_the_weights_and_the_seed_decides_them():
    x, y = _rows()
    one, two = _network(), _network()
    first = one.fit(x, y, epochs=2, verbose=0)
    assert first == two.fit(x, y, epochs=2, verbose=0)
    assert one.fit(x, y, epochs=1, verbose=0)["loss"][0] < first["loss"][0]
    other = Sequential([Dense(16, activation="relu"), Dense(3)], seed=1)
    assert other.fit(x, y, epochs=2, verbose=0) != first


def test_callbacks_of_the_engine_can_stop():
    class Once(Callback):
        def on_epoch_ended(self, state: TrainState) -> Stop:
            return Stop("Enough.")

    x, y = _rows()
    assert len(_network().fit(x, y, epochs=9, callbacks=[Once()], verbose=0)["loss"]) == 1


def test_verbose_shows_the_progress_on_stderr(capfd: pytest.CaptureFixture[str]):
    x, y = _rows()
    _network().fit(x, y, verbose=0)
    assert capfd.readouterr() == ("", "")
    _network().fit(x, y)
    assert "epoch 1/1" in capfd.readouterr().err


def test_summary_before_and_after_fitting(capsys: pytest.CaptureFixture[str]):
    network = _convolutional()
    with pytest.raises(ModelError, match="input_shape"):
        network.summary()
    network.summary(input_shape=(12, 12, 1))
    before = capsys.readouterr().out
    assert "Conv2D                    (batch, 4, 12, 12)          40" in before
    assert before.endswith("58 parameters, all of them trainable\n")
    network.fit(*_pictures(), verbose=0)
    network.summary()
    assert capsys.readouterr().out == before


def test_predict_needs_no_compile_and_no_fit():
    x, _ = _rows(5)
    assert _network("softmax").predict(x).sum(axis=1) == pytest.approx(np.ones(5))
    assert Sequential([nn.Embedding(10, 4), Flatten(), Dense(2)]).predict(
        [[1, 2], [3, 9]]
    ).shape == (
        2,
        2,
    )
    assert Sequential([Dense(2)]).predict([1.0, 2.0, 3.0]).shape == (3, 2)


def test_weights_can_be_saved_and_loaded_into_the_same_layers(tmp_path: Path):
    x, y = _pictures()
    network = _convolutional()
    with pytest.raises(ModelError, match="no weights yet"):
        network.save_weights(tmp_path / "w.safetensors")
    network.fit(x, y, verbose=0)
    path = network.save_weights(tmp_path / "w.safetensors")
    twin = _convolutional()
    twin.load_weights(path)
    np.testing.assert_array_equal(twin.predict(x), network.predict(x))
    with pytest.raises(ArtifactError, match="do not fit"):
        _network().load_weights(path)
    with pytest.raises(ArtifactError, match="no file"):
        twin.load_weights(tmp_path / "other.safetensors")
    path.write_bytes(b"nonsense")
    with pytest.raises(ArtifactError, match="not a sound safetensors file"):
        twin.load_weights(path)


def test_copies_and_pickles_answer_alike():
    x, y = _rows()
    network = _network("softmax")
    network.fit(x, y, verbose=0)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        np.testing.assert_array_equal(twin.predict(x), network.predict(x))


def test_it_can_be_given_to_train_and_to_an_estimator(tmp_path: Path):
    x, y = _pictures(80)
    pictures = (255 * x[..., 0]).astype(np.uint8)
    network = Sequential([Flatten(), Dense(16, activation="relu"), Dense(1, activation="sigmoid")])
    result = deepwell.train(
        (pictures, y),
        model=copy.deepcopy(network),
        runs=tmp_path,
        settings={"engine": {"epochs": 10}, "evaluation": {"baselines": "none"}},
    )
    assert result.metrics["accuracy"]["value"] > 0.9
    assert (
        DeepClassifier(network, epochs=10, random_state=0).fit(pictures, y).score(pictures, y) > 0.9
    )


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([Dense], r"write Dense\(…\)"),
        (["relu"], "A layer is one of"),
        (Dense(3), "takes a list of layers"),
    ],
)
def test_what_is_no_layer_is_refused(layers: Any, message: str):
    with pytest.raises(ModelError, match=message):
        Sequential(layers)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"loss": "mes"}, 'Did you mean "mse"'),
        ({"optimizer": "rmspop"}, 'Did you mean "rmsprop"'),
        ({"loss": "binary_crossentropy"}, "goes with sigmoid or no activation"),
        ({"loss": "categorical_crossentropy", "metrics": ["mae"]}, "does not go with the loss"),
        ({"learning_rate": 0}, "greater than 0"),
    ],
)
def test_wrong_choices_are_found_by_compile(given: dict[str, Any], message: str):
    with pytest.raises(ConfigError, match=message):
        _network("softmax").compile(**given)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.zeros((5, 6)), np.zeros(4, int), "x has 5 rows and y has 4"),
        (np.zeros((0, 6)), np.zeros(0, int), "x is empty"),
        (np.full((5, 6), np.nan), np.zeros(5, int), "missing or infinite, first in row 0"),
        (np.full((5, 6), "a"), np.zeros(5, int), "x must hold numbers"),
        ([[1.0], [1.0, 2.0]], [0, 1], "x cannot be read as an array"),
        (3.0, [0], "x must be an array"),
        (np.zeros((5, 6)), np.arange(5), "y holds the class 4, but the last layer has 3 outputs"),
        (np.zeros((5, 6)), np.arange(5) - 1, "y holds the class -1"),
        (np.zeros((5, 6)), np.arange(5) / 2, "whole numbers, the classes 0, 1, 2"),
        (np.zeros((5, 6)), list("abcde"), "DeepClassifier"),
    ],
)
def test_wrong_data_are_explained(x: Any, y: Any, message: str):
    with pytest.raises(DataError, match=message):
        _network().fit(x, y, verbose=0)


def test_wrong_settings_of_fit_are_explained():
    x, y = _rows()
    for given, message in (
        ({"epochs": 0}, "epochs"),
        ({"batch_size": 0}, "batch_size|A batch"),
        ({"validation_split": 1.5}, "from 0 to below 1"),
        ({"validation_split": 0.001}, "leaves"),
        ({"validation_split": 0.5, "validation_data": (x, y)}, "not both"),
        ({"validation_data": 3}, r"a pair \(x, y\)"),
    ):
        if given == {"validation_split": 0.001}:
            x, y = x[:1], y[:1]
        with pytest.raises((ConfigError, DataError), match=message):
            _network().fit(x, y, verbose=0, **given)


def test_layers_that_cannot_read_x_are_explained():
    x, y = _rows()
    network = _network()
    network.fit(x, y, verbose=0)
    with pytest.raises(ModelError, match=r"cannot read x, with rows of shape \(5,\)"):
        network.predict(x[:, :5])
    with pytest.raises(ModelError, match="has no layers"):
        Sequential().fit(x, y, verbose=0)
    with pytest.raises(ModelError, match="must return"):
        Sequential([Dense(3), nn.Flatten(0)]).predict(x)
    with pytest.raises(ConfigError, match="data_format"):
        Sequential(data_format="last")  # type: ignore[arg-type]
