"""The loop: every network is trained by these lines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from torch import Tensor, nn

from deepwell.engine.checkpoint import Checkpoints
from deepwell.engine.compilation import compiling_step
from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.parallel import shared_step
from deepwell.engine.passes import search_step, sharp_step
from deepwell.engine.result import FitResult
from deepwell.engine.settings import EngineSettings
from deepwell.engine.trainer import Trainer
from deepwell.types import Batch


def fit(
    model: nn.Module,
    task: TaskLike,
    batches: Batches | Iterable[Any],
    *,
    val_batches: Batches | Iterable[Any] | None = None,
    settings: EngineSettings | None = None,
    callbacks: Sequence[object] = (),
    checkpoints: Checkpoints | None = None,
    seed: int = 0,
) -> FitResult:
    """Train a network in place.

    With `val_batches` the network ends with the weights of its best epoch, else with the last
    ones; in both cases on its device and in evaluation mode. The first Ctrl-C ends training
    after the step that is running: a checkpoint is written, the best weights are put back, and
    the result says `interrupted`. A second one raises KeyboardInterrupt at once. torch's global
    random numbers are seeded while training and as before afterwards.

    Args:
        model: Called with one tensor a block of inputs.
        task: Gives loss and scores; every `deepwell.tasks.Task` does.
        batches: `TensorBatches`, or an iterable of `Batch` or of pairs (inputs, targets).
        val_batches: Rows that decide which epoch is the best. Never test rows.
        settings: Epochs, optimizer, precision and so on.
        callbacks: Told about steps and epochs, see `Callback`.
        checkpoints: Where the state is kept; None keeps nothing. With ``resume=True`` in it,
            training goes on from the latest one, bit for bit, as if never stopped; one that has
            not reached its first checkpoint begins anew.
        seed: Of everything random in the network. Same seed, same machine: the same weights.

    Raises:
        TrainingError: Loss or gradient is not a finite number, or nothing can be trained.
        ConfigError: The device, precision or monitored value does not exist.
        RunError: The checkpoints belong to another training or are damaged, or there are some
            and they are not to be resumed.
        OutputError: A checkpoint cannot be written.

    Example:
        >>> import torch
        >>> from deepwell.engine import EngineSettings, TensorBatches
        >>> from deepwell.tasks import Regression
        >>> inputs = torch.linspace(-1, 1, 64)[:, None]
        >>> rows = TensorBatches((inputs,), 2 * inputs, batch_size=16, shuffle=True)
        >>> task = Regression(targets=("y",), mean=[0.0], std=[1.0])
        >>> settings = EngineSettings(epochs=30, optimizer="sgd", learning_rate=0.1)
        >>> model = torch.nn.Linear(1, 1)
        >>> result = fit(model, task, rows, settings=settings)
        >>> round(model.weight.item(), 1), result.steps
        (2.0, 120)
    """
    trainer = Trainer(
        model,
        task=task,
        batches=batches,
        val_batches=val_batches,
        settings=settings or EngineSettings(),
        callbacks=callbacks,
        checkpoints=checkpoints,
        seed=seed,
    )
    step = kind_of_step(trainer)
    with trainer.session():
        while trainer.is_running:
            rows = trainer.open_epoch()
            while trainer.is_running and step(trainer, rows):
                trainer.after_step()
            trainer.close_epoch()
        return trainer.finish()


def kind_of_step(trainer: Trainer) -> Callable[[Trainer, Iterator[Batch]], bool]:
    """Return what does one optimizer step of a training."""
    settings = trainer.settings
    if trainer.parallel is not None:
        return shared_step
    if OPTIMIZERS[settings.optimizer].is_searching:
        return search_step
    if settings.sharpness is not None:
        return sharp_step
    return train_step if settings.compile == "off" else compiling_step(settings, train_step)


def train_step(trainer: Trainer, rows: Iterator[Batch]) -> bool:
    """Do one optimizer step on the next `accumulate` batches, or fewer at the end of an epoch.

    Optimizers of the full batch take all batches of the epoch.

    Every loss is divided by the weight of the first batch, which keeps numbers of ordinary size,
    and the sum of the gradients is put right once by the weight of all: with one batch a step
    this is the mean loss, with many it is exactly the gradient of one big batch.

    Returns:
        False if the epoch has no batch left; nothing was done then.
    """
    first: Tensor | float | None = None
    total: Tensor | float | None = None
    for batch in islice(rows, trainer.micro_batches):
        with trainer.precision.for_training():
            loss, outputs = trainer.task.training_step(trainer.model, batch)
        trainer.note(batch, loss, outputs)
        weight = trainer.weight_of(loss)
        if first is None or total is None:
            first = total = weight
        else:
            total = total + weight
        trainer.scale(loss.sum / first).backward()
    if first is None or total is None:
        return False
    trainer.update(None if first is total else first / total)
    return True
