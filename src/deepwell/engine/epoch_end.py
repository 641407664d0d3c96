"""The end of an epoch: validate, compare, write the record, and decide whether to go on."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import TYPE_CHECKING

from deepwell.engine.account import count
from deepwell.engine.validation import validate

if TYPE_CHECKING:
    from deepwell.engine.trainer import Trainer


def end_epoch(trainer: Trainer) -> None:
    """Validate, keep the best weights, write the record and decide whether to go on.

    Args:
        trainer: Behind the last batch of an epoch.

    Raises:
        TrainingError: The loss of the epoch, or that of the validation rows, is not finite.
    """
    ledger = trainer.ledger
    train = trainer.means.read()
    trainer.safeguard.check_epoch(train["loss"])
    with _averaged(trainer):
        val = _validate(trainer)
        is_best = _compare(trainer, (val or train)[trainer.settings.monitor])
    plateau = trainer.state.update.plateau
    if plateau is not None:
        plateau.note(is_best)
    trainer.read_clock()
    ledger.end_epoch(
        {"train": train, "val": val, "learning_rate": ledger.learning_rate, "best": is_best}
    )
    trainer.means.reset()
    _decide(trainer)


def _validate(trainer: Trainer) -> dict[str, float]:
    if trainer.val_batches is None:
        return {}
    val = validate(
        trainer.model,
        trainer.task,
        trainer.val_batches,
        trainer.precision,
        device=trainer.device,
        parallel=trainer.parallel,
    )
    trainer.safeguard.check_val(val["loss"])
    return val


@contextlib.contextmanager
def _averaged(trainer: Trainer) -> Generator[None]:
    """Give the network its mean weights while it is validated and compared, if it has any."""
    average = trainer.state.average
    if average is None:
        yield
        return
    average.after_epoch(trainer.model, trainer.ledger.epoch + 1)
    with average.in_place(trainer.model):
        rows = trainer.batches.epoch(trainer.ledger.epoch)
        if trainer.parallel is not None:
            rows = map(trainer.parallel.share, rows)
        average.refresh(trainer.model, rows, trainer.precision)
        yield


def _compare(trainer: Trainer, value: float) -> bool:
    """Note whether the epoch that ends now is the best so far, and keep its weights."""
    best = trainer.state.best
    is_best = best.is_improved_by(value)
    if is_best:
        best.note(value, trainer.ledger.epoch + 1)
    # without validation rows the copy is only the last one that is known to be good
    is_kept = is_best if trainer.val_batches is not None else not trainer.safeguard.reads_each_step
    if is_kept:
        best.keep(trainer.model)
    return is_best


def _decide(trainer: Trainer) -> None:
    """Stop if all epochs are done, or if there was no better one for a while."""
    ledger, settings = trainer.ledger, trainer.settings
    patience = settings.patience
    if ledger.stopped is not None:
        return
    if ledger.epoch >= settings.epochs:
        ledger.stopped = f"Finished {count('epoch', ledger.epoch)}."
    elif patience is not None and ledger.epoch - (trainer.state.best.epoch or 0) >= patience:
        rows = "validation" if trainer.val_batches is not None else "training"
        ledger.stopped = (
            f"Stopped after epoch {ledger.epoch}: the {rows} {settings.monitor} has not "
            f"improved for {count('epoch', patience)}."
        )
