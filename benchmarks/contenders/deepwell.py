"""Deepwell: the whole command, and the loop alone."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from benchmarks.harness import Sample
from benchmarks.pictures import Pictures
from benchmarks.workloads import Rows, Stopwatch, Training, Workload

CONSTANT = {
    "epochs": 5,
    "batch_size": 128,
    "optimizer": "rmsprop",
    "learning_rate": 1e-3,
    "schedule": "constant",
    "weight_decay": 0.0,
}
"""The lecture's way of training, with a rate that never changes, as the peers do it."""
FALLING = {**CONSTANT, "learning_rate": 3e-3, "schedule": "cosine"}
"""The same with a rate that falls, chosen on 10,000 of the training pictures."""

WORKLOAD_SETTINGS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "schedule": "constant",
    "weight_decay": 0.0,
}
"""What the networks of the workloads share, as the peers do it; everything else is the default."""
SETTINGS_OF: dict[str, dict[str, Any]] = {
    "mlp": {"compile": "on"},
    "lstm": {"compile": "on"},
    "gpt": {"compile": "on"},
    "table": {"compile": "on"},
}
"""Workload → settings of the engine that a person with this network would choose."""


def lecture_command(data: Path, seed: int) -> Sample:
    """784-128-10 as `deepwell train` does it: with records, a checkpoint and running scores."""
    from deepwell.workflows.train import train

    settings = {
        "seed": seed,
        "split": {"val": 0.0},
        "model": {"name": "mlp", "preset": "lecture"},
        "augment": {"shift": 0.0},
        "engine": FALLING,
        "evaluation": {"baselines": "none"},
    }
    with tempfile.TemporaryDirectory() as runs:
        result = train(data, runs=runs, settings=settings)
    accuracy = result.metrics["accuracy"]["value"] or 0.0
    return Sample(result.summary["seconds"]["training"], {"test_accuracy": accuracy})


def lecture_engine(pictures: Pictures, seed: int) -> Sample:
    """784-128-10 with `deepwell.engine.fit` on tensors in memory."""
    import torch

    from deepwell.engine import EngineSettings, TensorBatches, fit
    from deepwell.models import build
    from deepwell.tasks import Multiclass
    from deepwell.types import InputSpec

    torch.manual_seed(seed)
    spec = InputSpec(image_shape=(1, 28, 28))
    model = build("mlp", spec, 10, {"preset": "lecture"})
    batches = TensorBatches(
        (pictures.train[:, None],),
        pictures.train_labels,
        batch_size=128,
        shuffle=True,
        seed=seed,
    )
    task = Multiclass(classes=list(range(10)))
    settings = EngineSettings.model_validate(CONSTANT)
    result = fit(model, task, batches, settings=settings, seed=seed)
    with torch.no_grad():
        classes = model(torch.tensor(pictures.test[:, None])).argmax(dim=1).numpy()
    return Sample(result.seconds, {"test_accuracy": pictures.accuracy(classes)})


def train(work: Workload, rows: Rows, seed: int) -> Training:
    """A network of the workloads with `deepwell.engine.fit`."""
    return _train(work, rows, seed, {})


def train_fp32(work: Workload, rows: Rows, seed: int) -> Training:
    """The same with 32-bit floats throughout, as all peers compute."""
    return _train(work, rows, seed, {"precision": "fp32"})


def _train(work: Workload, rows: Rows, seed: int, changes: dict[str, Any]) -> Training:
    import torch

    from benchmarks import networks
    from benchmarks.next_token import NextToken
    from deepwell.engine import Callback, EngineSettings, TensorBatches, TrainState, fit
    from deepwell.tasks import Multiclass

    watch = Stopwatch()

    class Clock(Callback):
        def on_epoch_ended(self, state: TrainState) -> None:
            watch.lap()

    torch.manual_seed(seed)
    network = networks.build(work.name)
    task = NextToken() if rows.targets.ndim == 2 else Multiclass(classes=list(range(work.classes)))
    settings = EngineSettings.model_validate(
        {
            "epochs": work.epochs,
            "batch_size": work.batch_size,
            "optimizer": work.optimizer,
            **WORKLOAD_SETTINGS,
            **SETTINGS_OF.get(work.name, {}),
            **changes,
        }
    )
    batches = TensorBatches(
        rows.inputs, rows.targets, batch_size=work.batch_size, shuffle=True, seed=seed
    )
    watch.start()
    result = fit(network, task, batches, settings=settings, callbacks=[Clock()], seed=seed)
    says = " ".join((result.precision, result.compilation, *result.notes))
    return Training(watch, lambda blocks: networks.predict(network, blocks), says)
