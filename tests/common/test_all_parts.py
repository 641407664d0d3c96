"""What every optimizer, schedule, loss and activation must do: let a small network learn."""

import pytest
import torch
from torch import nn

from deepwell.engine import OPTIMIZERS, SCHEDULES, EngineSettings, TensorBatches, fit
from deepwell.models import MLP
from deepwell.nn.activation import ACTIVATIONS
from deepwell.nn.initialise import INITIALISERS
from deepwell.tasks import Multiclass, Multilabel, Regression, TaskSettings
from deepwell.tasks.base import Task
from deepwell.tasks.loss_catalog import LOSSES

RATES = {"sgd": 0.1, "momentum": 0.05, "nesterov": 0.05, "adagrad": 0.1, "lion": 0.003}


def _inputs() -> torch.Tensor:
    return torch.randn(96, 4, generator=torch.Generator().manual_seed(0))


def _learn(task: Task, targets: torch.Tensor, model: nn.Module | None = None, **changes: object):
    """Return the training losses of the first and the last epoch."""
    torch.manual_seed(0)
    model = model or MLP(4, out_features=task.head_size, hidden_sizes=(16,), dropout=0.0)
    settings = EngineSettings.model_validate(
        {"epochs": 15, "learning_rate": 0.01, "device": "cpu", "precision": "fp32", **changes}
    )
    rows = TensorBatches((_inputs(),), targets, batch_size=16, shuffle=True)
    history = fit(model, task, rows, settings=settings).history
    return history[0]["train"]["loss"], history[-1]["train"]["loss"]


def _classes() -> tuple[Multiclass, torch.Tensor]:
    return Multiclass(classes=[0, 1, 2]), _inputs()[:, :3].argmax(dim=1)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizer(name: str) -> None:
    entry = OPTIMIZERS[name]
    changes = {"learning_rate": RATES.get(name, max(entry.learning_rate, 0.02)), "optimizer": name}
    if entry.is_full_batch:
        changes["epochs"] = 60 if not entry.is_searching else 5
    first, last = _learn(*_classes(), **changes)
    assert last < 0.8 * first


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedule(name: str) -> None:
    first, last = _learn(*_classes(), schedule=name)
    assert last < 0.8 * first


@pytest.mark.parametrize(
    ("name", "answer"),
    [(name, answer) for name, entry in LOSSES.items() for answer in entry.answers],
)
def test_loss(name: str, answer: str) -> None:
    settings = TaskSettings(loss=name)
    task, targets = {
        "numbers": lambda: (Regression(targets=("y",), settings=settings), _inputs()[:, :1].abs()),
        "classes": lambda: (Multiclass(classes=[0, 1, 2], settings=settings), _classes()[1]),
        "labels": lambda: (
            Multilabel(targets=("a", "b"), settings=settings), (_inputs()[:, :2] > 0).float(),
        ),
    }[answer]()  # fmt: skip
    first, last = _learn(task, targets)
    assert last < first - 0.05 * abs(first)


# the step has no slope, so that only the last layer learns
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(name: str) -> None:
    task, targets = _classes()
    torch.manual_seed(0)
    model = MLP(4, out_features=3, hidden_sizes=(16,), activation=name, dropout=0.0)
    first, last = _learn(task, targets, model, learning_rate=0.03)
    assert last < 0.9 * first


@pytest.mark.parametrize("name", [name for name in INITIALISERS if name != "zeros"])
def test_initialiser(name: str) -> None:
    task, targets = _classes()
    torch.manual_seed(0)
    model = MLP(4, out_features=3, hidden_sizes=(16,), initialiser=name, dropout=0.0)
    first, last = _learn(task, targets, model)
    assert last < 0.9 * first
