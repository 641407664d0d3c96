"""What one process and two must do alike, and the runs that show it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import engine_fakes as fakes
import torch
from torch import Tensor, nn

from deepwell.engine import Checkpoints, TensorBatches, fit
from deepwell.engine.processes import joined_processes
from deepwell.types import Batch, Loss


class WithBatchNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs)


class WithUnused(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.used, self.unused = nn.Linear(6, 3), nn.Linear(6, 3)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.used(inputs)


class Mixable(fakes.Classify):
    def loss(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Loss:
        losses = nn.functional.cross_entropy(outputs.float(), targets, reduction="none")
        return Loss(losses.sum(), losses.new_full((), len(losses)))

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        outputs = model(*batch.inputs)
        return self.loss(outputs, batch.targets, batch.weight), outputs


class Unweighted(fakes.Classify):
    """Looks at no weight, not even at one of zero."""

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        return super().training_step(model, replace(batch, weight=None))


class BadInSecond(fakes.Classify):
    """The loss of the second process alone is bad in its third batch."""

    def __init__(self) -> None:
        self.calls = 0

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        loss, outputs = super().training_step(model, batch)
        self.calls += 1
        if self.calls == 4 and joined_processes().rank == 1:  # one call is the look at the network
            return Loss(loss.sum * float("nan"), loss.weight), outputs
        return loss, outputs


def tiny() -> nn.Module:
    """A network whose parts are large enough to be divided on their own."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(),
                         nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 3))  # fmt: skip


class InDoubles(nn.Module):
    """The same in 64 bits: Adam divides by gradients, and blows up what 32 bits round away."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = tiny().double()

    def forward(self, inputs: Tensor) -> Tensor:
        return self.layers(inputs.double())


# Adam makes steps of full size out of the rounding errors of gradients that are zero, such as those
# of a bias below batch normalisation: momentum shows what is equal and what is not
PLAIN_STEPS: dict[str, Any] = {"optimizer": "momentum", "learning_rate": 0.05}

SCENARIOS: dict[str, dict[str, Any]] = {
    "plain": {},
    "weighted": {"weighted": True, "augment": True},
    "accumulated": {"weighted": True, "accumulate": 2, "clip_norm": 0.5, "on_nan": "skip"},
    "averaged": {"averaging": {"ema_decay": 0.9}, **PLAIN_STEPS},
    "mixed": {"task": Mixable, "regularisation": {"mixup": 0.3, "noise": 0.1, "l1": 1e-3}},
    "full_batch": {"optimizer": "gradient_descent"},
    "norm": {"model": WithBatchNorm, "averaging": {"last_epochs": 2}, **PLAIN_STEPS},
    "unused": {"model": WithUnused},
    "sharded": {"model": tiny, "strategy": "fsdp", "clip_norm": 0.5, "accumulate": 2,
                "epochs": 2, "averaging": {"ema_decay": 0.9}, **PLAIN_STEPS},
    "sharded_small": {"strategy": "fsdp"},
    "sharded_adam": {"model": InDoubles, "strategy": "fsdp", "epochs": 1},
    "few_rows": {"rows": 17, "batch_size": 4, "model": WithBatchNorm, **PLAIN_STEPS},
    "one_row": {"task": Unweighted, "rows": 1, "val_count": 1, **PLAIN_STEPS},
    "bad_loss": {"task": BadInSecond},
    "refused": {"sharpness": 0.05},
    "loader": {"as_list": True},
    "dropout": {"model": lambda: fakes.mlp(dropout=0.3)},
}  # fmt: skip


def run(
    *,
    model: Any = fakes.mlp,
    task: Any = fakes.Classify,
    weighted: bool = False,
    augment: bool = False,
    rows: int = 90,
    batch_size: int = 16,
    as_list: bool = False,
    val_count: int = 40,
    **settings: object,
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train a network of its own; return its weights and what was reported."""
    network = model()
    inputs, targets, weight = fakes.table(rows)
    batches = TensorBatches(
        (inputs,),
        targets,
        weight=weight if weighted else None,
        batch_size=batch_size,
        shuffle=True,
        seed=3,
        augment=fakes.noisy if augment else None,
    )
    listener = fakes.Listener()
    result = fit(
        network,
        task(),
        list(batches) if as_list else batches,
        val_batches=fakes.val_rows(val_count),
        settings=fakes.engine(batch_size=batch_size, compile="off", **settings),
        callbacks=[listener],
    )
    facts = {
        "history": fakes.timeless(result.history),
        "steps": result.steps,
        "samples": listener.events[-1][1].samples if listener.events else None,
    }
    return fakes.weights(network), facts


ROADS = {"interrupted": "ddp", "resumed": "ddp", "cut": "fsdp", "going_on": "fsdp"}
"""Folder of the checkpoints of each run that is stopped or resumed."""
FORMS: dict[str, dict[str, Any]] = {
    "interrupted": {"resume": False, "dropout": 0.3},
    "resumed": {"resume": True, "dropout": 0.3},
    "cut": {"resume": False, "strategy": "fsdp"},
    "going_on": {"resume": True, "strategy": "fsdp"},
}


def interrupted_run(
    folder: Path, *, resume: bool, dropout: float = 0.0, **settings: object
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Train to step 9, or go on from there to the end."""
    network = fakes.mlp(dropout=dropout)
    result = fit(
        network,
        fakes.Classify(),
        fakes.train_rows(),
        val_batches=fakes.val_rows(),
        settings=fakes.engine(compile="off", checkpoint_every=3, **settings),
        callbacks=[] if resume else [fakes.CtrlCAt(9)],
        checkpoints=Checkpoints(folder, resume=resume),
    )
    facts = {"history": fakes.timeless(result.history), "interrupted": result.interrupted}
    return fakes.weights(network), facts
