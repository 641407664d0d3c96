"""The profile: where the time of a step goes, how near the machine's limit, how much memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from deepwell.engine.compiled import untouched
from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.probing.advice import next_action
from deepwell.engine.probing.memory import Watch, peak_resident, wait_for
from deepwell.engine.probing.probe import Probe
from deepwell.engine.probing.stopwatch import Stopwatch
from deepwell.engine.settings import EngineSettings
from deepwell.engine.trainer import Trainer
from deepwell.types import Batch, Loss

PHASES = ("data", "forward", "backward", "optimizer", "engine")
WARM_UP = 5
LONGEST = 30.0
"""Seconds after which no further step is measured, if three are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What a training step costs.

    Args:
        steps: Steps that were measured.
        batch_size: Rows a step.
        step_seconds: One step, undisturbed.
        rows_per_second: Rows that are trained on in a second, undisturbed.
        phases: Share of each of `PHASES` in the time of a step, by a stopwatch inside it.
        flops: Multiplications and additions of one forward and backward pass.
        rate: Of these, so many a second in forward and backward.
        limit: Those of a large matrix product on this machine, measured in the same run.
        limit_of: What that product was.
        memory: Bytes: parameters, gradients, optimizer, activations, process.
        device: Where it was computed.
        precision: What with, in words.
        next_action: What to do, in words.
    """

    steps: int
    batch_size: int
    step_seconds: float
    rows_per_second: float
    phases: Mapping[str, float]
    flops: int
    rate: float
    limit: float
    limit_of: str
    memory: Mapping[str, int]
    device: str
    precision: str
    next_action: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)


class WatchedTrainer(Trainer):
    """A trainer whose parts are timed."""

    watch: Stopwatch

    def begin_watching(self) -> None:
        """Start to time what is done from here on."""
        self.watch = Stopwatch(lambda: wait_for(self.device))
        self.task = _TimedTask(self.task, self.watch)

    def note(self, batch: Batch, loss: Loss, outputs: Tensor, *, rows: int | None = None) -> None:
        """Count a batch."""
        if not hasattr(self, "watch"):
            return super().note(batch, loss, outputs, rows=rows)
        with self.watch.phase("engine"):
            return super().note(batch, loss, outputs, rows=rows)

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss, whose backward pass is timed."""
        scaled = super().scale(loss)
        return cast(Tensor, _TimedLoss(scaled, self.watch)) if hasattr(self, "watch") else scaled

    def update(self, correction: Tensor | float | None) -> None:
        """Do the optimizer step."""
        if not hasattr(self, "watch"):
            return super().update(correction)
        with self.watch.phase("optimizer"):
            return super().update(correction)

    def search(self, evaluate: Callable[[], Tensor]) -> None:
        """Do the step of an optimizer that evaluates the loss several times."""
        if not hasattr(self, "watch"):
            return super().search(evaluate)
        with self.watch.phase("optimizer"):
            return super().search(evaluate)

    def open_epoch(self) -> Iterator[Batch]:
        """Return the batches of the running epoch."""
        rows = super().open_epoch()
        return _timed(rows, self.watch) if hasattr(self, "watch") else rows


class _TimedTask:
    """A task whose forward pass is timed."""

    def __init__(self, task: TaskLike, watch: Stopwatch) -> None:
        self._task, self._watch = task, watch
        self.score_names = task.score_names

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        with self._watch.phase("forward"):
            return self._task.training_step(model, batch)

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return self._task.scores(outputs, targets)


class _TimedLoss:
    """Stands for a loss of which only the backward pass is asked for."""

    def __init__(self, loss: Tensor, watch: Stopwatch) -> None:
        self._loss, self._watch = loss, watch

    def backward(self) -> None:
        with self._watch.phase("backward"):
            self._loss.backward()


def _timed(rows: Iterator[Batch], watch: Stopwatch) -> Generator[Batch]:
    while True:
        with watch.phase("data"):
            batch = next(rows, None)
        if batch is None:
            return
        yield batch


