"""Batch sizes: how many rows a step may have, by memory and by speed."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from deepwell.engine.devices import resolve_device
from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.probing.memory import Watch, available, readable, wait_for
from deepwell.engine.probing.probe import Probe
from deepwell.engine.settings import EngineSettings
from deepwell.errors import ConfigError, TrainingError

SMALLEST = 16
FEWEST_STEPS = 10
"""An epoch keeps so many steps at least: with fewer a network hardly learns."""
SHARE = 0.8
"""Of the memory that is free, so much may be used."""
ENOUGH = 0.95
"""The smallest batch that reaches this share of the best rate is chosen."""
_LONGEST, _MOST_STEPS = 1.5, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One size that was tried.

    Args:
        batch_size: Rows in a batch.
        rows_per_second: Rows that were trained on in a second; None if the memory was too small.
        memory: Bytes that training took at most beyond what was in use before.
    """

    batch_size: int
    rows_per_second: float | None
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSearch:
    """All sizes that were tried, and the one to train with.

    Args:
        trials: From the smallest on.
        batch_size: The one that was chosen.
        reason: Why the search ended and why this one, in a sentence.
        available: Bytes of memory that were free, or None where that is not known.
    """

    trials: Sequence[Trial]
    batch_size: int
    reason: str
    available: int | None

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        trials = [
            {"batch_size": t.batch_size, "rows_per_second": t.rows_per_second, "memory": t.memory}
            for t in self.trials
        ]
        return {
            "trials": trials,
            "batch_size": self.batch_size,
            "reason": self.reason,
            "available": self.available,
        }


def find_batch_size(
    model: nn.Module,
    task: TaskLike,
    make_batches: Callable[[int], Batches],
    *,
    rows: int,
    settings: EngineSettings,
    seed: int = 0,
) -> BatchSearch:
    """Double the batch until memory, rows or speed say stop; each size trains a copy for a moment.

    Before a size is tried, its memory is foretold from that of the size before: twice as much
    must fit into `SHARE` of what is free, so that the memory is never really exhausted. On a CUDA
    card, running out is caught as well.

    Args:
        model: Untrained; copied.
        task: Gives the loss.
        make_batches: Makes the training rows into batches of a size.
        rows: Training rows.
        settings: Of the training.
        seed: Of everything random in the network.

    Raises:
        ConfigError: The optimizer takes all rows at once.
        TrainingError: Not even the smallest batch fits into the memory.
    """
    refuse_full_batch(settings)
    device = resolve_device(settings.device)
    trials: list[Trial] = []
    size, why = SMALLEST, ""

    def work(size: int) -> list[float]:
        return _train(model, task, make_batches(size), settings=settings, seed=seed)

    _attempt(work, size, Watch(device))  # what torch loads at its first step counts for no size
    free, watch = available(device), Watch(device)
    while not why:
        seconds, memory = _attempt(work, size, watch)
        speed = size * settings.accumulate * len(seconds) / seconds[-1] if seconds else None
        trials.append(Trial(batch_size=size, rows_per_second=speed, memory=memory))
        why = _why_stop(trials, rows, free)
        size *= 2
    return _choose(trials, why, free)


def refuse_full_batch(settings: EngineSettings) -> None:
    """Refuse optimizers that have no batch size.

    Raises:
        ConfigError: The optimizer takes all rows at once.

    Example:
        >>> refuse_full_batch(EngineSettings(optimizer="sgd"))
    """
    if OPTIMIZERS[settings.optimizer].is_full_batch:
        raise ConfigError(
            f'The optimizer "{settings.optimizer}" takes all rows at once, so there is no batch '
            "size to find: leave --find-batch-size out, or choose another optimizer."
        )


def _attempt(
    work: Callable[[int], list[float]], size: int, watch: Watch
) -> tuple[list[float], int]:
    """Train with a size; return the seconds after each step, none if it does not fit, and bytes."""
    watch.begin()
    try:
        return work(size), watch.peak()
    except torch.cuda.OutOfMemoryError:
        return [], watch.peak()


def _train(
    model: nn.Module, task: TaskLike, batches: Batches, *, settings: EngineSettings, seed: int
) -> list[float]:
    """Do some steps that change next to nothing; return the seconds after each."""
    probe = Probe(model, task, batches, settings=settings, seed=seed)
    probe.set_rate(1e-9)
    device = probe.trainer.device
    seconds: list[float] = []
    with probe.session():
        stream = probe.steps(_MOST_STEPS + 1)
        next(stream)  # the first step makes the optimizer's memory
        wait_for(device)
        began = time.perf_counter()
        for _ in stream:
            wait_for(device)
            seconds.append(time.perf_counter() - began)
            if seconds[-1] > _LONGEST and len(seconds) > 1:
                break
    return seconds


def _why_stop(trials: Sequence[Trial], rows: int, free: int | None) -> str:
    """Return why no larger batch is tried, or "" if one is."""
    last = trials[-1]
    if last.rows_per_second is None:
        return f"{last.batch_size:,} rows do not fit into the memory"
    larger = 2 * last.batch_size
    if larger * FEWEST_STEPS > rows:
        return f"an epoch of {rows:,} rows shall keep {FEWEST_STEPS} steps"
    if free is not None and 2 * last.memory > SHARE * free:
        return f"{larger:,} rows would need more than {SHARE:.0%} of the {readable(free)} free"
    speeds = [trial.rows_per_second or 0.0 for trial in trials]
    if len(speeds) > 2 and max(speeds[-2:]) < 1.05 * max(speeds[:-2]):
        return "larger batches are not faster"
    return ""


def _choose(trials: Sequence[Trial], why: str, free: int | None) -> BatchSearch:
    fitting = [(t.batch_size, t.rows_per_second) for t in trials if t.rows_per_second is not None]
    if not fitting:
        raise TrainingError(
            f"Not even a batch of {SMALLEST} rows fits into the memory: take smaller pictures or "
            "a smaller network."
        )
    best = max(speed for _, speed in fitting)
    size = next(size for size, speed in fitting if speed >= ENOUGH * best)
    is_largest = size == fitting[-1][0]
    what = "the largest that was tried" if is_largest else f"{ENOUGH:.0%} of the best rate or more"
    return BatchSearch(
        trials=tuple(trials),
        batch_size=size,
        reason=f"{size:,} rows a batch: {what}; stopped because {why}.",
        available=free,
    )
