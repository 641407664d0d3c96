"""Threads: how many of the processor's compute, found by trying on the first batch.

More threads are not always faster. They wait for each other after each operation, and recurrent
layers are thousands of small ones: an LSTM of 64 units over 100 words, batch 32, took 3.9 ms
forward and backward with one thread and 5.7 with two (2 cores, Intel with AMX, torch 2.13).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator
from typing import TYPE_CHECKING

import torch
from torch import nn

from deepwell.engine.batches import TensorBatches
from deepwell.engine.compilation import (
    key_of,
    memory_path,
    plain_gradient,
    recall,
    remember,
    seconds_of,
)
from deepwell.types import Batch

if TYPE_CHECKING:
    from deepwell.engine.trainer import Trainer

FEWEST_STEPS = 400
"""Steps of a training for which trying pays: it takes about as long as 25 of them."""
LONGEST = 0.03
"""Seconds of a gradient from which more threads always pay, so that nothing is tried."""
WORTH = 0.9
"""Share of the time with all threads that fewer may take at most; the update, which is not
measured, likes threads."""
_ROUNDS = 3
_WARM_UPS = 4
"""Looks at all threads before the comparison: the first ones share a core until the system has
moved one of them, and what is computed first is prepared first."""


@contextlib.contextmanager
def threads_as_before() -> Generator[None]:
    """Give the number of threads back as it was."""
    before = torch.get_num_threads()
    try:
        yield
    finally:
        _take(before)


def choose_threads(trainer: Trainer) -> tuple[str, ...]:
    """Set the threads for a training, and return a sentence if they are not those that were set.

    What a checkpoint or an earlier run of the same training has decided is kept: other threads
    round sums in another order, and one seed shall give one result.
    """
    if trainer.device.type != "cpu":
        return ()
    asked, before = trainer.settings.threads, torch.get_num_threads()
    number, why = asked, "as asked"
    if number == "auto":
        why = f"which is faster here than {before}"
        number = trainer.state.threads or _decided(trainer, before)
    trainer.state.threads = number
    if number == before:
        return ()
    _take(number)
    return (f"Computes with {number} thread{'' if number == 1 else 's'}, {why}.",)


def _decided(trainer: Trainer, most: int) -> int:
    """Return the number that was found for such a training, or find it."""
    batch = _first_batch(trainer) if most > 1 else None
    if batch is None:
        return most
    path, key = memory_path("threads"), key_of(trainer, batch)
    number = recall(path, key)
    if number is None:
        try:
            number = _fastest(trainer, batch, most)
        except Exception:  # whatever is wrong with the network, the first step says it better
            return most
        finally:
            _take(most)
        remember(path, key, number)
    return number


def _first_batch(trainer: Trainer) -> Batch | None:
    """Return a batch to try on; None where trying is no use, or would change the training."""
    settings, batches = trainer.settings, trainer.batches
    change = settings.regularisation
    is_tried = (
        trainer.processes.is_alone
        and trainer.total_steps - trainer.ledger.step >= FEWEST_STEPS
        # a program is not what would be measured, unless most of it is the same layers
        and (settings.compile != "on" or _has_recurrent_layers(trainer.model))
        # these mix the rows of a batch on its way
        and not (change.mixup or change.cutmix)
        # other batches cannot be looked at without drawing their random numbers
        and isinstance(batches, TensorBatches)
    )
    return next(iter(batches.epoch(0))) if is_tried else None


def _has_recurrent_layers(model: nn.Module) -> bool:
    return any(isinstance(module, nn.RNNBase) for module in model.modules())


def _fastest(trainer: Trainer, batch: Batch, most: int) -> int:
    def seconds(number: int) -> float:
        _take(number)
        return seconds_of(lambda: plain_gradient(trainer, batch), trainer, trials=3)

    trainer.model.train()
    least = math.inf
    for _ in range(_WARM_UPS):
        least = seconds(most)
        if not LONGEST < least < 10 * LONGEST:
            break
    if least > LONGEST:
        return most
    fewer = sorted({1, max(1, most // 4)})
    taken = dict.fromkeys((most, *fewer), math.inf)
    for _ in range(_ROUNDS):  # in turns, as other programs come and go
        taken = {number: min(before, seconds(number)) for number, before in taken.items()}
    best = min(fewer, key=taken.__getitem__)
    return best if taken[best] <= WORTH * taken[most] else most


def _take(number: int) -> None:
    # setting it makes torch forget prepared operations, also where nothing changes
    if number != torch.get_num_threads():
        torch.set_num_threads(number)
