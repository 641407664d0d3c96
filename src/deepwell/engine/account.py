"""The account that a training gives of itself: to callbacks while it runs, and at its end."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from deepwell.engine.best import copy_weights, weights_of
from deepwell.engine.callbacks import TrainState
from deepwell.engine.result import FitResult

if TYPE_CHECKING:
    from deepwell.engine.trainer import Trainer


def count(noun: str, number: int) -> str:
    """Return a number of things in words.

    Example:
        >>> count("epoch", 1), count("step", 1200)
        ('1 epoch', '1,200 steps')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def view_of(trainer: Trainer) -> TrainState:
    """Return what callbacks may see of a training."""
    ledger, best = trainer.ledger, trainer.state.best
    return TrainState(
        epoch=ledger.epochs_begun,
        epochs=trainer.settings.epochs,
        step=ledger.step,
        total_steps=trainer.total_steps,
        micro_step=ledger.micro_step,
        samples=ledger.samples,
        seconds=ledger.seconds,
        learning_rate=ledger.learning_rate,
        loss=ledger.loss,
        record=MappingProxyType(ledger.history[-1]) if ledger.history else None,
        best_epoch=best.epoch,
        best_value=best.value,
        monitor=trainer.settings.monitor,
        precision=trainer.precision.sentence,
        device=str(trainer.device),
        stopped=ledger.stopped,
        notes=trainer.notes,
        health=tuple(ledger.health),
    )


def conclude(trainer: Trainer) -> FitResult:
    """Give the network its best or mean weights, and return what came out."""
    ledger = trainer.ledger
    stopped = ledger.stopped or f"Stopped by Ctrl-C after {count('step', ledger.step)}."
    best, average = trainer.state.best, trainer.state.average
    best_epoch = best.epoch if trainer.val_batches is not None else None
    if best_epoch is not None and best.restore(trainer.model):
        stopped += f" The network has the weights of epoch {best_epoch}, the best by "
        stopped += f"validation {trainer.settings.monitor}."
    elif average is not None and average.is_ready:
        copy_weights(weights_of(trainer.model), average.weights)
        stopped += " The network has mean weights."
    if ledger.skipped:
        skipped = count("step", ledger.skipped)
        stopped += f" {skipped} left out because of numbers that are not finite; "
        stopped += ledger.first_skipped
    return FitResult(
        history=ledger.history,
        best_epoch=best_epoch,
        steps=ledger.step,
        seconds=ledger.seconds,
        stopped=stopped,
        interrupted=trainer.is_interrupted,
        precision=trainer.precision.sentence,
        device=str(trainer.device),
        notes=trainer.notes,
        skipped=ledger.skipped,
        compilation=trainer.compilation,
        health=ledger.health,
    )
