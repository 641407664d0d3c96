"""What only a graphics card can show."""

from pathlib import Path

import pytest
import torch
from engine_fakes import (
    Classify,
    KillAt,
    Killed,
    engine,
    mlp,
    same,
    timeless,
    train_rows,
    val_rows,
    weights,
)

from deepwell.engine import Checkpoints, fit
from deepwell.engine.loop import train_step
from deepwell.engine.trainer import Trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card"),
]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_step_waits_for_nothing(precision: str):
    trainer = Trainer(
        mlp(dropout=0.2), task=Classify(), batches=train_rows(augment=False), val_batches=None,
        settings=engine(device="cuda", precision=precision, clip_norm=1.0, log_every=1000),
        callbacks=(), checkpoints=None, seed=0,
    )  # fmt: skip
    with trainer.session():
        rows = trainer.open_epoch()
        train_step(trainer, rows)  # the first one loads kernels
        torch.cuda.set_sync_debug_mode("error")
        try:
            while train_step(trainer, rows):
                trainer.after_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert trainer.ledger.step == 6


@pytest.mark.parametrize("precision", ["auto", "fp32", "fp16"])
def test_resume_is_exact(tmp_path: Path, precision: str):
    settings = engine(device="cuda", precision=precision, checkpoint_every=1)

    def run(*callbacks: object, points: Checkpoints | None = None) -> tuple[object, object]:
        model = mlp(dropout=0.3)
        result = fit(
            model, Classify(), train_rows(), val_batches=val_rows(), settings=settings,
            callbacks=callbacks, checkpoints=points,
        )  # fmt: skip
        return weights(model), timeless(result.history)

    whole = run()
    with pytest.raises(Killed):
        run(KillAt(9), points=Checkpoints(tmp_path))
    resumed = run(points=Checkpoints(tmp_path, resume=True))
    assert same(resumed[0], whole[0])  # type: ignore[arg-type]
    assert resumed[1] == whole[1]


_PARTS = {
    "lion": {"optimizer": "lion", "learning_rate": 0.001},
    "muon": {"optimizer": "muon", "layer_decay": 0.8},
    "lbfgs": {"optimizer": "lbfgs", "weight_decay": 0.01},
    "sharp": {"sharpness": 0.05, "accumulate": 2},
    "means": {"averaging": {"ema_decay": 0.9}},
    "penalised": {
        "regularisation": {"l1": 0.01, "l2": 0.1, "max_norm": 1.0, "noise": 0.1},
        "clip_value": 0.1,
    },
    "skip": {"on_nan": "skip"},
}


@pytest.mark.parametrize("name", _PARTS)
def test_every_part_resumes_exactly(tmp_path: Path, name: str):
    changes = {"learning_rate": 0.01, **_PARTS[name]}
    settings = engine(device="cuda", checkpoint_every=1, schedule="constant", **changes)

    def run(*callbacks: object, points: Checkpoints | None = None) -> tuple[object, object]:
        model = mlp(dropout=0.3)
        result = fit(
            model, Classify(), train_rows(), val_batches=val_rows(), settings=settings,
            callbacks=callbacks, checkpoints=points,
        )  # fmt: skip
        return weights(model), timeless(result.history)

    whole = run()
    with pytest.raises(Killed):
        run(KillAt(3), points=Checkpoints(tmp_path))
    resumed = run(points=Checkpoints(tmp_path, resume=True))
    assert same(resumed[0], whole[0])  # type: ignore[arg-type]
    assert resumed[1] == whole[1]


@pytest.mark.parametrize("name", ["lion", "muon", "means", "penalised"])
def test_a_step_with_parts_waits_for_nothing(name: str):
    trainer = Trainer(
        mlp(dropout=0.2), task=Classify(), batches=train_rows(augment=False), val_batches=None,
        settings=engine(device="cuda", precision="fp32", log_every=1000, **_PARTS[name]),
        callbacks=(), checkpoints=None, seed=0,
    )  # fmt: skip
    with trainer.session():
        rows = trainer.open_epoch()
        train_step(trainer, rows)  # the first one loads kernels
        torch.cuda.set_sync_debug_mode("error")
        try:
            while train_step(trainer, rows):
                trainer.after_step()
        finally:
            torch.cuda.set_sync_debug_mode("default")
    assert trainer.ledger.step == 6
