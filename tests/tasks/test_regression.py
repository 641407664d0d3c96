import json

import numpy as np
import polars as pl
import pytest
import torch

from deepwell.data import Table
from deepwell.errors import TaskError
from deepwell.tasks import Multilabel, Regression, TaskSettings, from_json

TABLE = Table({"a": pl.Series([10.0, 20.0, 60.0]), "b": pl.Series([1, 2, 3])})


def fitted(targets: tuple[str, ...] = ("a",), **settings: object) -> Regression:
    return Regression.fit(TABLE, targets, TaskSettings(**settings), "because")


def test_decode_inverts_encode() -> None:
    for targets in (("a",), ("a", "b")):
        task = fitted(targets)
        np.testing.assert_allclose(
            task.decode(task.encode(TABLE)).values, task.truth(TABLE), rtol=1e-6
        )


def test_log_targets_come_back_in_units_of_the_data() -> None:
    task = fitted(target_transform="log")
    encoded = task.encode(TABLE)
    assert encoded.mean() == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(task.decode(encoded).values, task.truth(TABLE), rtol=1e-5)
    scores = task.scores(torch.from_numpy(encoded), torch.from_numpy(encoded))
    assert scores["mae"].abs().max() < 1e-3


def test_log_refuses_targets_that_are_not_positive() -> None:
    table = Table({"a": pl.Series([0.0, 1.0])})
    with pytest.raises(TaskError, match=r"greater than 0. Got: 0 in a"):
        Regression.fit(table, ("a",), TaskSettings(target_transform="log"), "")


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_loss_is_a_weighted_sum_of_the_formula(loss: str) -> None:
    task = fitted(("a", "b"), loss=loss)
    outputs = torch.tensor([[0.5, 3.0], [-2.0, 0.25]], dtype=torch.float32)
    targets = torch.zeros(2, 2)
    weight = torch.tensor([1.0, 3.0])
    distance = outputs.abs()
    by_hand = {
        "mse": distance**2,
        "mae": distance,
        "huber": torch.where(distance < 1, 0.5 * distance**2, distance - 0.5),
    }[loss].mean(dim=1)
    plain, weighted = task.loss(outputs, targets, None), task.loss(outputs, targets, weight)
    assert plain.sum.item() == pytest.approx(by_hand.sum().item())
    assert plain.weight.item() == 2
    assert weighted.sum.item() == pytest.approx((by_hand * weight).sum().item())
    assert weighted.weight.item() == 4


def test_score_is_the_mean_absolute_error_in_units_of_the_data() -> None:
    task = fitted()
    outputs = torch.from_numpy(task.encode(TABLE)) + 1.0 / torch.tensor(task.std).float()
    scores = task.scores(outputs, torch.from_numpy(task.encode(TABLE)))
    np.testing.assert_allclose(scores["mae"].numpy(), [1.0, 1.0, 1.0], rtol=1e-4)


def test_a_missing_target_is_named_with_its_row() -> None:
    table = Table({"a": pl.Series([1.0, None])})
    with pytest.raises(TaskError, match=r'"a" must be a number in each row. Got: None in data row'):
        fitted().truth(table)


def test_a_loss_for_classes_is_refused() -> None:
    with pytest.raises(TaskError, match=r"use mse, mae, huber, .* or gaussian_nll"):
        Regression(targets=("a",), settings=TaskSettings(loss="perceptron"))


@pytest.mark.parametrize("kind", [Regression, Multilabel])
def test_weights_of_classes_are_refused_where_there_are_none(kind: type) -> None:
    table = Table({"a": pl.Series([0.0, 1.0, 1.0])})
    with pytest.raises(TaskError, match=r"class_weight is for .*--weight"):
        kind.fit(table, ("a",), TaskSettings(class_weight="balanced"), "")


def test_json_round_trip_keeps_every_answer() -> None:
    task = fitted(("a", "b"), target_transform="log", loss="huber")
    again = from_json(json.loads(json.dumps(task.to_json(), allow_nan=False)))
    outputs = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    np.testing.assert_array_equal(again.decode(outputs).values, task.decode(outputs).values)
    assert again.to_json() == task.to_json()


def test_answers_are_named_after_the_targets_when_there_are_several() -> None:
    one, two = fitted(), fitted(("a", "b"))
    assert list(one.columns(one.decode(np.zeros((2, 1), np.float32)))) == ["prediction"]
    names = ["prediction_a", "prediction_b"]
    assert list(two.columns(two.decode(np.zeros((2, 2), np.float32)))) == names
