import numpy as np
import pytest
import torch
from torch.nn import functional

from deepwell.errors import ConfigError, DataError
from deepwell.estimators.objectives import OBJECTIVES, choose_metrics, infer_objective


def test_losses_are_those_of_torch():
    torch.manual_seed(0)
    logits, classes = torch.randn(7, 4), torch.arange(7) % 4
    one_hot = functional.one_hot(classes, 4).float()
    expected = functional.cross_entropy(logits, classes, reduction="none")
    for name, targets in (
        ("sparse_categorical_crossentropy", classes),
        ("categorical_crossentropy", one_hot),
    ):
        torch.testing.assert_close(OBJECTIVES[name].row_loss(logits, targets), expected)
    picture = torch.rand(7, 1, 2, 2)
    torch.testing.assert_close(
        OBJECTIVES["binary_crossentropy"].row_loss(logits.reshape(7, 1, 2, 2), picture).mean(),
        functional.binary_cross_entropy_with_logits(logits.flatten(), picture.flatten()),
    )
    for name, loss in (("mse", functional.mse_loss), ("mae", functional.l1_loss)):
        torch.testing.assert_close(
            OBJECTIVES[name].row_loss(logits, one_hot).mean(), loss(logits, one_hot)
        )


def test_accuracy_counts_what_is_right():
    logits = torch.tensor([[2.0, -1.0], [-1.0, 3.0], [1.0, 0.0], [0.0, 1.0]])
    classes = torch.tensor([0, 1, 1, 0])
    for name, targets, expected in (
        ("sparse_categorical_crossentropy", classes, 0.5),
        ("categorical_crossentropy", functional.one_hot(classes, 2).float(), 0.5),
        ("binary_crossentropy", torch.ones(4, 2), 0.5),
    ):
        hits = OBJECTIVES[name].metrics["accuracy"](logits, targets)
        assert hits.shape == (4,)
        assert hits.mean() == expected


@pytest.mark.parametrize(
    ("loss", "y", "outputs", "message"),
    [
        ("sparse_categorical_crossentropy", np.zeros(3, int), (1,), "use binary_crossentropy"),
        ("sparse_categorical_crossentropy", np.zeros(3, int), (4, 5), "Flatten"),
        ("sparse_categorical_crossentropy", np.zeros((3, 2), int), (4,), "one class number a row"),
        ("categorical_crossentropy", np.zeros(3), (4,), "use sparse_categorical_crossentropy"),
        ("categorical_crossentropy", np.zeros((3, 4)), (4,), "sum is 1"),
        ("categorical_crossentropy", np.ones((3, 2)) / 2, (4,), r"of shape \(3, 4\)"),
        ("binary_crossentropy", np.full(3, 2.0), (1,), "numbers from 0 to 1"),
        ("mse", np.full(3, np.inf), (1,), "missing or infinite"),
        ("mse", np.array(list("abc")), (1,), "must hold numbers"),
        ("mae", np.zeros((3, 2)), (1,), r"of shape \(3, 1\). Got: \(3, 2\)"),
    ],
)
def test_answers_that_do_not_fit_the_loss(
    loss: str, y: np.ndarray, outputs: tuple[int, ...], message: str
):
    with pytest.raises(DataError, match=message):
        OBJECTIVES[loss].encode(y, outputs)


def test_class_numbers_may_stand_in_a_column_and_be_of_any_type():
    encode = OBJECTIVES["sparse_categorical_crossentropy"].encode
    for y in (np.array([[0], [2]]), np.array([0.0, 2.0]), np.array([0, 2], np.uint8)):
        found = encode(y, (3,))
        assert found.dtype == np.int64
        assert found.tolist() == [0, 2]


def test_metrics():
    numbers, classes = OBJECTIVES["mse"], OBJECTIVES["binary_crossentropy"]
    assert choose_metrics(numbers, None) == ()
    assert choose_metrics(classes, None) == ("accuracy",)
    assert choose_metrics(classes, []) == ()
    assert choose_metrics(numbers, "mae") == ("mae",)
    assert choose_metrics(numbers, ["mae", "mse", "mae"]) == ("mae", "mse")
    with pytest.raises(ConfigError, match='Did you mean "accuracy"'):
        choose_metrics(classes, ["acuracy"])


def test_zeros_and_ones_as_numbers_are_numbers_unless_they_mark_one_class():
    y = np.array([[1.0, 1.0], [0.0, 1.0]])
    assert infer_objective(y, (2,), "") == "mse"
    assert infer_objective(y.astype(int), (2,), "") == "binary_crossentropy"
    assert infer_objective(np.eye(2), (2,), "") == "categorical_crossentropy"
