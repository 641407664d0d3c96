"""Deepwell: the whole command, and the loop alone."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.harness import Sample
from benchmarks.pictures import Pictures

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
