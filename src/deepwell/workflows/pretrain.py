"""Pre-training: the rows teach a network something before it is told the target."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import nn

from deepwell.engine import Batches, FitResult, Progress, fit
from deepwell.tasks.reconstruction import Reconstruction

if TYPE_CHECKING:
    from deepwell.artifact import Predictor
    from deepwell.engine import Checkpoints, EngineSettings

_LEFT_OUT = ("patience", "max_steps", "checkpoint_every", "compile", "loggers")
"""What ends, records or measures the training proper, and does not count before it."""


def pretrain(
    predictor: Predictor,
    batches: Batches,
    *,
    engine: EngineSettings,
    callbacks: Sequence[object] = (),
    checkpoints: Checkpoints | None = None,
    seed: int = 0,
) -> str | None:
    """Let a network that has a denoiser repair damaged rows first; others stay as they are.

    Nothing is done where training goes on from a checkpoint, which has learned this already.

    Args:
        predictor: The untrained network; its shared layers are trained in place.
        batches: The training rows; their targets are not looked at.
        engine: Settings of the training; `epochs` is that of the model's `pretrain_epochs`.
        callbacks: Of the training: only a `Progress` among them is told.
        checkpoints: Of the training.
        seed: Of decoder, noise and dropout.

    Returns:
        What was reached, in a sentence, or None.

    Raises:
        KeyboardInterrupt: Stopped by Ctrl-C.
        TrainingError: The loss is not a finite number.
    """
    network: Any = predictor.model
    epochs = getattr(network, "pretrain_epochs", 0)
    if not epochs or (checkpoints is not None and checkpoints.paths()):
        return None
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        denoiser = cast("nn.Module", network.denoiser())
    result = fit(
        denoiser,
        Reconstruction(predictor.encoders.spec),
        batches,
        settings=engine_of(engine, epochs),
        callbacks=[callback for callback in callbacks if isinstance(callback, Progress)],
        seed=seed,
    )
    if result.interrupted:
        raise KeyboardInterrupt
    first, last = (result.history[place]["train"]["loss"] for place in (0, -1))
    return (
        f"First {epochs} epoch{'s' if epochs > 1 else ''} of pre-training without the "
        f"target: the loss of repairing damaged rows fell from {first:.3g} to {last:.3g}."
    )


def engine_of(engine: EngineSettings, epochs: int) -> EngineSettings:
    """Return the settings of the training without what limits or judges it, for so many epochs."""
    chosen = {k: v for k, v in engine.model_dump(exclude_unset=True).items() if k not in _LEFT_OUT}
    averaging = {**chosen.get("averaging", {}), "last_epochs": None}
    changed = {**chosen, "epochs": epochs, "monitor": "loss", "averaging": averaging}
    changed["compile"] = "off"  # it draws noise in each step, and is short
    return type(engine).model_validate(changed)


def with_note(result: FitResult, note: str | None) -> FitResult:
    """Add what the pre-training reached to the report of a training."""
    return result if note is None else dataclasses.replace(result, notes=(*result.notes, note))
