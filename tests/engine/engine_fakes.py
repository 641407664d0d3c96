"""Small tasks, networks and rows that the tests of the engine share."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor, nn

from deepwell.engine import Callback, EngineSettings, Stop, TensorBatches, TrainState
from deepwell.types import Batch, Loss


class Classify:
    """Cross-entropy with rows' weights, and accuracy."""

    score_names: ClassVar[tuple[str, ...]] = ("accuracy",)

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        outputs = model(*batch.inputs)
        losses = nn.functional.cross_entropy(outputs.float(), batch.targets, reduction="none")
        if batch.weight is None:
            return Loss(losses.sum(), losses.new_full((), len(losses))), outputs
        return Loss((losses * batch.weight).sum(), batch.weight.sum()), outputs

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {"accuracy": (outputs.argmax(dim=1) == targets).float()}


def mlp(seed: int = 0, dropout: float = 0.0) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Dropout(dropout), nn.Linear(12, 3))


def table(rows: int = 90, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs (rows, 6), targets that can be learned, weights."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(rows, 6, generator=generator)
    targets = inputs[:, :3].argmax(dim=1)
    weight = torch.rand(rows, generator=generator) + 0.5
    return inputs, targets, weight


def noisy(inputs: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
    return tuple(x + 0.1 * torch.randn(x.shape, generator=generator) for x in inputs)


def train_rows(*, weighted: bool = False, augment: bool = False, seed: int = 3) -> TensorBatches:
    inputs, targets, weight = table()
    return TensorBatches(
        (inputs,),
        targets,
        weight=weight if weighted else None,
        batch_size=16,
        shuffle=True,
        seed=seed,
        augment=noisy if augment else None,
    )


def val_rows(rows: int = 40) -> TensorBatches:
    inputs, targets, _ = table(rows, seed=2)
    return TensorBatches((inputs,), targets, batch_size=16)


def engine(**changes: object) -> EngineSettings:
    """Exact arithmetic and readings at every step."""
    return EngineSettings.model_validate(
        {"epochs": 4, "precision": "fp32", "device": "cpu", "log_every": 1, **changes}
    )


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


def timeless(history: list[dict[str, object]]) -> list[dict[str, object]]:
    return [{key: value for key, value in line.items() if key != "seconds"} for line in history]


class Killed(Exception):
    """Stands for a process that dies."""


class KillAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_logged(self, state: TrainState) -> None:
        if state.step == self.step:
            raise Killed


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_logged(self, state: TrainState) -> Stop | None:
        return Stop("Enough.") if state.step == self.step else None


class CtrlCAt(Callback):
    def __init__(self, step: int, times: int = 1) -> None:
        self.step = step
        self.times = times

    def on_step_logged(self, state: TrainState) -> None:
        if state.step == self.step:
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)


class Listener(Callback):
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.events: list[tuple[str, TrainState]] = []
        self.paths: list[Path] = []

    def on_fit_started(self, state: TrainState) -> None:
        self.events.append(("fit_started", state))

    def on_step_logged(self, state: TrainState) -> None:
        self.events.append(("step_logged", state))

    def on_epoch_ended(self, state: TrainState) -> None:
        self.events.append(("epoch_ended", state))

    def on_checkpoint_saved(self, state: TrainState, path: Path) -> None:
        self.events.append(("checkpoint_saved", state))
        self.paths.append(path)

    def on_fit_ended(self, state: TrainState) -> None:
        self.events.append(("fit_ended", state))
