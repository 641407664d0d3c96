import json

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn import functional

from deepwell.data import Table
from deepwell.errors import TaskError
from deepwell.tasks import Binary, Multiclass, Multilabel, TaskSettings, from_json
from deepwell.tasks.classification import class_texts, classes_of
from deepwell.tasks.losses import binary_perceptron, multiclass_perceptron

ANIMALS = Table({"y": pl.Series(["cow", "cat", "dog", "cat"])})


def test_classes_are_sorted_and_keep_their_type() -> None:
    assert classes_of(pl.Series([3, 1, 2, None])) == [1, 2, 3]
    assert classes_of(pl.Series([10, 9])) == [9, 10]
    assert classes_of(pl.Series([True, False])) == [False, True]
    assert classes_of(pl.Series(["b", "a"])) == ["a", "b"]
    assert classes_of(pl.Series([1.0, 0.0])) == [0, 1]
    assert classes_of(pl.Series(["no", "yes"]), positive="no") == ["yes", "no"]


def test_positive_must_be_a_class() -> None:
    with pytest.raises(TaskError, match='positive = "maybe" must name one of two classes'):
        classes_of(pl.Series(["no", "yes"]), positive="maybe")


def test_the_same_class_from_different_files_is_one_class() -> None:
    whole, floating, text = pl.Series([1, 2]), pl.Series([1.0, 2.0]), pl.Series(["1", " 2 "])
    assert class_texts(whole).to_list() == class_texts(floating).to_list()
    assert class_texts(whole).to_list() == class_texts(text).to_list()


def test_a_class_that_training_never_saw_is_named_with_its_row() -> None:
    task = Multiclass(targets=("y",), classes=["cat", "cow"])
    with pytest.raises(TaskError, match=r'class "dog", which training never saw \(data row 3\)'):
        task.truth(ANIMALS)


def test_a_missing_class_is_refused() -> None:
    task = Binary(targets=("y",), classes=["a", "b"])
    with pytest.raises(TaskError, match="has no value in data row 2"):
        task.truth(Table({"y": pl.Series(["a", None])}))


def test_multiclass_loss_equals_torch() -> None:
    outputs, targets = torch.randn(6, 3), torch.tensor([0, 1, 2, 2, 1, 0])
    loss = Multiclass(classes=[0, 1, 2]).loss(outputs, targets, None)
    assert (loss.sum / loss.weight).item() == pytest.approx(
        functional.cross_entropy(outputs, targets).item()
    )


def test_binary_loss_equals_the_two_class_softmax() -> None:
    logit = torch.randn(5, 1)
    targets = torch.tensor([0.0, 1.0, 1.0, 0.0, 1.0])[:, None]
    loss = Binary(classes=[0, 1]).loss(logit, targets, None)
    both = torch.cat([torch.zeros(5, 1), logit], dim=1)
    expected = functional.cross_entropy(both, targets[:, 0].long(), reduction="sum")
    assert loss.sum.item() == pytest.approx(expected.item(), rel=1e-5)


def test_balanced_weights_give_every_class_the_same_total() -> None:
    task = Multiclass.fit(ANIMALS, ("y",), TaskSettings(class_weight="balanced"), "")
    targets = torch.from_numpy(task.encode(ANIMALS))
    weight = task.row_weight(targets, None)
    assert weight is not None
    totals = [weight[targets == index].sum().item() for index in range(3)]
    assert totals == pytest.approx([4 / 3] * 3)
    doubled = task.row_weight(targets, torch.full((4,), 2.0))
    torch.testing.assert_close(doubled, 2 * weight)


def test_decode_gives_probabilities_that_sum_to_one_and_never_overflow() -> None:
    outputs = np.array([[1000.0, -1000.0, 0.0], [0.0, 0.0, 1.0]], dtype=np.float32)
    answers = Multiclass(classes=["a", "b", "c"]).decode(outputs)
    assert answers.values.tolist() == [0, 2]
    assert answers.probabilities is not None
    np.testing.assert_allclose(answers.probabilities.sum(axis=1), 1.0)
    binary = Binary(classes=["a", "b"]).decode(np.array([[-1000.0], [1000.0]], np.float32))
    assert binary.probabilities is not None
    assert binary.probabilities.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_columns_hold_the_values_of_the_data() -> None:
    task = Multiclass.fit(ANIMALS, ("y",), TaskSettings(), "")
    columns = task.columns(task.decode(np.eye(3, dtype=np.float32)))
    assert columns["prediction"].to_list() == ["cat", "cow", "dog"]
    names = ["prediction", "probability_cat", "probability_cow", "probability_dog"]
    assert list(columns) == names
    numbers = Binary(classes=[4, 7]).columns(Binary(classes=[4, 7]).decode(np.ones((1, 1), "f4")))
    assert numbers["prediction"].to_list() == [7]