def profile(
    model: nn.Module,
    task: TaskLike,
    batches: Batches | Iterable[Any],
    *,
    settings: EngineSettings,
    seed: int = 0,
    steps: int = 30,
) -> Profile:
    """Measure training steps on a copy of a network; nothing is changed.

    Steps are measured twice: undisturbed, for the rate, and with a stopwatch at each part, for
    the shares. A compiled step is one program without parts: what is measured is not compiled.

    Args:
        model: Copied.
        task: Gives loss and scores.
        batches: The training rows.
        settings: Of the training.
        seed: Of everything random in the network.
        steps: Steps to measure, fewer if they are slow.

    Raises:
        KeyboardInterrupt: Stopped by Ctrl-C.
    """
    probe = Probe(model, task, batches, settings=settings, seed=seed, trainer=WatchedTrainer)
    trainer = cast(WatchedTrainer, probe.trainer)
    with probe.session():
        _run(probe, WARM_UP)
        before = trainer.ledger.samples
        seconds, done = _run(probe, steps)
        rows = (trainer.ledger.samples - before) / done
        flops, activations = _count(trainer)
        # the products of the network, computed as the training computes them
        limit, limit_of = machine_rate(trainer)
        trainer.begin_watching()
        with trainer.watch.phase("engine"):
            _run(probe, done)
        memory = {**_sizes(trainer), "activations": activations, "process": peak_resident()}
    parts = trainer.watch.seconds
    whole = sum(parts.values())
    shares = {name: parts.get(name, 0.0) / whole for name in PHASES}
    computing = (shares["forward"] + shares["backward"]) * seconds / done
    passes = trainer.micro_batches or len(trainer.batches)
    rate = flops * passes / computing if computing else 0.0
    return Profile(
        steps=done,
        batch_size=round(rows),
        step_seconds=seconds / done,
        rows_per_second=rows * done / seconds,
        phases=shares,
        flops=flops * passes,
        rate=rate,
        limit=limit,
        limit_of=limit_of,
        memory=memory,
        device=str(trainer.device),
        precision=trainer.precision.sentence,
        next_action=next_action(
            shares, share_of_limit=rate / limit, settings=settings, precision=trainer.precision
        ),
    )


def _run(probe: Probe, steps: int) -> tuple[float, int]:
    """Do steps; return the seconds that they took, and how many were done."""
    device = probe.trainer.device
    wait_for(device)
    began, done = time.perf_counter(), 0
    for done in probe.steps(steps):
        if done >= 3 and time.perf_counter() - began > LONGEST:
            break
    wait_for(device)
    return time.perf_counter() - began, done


def _count(trainer: Trainer) -> tuple[int, int]:
    """Return the operations of one forward and backward pass, and the bytes kept in between."""
    batch = next(iter(trainer.batches.epoch(0)))
    model = trainer.model
    own = {p.untyped_storage().data_ptr() for p in [*model.parameters(), *model.buffers()]}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    def compute() -> None:
        with (
            trainer.precision.for_training(),
            torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor),
        ):
            loss, _ = trainer.task.training_step(model, batch)
        loss.sum.backward()

    with untouched(model, trainer.device):
        counter = FlopCounterMode(display=False)
        with counter:
            compute()
        flops = counter.get_total_flops()
        activations = sum(kept.values())
        if trainer.device.type == "cuda":
            watch = Watch(trainer.device)
            watch.begin()
            compute()
            activations = watch.peak()
    trainer.forget_gradients()
    return flops, activations


def _sizes(trainer: Trainer) -> dict[str, int]:
    weights = [*trainer.model.parameters(), *trainer.model.buffers()]
    learned = [p for p in trainer.model.parameters() if p.requires_grad]
    return {
        "parameters": _bytes(weights),
        "gradients": _bytes(learned),
        "optimizer": _bytes(trainer.state.update.tensors().values()),
    }


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def machine_rate(trainer: Trainer, *, seconds: float = 0.5) -> tuple[float, str]:
    """Measure how fast this machine multiplies large matrices, as the training computes.

    Returns:
        Operations a second in the best of several products, and what was multiplied.
    """
    device = trainer.device
    kind = trainer.precision.autocast_type or torch.float32
    side = 8192 if device.type == "cuda" else 1024
    left, right = (torch.ones(side, side, dtype=kind, device=device) for _ in range(2))

    def product() -> float:
        began = time.perf_counter()
        torch.mm(left, right)
        wait_for(device)
        return time.perf_counter() - began

    with torch.no_grad():
        product()
        began, taken = time.perf_counter(), [product()]
        while time.perf_counter() - began < seconds:
            taken.append(product())
    words = str(kind).removeprefix("torch.")
    return 2 * side**3 / min(taken), f"{side:,} × {side:,} matrices, {words}"
