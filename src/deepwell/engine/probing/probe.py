"""A probe: a few training steps on a copy, after which nothing has changed."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Generator, Iterable
from typing import Any

from torch import nn

from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.loop import kind_of_step
from deepwell.engine.settings import EngineSettings
from deepwell.engine.trainer import Trainer


class Probe:
    """Trains a copy of a network with the optimizer and the batches of a training.

    The network, torch's random numbers and the rows are as before afterwards. The learning rate
    stays where it is put: no schedule, no warm-up; nothing is validated, averaged or written.

    Args:
        model: Copied.
        task: Gives loss and scores.
        batches: The training rows.
        settings: Of the training.
        seed: Of everything random in the network.
        trainer: The kind of trainer.

    Example:
        >>> import torch
        >>> from deepwell.engine import TensorBatches
        >>> from deepwell.tasks import Regression
        >>> rows = TensorBatches((torch.ones(8, 1),), torch.zeros(8, 1), batch_size=4)
        >>> task = Regression(targets=("y",), mean=[0.0], std=[1.0])
        >>> model = nn.Linear(1, 1)
        >>> before = model.weight.item()
        >>> probe = Probe(model, task, rows, settings=EngineSettings())
        >>> with probe.session():
        ...     losses = list(probe.losses(5))
        >>> len(losses), model.weight.item() == before
        (5, True)
    """

    def __init__(
        self,
        model: nn.Module,
        task: TaskLike,
        batches: Batches | Iterable[Any],
        *,
        settings: EngineSettings,
        seed: int = 0,
        trainer: type[Trainer] = Trainer,
    ) -> None:
        self.trainer = trainer(
            copy.deepcopy(model),
            task=task,
            batches=batches,
            val_batches=None,
            settings=still(settings),
            callbacks=(),
            checkpoints=None,
            seed=seed,
        )
        self._step = kind_of_step(self.trainer)

    @contextlib.contextmanager
    def session(self) -> Generator[None]:
        """Seed and take over precision and Ctrl-C, and give all of it back at the end."""
        with self.trainer.session():
            yield

    def set_rate(self, rate: float) -> None:
        """Use this learning rate from the next step on."""
        self.trainer.state.update.base_rate = rate

    def losses(self, steps: int) -> Generator[float]:
        """Do so many steps, over as many epochs as they need, and yield the loss before each.

        Raises:
            TrainingError: A loss or gradient is not a finite number.
            KeyboardInterrupt: Stopped by Ctrl-C.
        """
        trainer = self.trainer
        for _ in self.steps(steps):
            loss, weight, *_ = trainer.means.sums()
            trainer.ledger.read_window(loss, weight)
            yield trainer.ledger.loss or 0.0

    def steps(self, number: int) -> Generator[int]:
        """Do so many steps as `losses` does, but read nothing; yield how many are done."""
        trainer, done = self.trainer, 0
        rows = trainer.open_epoch()
        while done < number:
            if not self._step(trainer, rows):
                trainer.means.reset()
                trainer.ledger.end_epoch({})
                rows = trainer.open_epoch()
                continue
            trainer.after_step()
            if trainer.is_interrupted:
                raise KeyboardInterrupt
            done += 1
            yield done


def still(settings: EngineSettings, **changes: Any) -> EngineSettings:
    """Return settings whose steps are those of a training, and that do nothing else.

    Args:
        settings: Of the training.
        changes: Laid over them.

    Example:
        >>> still(EngineSettings(epochs=3, schedule="one_cycle", warmup=0.1)).schedule
        'constant'
    """
    kept = settings.model_dump(exclude={"schedule_options", "averaging"})
    quiet = {
        "epochs": 1_000_000,
        "max_steps": None,
        "schedule": "constant",
        "warmup": 0.0,
        "monitor": "loss",
        "patience": None,
        "compile": "off",
        "on_nan": "stop",
        "log_every": 1_000_000_000,
        "checkpoint_every": None,
        "loggers": (),
        "devices": 1,
        "health": False,
        "strategy": "ddp",
    }
    return EngineSettings.model_validate({**kept, **quiet, **changes})