def test_perceptron_loss_is_rosenblatts_rule() -> None:
    """Gradient of the loss = −t·x for a mistake, 0 for a row that is right."""
    inputs = torch.tensor([[1.0, 2.0], [3.0, -1.0], [-1.0, 1.0]])
    weights = torch.tensor([[0.5, 0.25]], requires_grad=True)
    targets = torch.tensor([[1.0], [0.0], [1.0]])
    binary_perceptron(inputs @ weights.T, targets).sum().backward()
    # row 1 is right; rows 2 and 3 are wrong: − t x = x₂ − x₃
    torch.testing.assert_close(weights.grad, (inputs[1] - inputs[2])[None])


def test_multiclass_perceptron_moves_right_and_best_wrong_class() -> None:
    outputs = torch.tensor([[1.0, 3.0, 2.0], [5.0, 0.0, 0.0]], requires_grad=True)
    losses = multiclass_perceptron(outputs, torch.tensor([0, 0]))
    assert losses.tolist() == [2.0, 0.0]
    losses.sum().backward()
    assert outputs.grad is not None
    assert outputs.grad.tolist() == [[-1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]


def test_multilabel_answers_each_question_alone() -> None:
    table = Table({"hot": pl.Series(["no", "yes"]), "wet": pl.Series([0, 1])})
    task = Multilabel.fit(table, ("hot", "wet"), TaskSettings(), "")
    assert task.encode(table).tolist() == [[0, 0], [1, 1]]
    columns = task.columns(task.decode(np.array([[1.0, -1.0]], np.float32)))
    assert columns["prediction_hot"].to_list() == ["yes"]
    assert columns["prediction_wet"].to_list() == [0]
    assert columns["probability_hot"][0] == pytest.approx(1 / (1 + np.exp(-1)))
    scores = task.scores(torch.tensor([[1.0, -1.0]]), torch.tensor([[1.0, 1.0]]))
    assert scores["accuracy"].tolist() == [0.5]


def test_multilabel_needs_two_values_in_each_target() -> None:
    table = Table({"hot": pl.Series(["no", "yes"]), "wet": pl.Series([1, 1])})
    with pytest.raises(TaskError, match='"wet" must have two values'):
        Multilabel.fit(table, ("hot", "wet"), TaskSettings(), "")


@pytest.mark.parametrize(
    "task",
    [
        Binary(classes=[False, True], weights=[1.0, 2.0]),
        Multiclass(classes=["a", "b", "c"], settings=TaskSettings(label_smoothing=0.1)),
        Multilabel(targets=("p", "q"), classes=[("no", "yes"), (0, 1)]),
    ],
)
def test_json_round_trip(task: Binary | Multiclass | Multilabel) -> None:
    again = from_json(json.loads(json.dumps(task.to_json(), allow_nan=False)))
    assert type(again) is type(task)
    assert again.to_json() == task.to_json()
    assert again.head_size == task.head_size


def test_halves_add_up_to_the_whole() -> None:
    """(sum, weight) of two halves = of the whole: accumulation is exact."""
    task = Multiclass(classes=[0, 1, 2], weights=[1.0, 2.0, 0.5])
    outputs, targets = torch.randn(10, 3), torch.randint(3, (10,))
    weight = torch.rand(10)
    whole = task.loss(outputs, targets, weight)
    parts = [task.loss(outputs[s], targets[s], weight[s]) for s in (slice(0, 3), slice(3, 10))]
    torch.testing.assert_close(parts[0].sum + parts[1].sum, whole.sum)
    torch.testing.assert_close(parts[0].weight + parts[1].weight, whole.weight)
