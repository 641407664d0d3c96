"""Networks of several members: the mean of losses in training, the mean of answers afterwards."""

import pytest
import torch
from torch import Tensor, nn

from deepwell.engine.mixing import MixedBatch, MixingTask
from deepwell.tasks import Binary, Multiclass, Multilabel, Regression, TaskSettings
from deepwell.tasks.base import Task
from deepwell.types import Batch


class Members(nn.Module):
    """Answers as it is told: (rows, members, head_size)."""

    def __init__(self, answers: Tensor) -> None:
        super().__init__()
        self.answers = answers

    def forward(self, _inputs: Tensor) -> Tensor:
        return self.answers.flatten(0, 1)


CASES: list[tuple[Task, Tensor]] = [
    (Regression(targets=("a", "b")), torch.randn(6, 2)),
    (Binary(classes=[0, 1], weights=[1.0, 3.0]), torch.tensor([[0.0], [1.0]] * 3)),
    (Multiclass(classes=[0, 1, 2], weights=[1.0, 2.0, 3.0]), torch.tensor([0, 1, 2, 2, 1, 0])),
    (Multilabel(targets=("a", "b")), torch.tensor([[0.0, 1.0], [1.0, 1.0]] * 3)),
]


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize(("task", "targets"), CASES, ids=[task.name for task, _ in CASES])
def test_the_loss_is_the_mean_of_the_members_losses(
    task: Task, targets: Tensor, is_weighted: bool
) -> None:
    answers = torch.randn(6, 4, task.head_size, requires_grad=True)
    weight = torch.rand(6) if is_weighted else None
    batch = Batch((torch.zeros(6, 1),), targets, weight, torch.arange(6))
    loss, outputs = task.training_step(Members(answers), batch)
    alone = [task.loss(answers[:, member], targets, weight) for member in range(4)]
    torch.testing.assert_close(loss.sum, torch.stack([one.sum for one in alone]).mean())
    torch.testing.assert_close(loss.weight, alone[0].weight)
    torch.testing.assert_close(outputs, answers.mean(dim=1))
    assert task.scores(outputs, targets)[task.score_names[0]].shape == (6,)
    # it is not the loss of the mean
    assert not torch.isclose(loss.sum, task.loss(answers.mean(dim=1), targets, weight).sum)


def test_one_answer_a_row_is_the_usual_loss() -> None:
    task, targets = CASES[2]
    answers = torch.randn(6, 1, 3)
    batch = Batch((torch.zeros(6, 1),), targets, None, torch.arange(6))
    loss, outputs = task.training_step(Members(answers), batch)
    assert torch.equal(outputs, answers[:, 0])
    assert torch.equal(loss.sum, task.loss(answers[:, 0], targets, None).sum)


def test_mixed_rows_count_both_targets_for_each_member() -> None:
    task, targets = CASES[2]
    answers = torch.randn(6, 4, 3)
    batch = MixedBatch(
        (torch.zeros(6, 1),), targets, None, torch.arange(6),
        other_targets=targets.flip(0), other_weight=None, share=0.7,
    )  # fmt: skip
    loss, outputs = MixingTask(task).training_step(Members(answers), batch)
    own = [task.loss(answers[:, member], targets, None).sum for member in range(4)]
    other = [task.loss(answers[:, member], targets.flip(0), None).sum for member in range(4)]
    expected = 0.7 * torch.stack(own).mean() + 0.3 * torch.stack(other).mean()
    torch.testing.assert_close(loss.sum, expected)
    assert outputs.shape == (6, 3)


def test_links_say_what_is_averaged() -> None:
    hinge = TaskSettings(loss="hinge")
    assert [task.link for task, _ in CASES] == ["none", "sigmoid", "softmax", "sigmoid"]
    assert Binary(classes=[0, 1], settings=hinge).link == "none"
    assert Multiclass(classes=[0, 1, 2], settings=hinge).link == "none"
    assert Regression(targets=("a",), settings=TaskSettings(loss="poisson")).link == "exp"
