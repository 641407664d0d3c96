"""The trainer: what the loop in `loop.py` acts upon."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.account import conclude, view_of
from deepwell.engine.averaging import WeightAverage
from deepwell.engine.batches import IterableBatches, seed_of
from deepwell.engine.best import BestEpoch, copy_weights, weights_of
from deepwell.engine.callbacks import Callbacks, Stop, TrainState
from deepwell.engine.checkpoint import Checkpoints
from deepwell.engine.denormal import EVERY, drop_faded
from deepwell.engine.devices import in_use, resolve_device
from deepwell.engine.epoch_end import end_epoch
from deepwell.engine.health import Before, Health
from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.interrupt import InterruptGuard
from deepwell.engine.ledger import Ledger
from deepwell.engine.loader_numbers import generators_of
from deepwell.engine.loggers.base import with_loggers
from deepwell.engine.means import SMALLEST_WEIGHT, RunningMeans
from deepwell.engine.mixing import Mixing, MixingTask
from deepwell.engine.parallel import Parallel
from deepwell.engine.persistence import State, identity_of
from deepwell.engine.placement import check_trainable, place
from deepwell.engine.processes import joined_processes
from deepwell.engine.result import FitResult
from deepwell.engine.safeguard import Safeguard
from deepwell.engine.settings import EngineSettings
from deepwell.engine.snapshot import own_host_numbers, seed_all
from deepwell.engine.strategies import check_strategy
from deepwell.engine.symmetry import explain_symmetry
from deepwell.engine.threads import choose_threads, threads_as_before
from deepwell.engine.update import Update
from deepwell.engine.writing import Writing
from deepwell.errors import ConfigError, DataError, TrainingError
from deepwell.types import Batch, Loss


class Trainer:
    """Network, optimizer and state of one training; `fit` drives it.

    Args:
        model: Moved to the device and trained in place.
        task: Gives loss and scores.
        batches: Training rows.
        val_batches: Validation rows, or None.
        settings: See `EngineSettings`.
        callbacks: See `Callback`.
        checkpoints: Where the state is kept, or None.
        seed: Of torch's global random numbers while training.

    Raises:
        ConfigError: A setting does not fit the machine or the task.
        TrainingError: The network has nothing that can be trained.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        task: TaskLike,
        batches: Batches | Iterable[Any],
        val_batches: Batches | Iterable[Any] | None,
        settings: EngineSettings,
        callbacks: Sequence[object],
        checkpoints: Checkpoints | None,
        seed: int,
    ) -> None:
        if seed < 0:
            raise ConfigError(f"A seed must be 0 or more. Got: seed={seed}.")
        self.processes = joined_processes()
        check_strategy(settings, size=self.processes.size)
        self.device = resolve_device(settings.device)
        self.settings = settings
        change = settings.regularisation
        self.task = MixingTask(task) if change.mixup or change.cutmix else task
        self._mixing = Mixing(change, seed=seed) if change.changes_rows else None
        self.seed = seed
        known = {"engine": settings.model_dump(mode="json")}
        told = with_loggers(callbacks, settings.loggers, known) if self.processes.is_first else ()
        self.callbacks = Callbacks(told)
        self.checkpoints = checkpoints
        self.writing = Writing(checkpoints, self.callbacks)
        self.is_interrupted = False
        self.model = model
        check_trainable(model, changes_rows=change.changes_rows)
        placed = place(
            model,
            batches,
            val_batches,
            settings=settings,
            device=self.device,
            is_sharded=not self.processes.is_alone and settings.strategy == "fsdp",
        )
        self.batches, self.val_batches = placed.batches, placed.val_batches
        self.precision = placed.precision
        self.micro_batches, self.total_steps = placed.micro_batches, placed.total_steps
        self.notes = explain_symmetry(model)
        self.parallel = self._divide()
        self.state = self._new_state(task.score_names)
        self.ledger, self.means = self.state.ledger, self.state.means
        self.safeguard = Safeguard(
            self.state,
            task=self.task,
            precision=self.precision,
            skips=settings.on_nan == "skip",
            parallel=self.parallel,
        )
        self.health = Health(
            self.model,
            task=self.task,
            precision=self.precision,
            total_steps=self.total_steps,
            is_on=settings.health and self.parallel is None,
        )
        self.compilation = ""
        self._guard = InterruptGuard()
        self._resumed_random: dict[str, Tensor] | None = None
        self._clock = time.perf_counter()

    def _divide(self) -> Parallel | None:
        """Return how the processes train together, or None if there is only this one."""
        processes, strategy = self.processes, self.settings.strategy
        if processes.is_alone:
            return None
        if isinstance(self.batches, IterableBatches):
            raise DataError(
                "Several processes must agree on the order of the rows: give them as "
                f"TensorBatches. Got: {type(self.batches.source).__name__}."
            )
        parallel = Parallel(self.model, processes, is_sharded=strategy == "fsdp")
        self.model = parallel.model
        self.notes += (parallel.note(self.batches.batch_size),)
        return parallel

    @property
    def parallel_in_force(self) -> Parallel:
        """How several processes train together, where there are several."""
        if self.parallel is None:
            raise TrainingError("There is one process only.")
        return self.parallel

    def _new_state(self, score_names: Sequence[str]) -> State:
        settings, model = self.settings, self.model
        average = None
        if settings.averaging.is_on:
            average = WeightAverage(model, settings.averaging, epochs=settings.epochs)
        update = Update(
            model,
            settings=settings,
            total_steps=self.total_steps,
            device=self.device,
            needs_scaler=self.precision.needs_scaler,
        )
        return State(
            model=model,
            update=update,
            ledger=Ledger(),
            means=RunningMeans(score_names, self.device, self.processes),
            best=BestEpoch(settings.monitor, score_names=score_names),
            average=average,
            device=self.device,
            generators=generators_of(self.batches, self.val_batches),
            processes=self.processes,
        )

    @contextlib.contextmanager
    def session(self) -> Generator[None]:
        """Seed, take over Ctrl-C and matrix precision, and give all of it back at the end."""
        cards = [self.device] if self.device.type == "cuda" else []
        together = contextlib.nullcontext()
        if self.parallel is not None:
            together = self.parallel.in_force(self.task, self.batches.epoch(0), self.device)
        fork = torch.random.fork_rng(devices=cards)
        with (
            fork,
            own_host_numbers(),
            in_use(self.device),
            threads_as_before(),
            self.precision.in_force(),
            self._guard,
            together,
        ):
            self._begin()
            try:
                self.callbacks.fit_started(self.view())
                yield
                self.writing.end()
            finally:
                self.writing.give_up()
                self.forget_gradients()
                self.callbacks.fit_ended(self.view())

    def _begin(self) -> None:
        rank = self.processes.rank  # dropout and the like differ between processes
        seed_all(seed_of(self.seed, 2, *([rank] if rank else [])))
        self.forget_gradients()
        self._clock = time.perf_counter()
        if self.checkpoints is not None:
            self._resumed_random = self.state.resume(self.checkpoints, self._identity())
        self.notes += choose_threads(self)
        self.safeguard.begin()

    @property
    def is_running(self) -> bool:
        """Whether there is more to do."""
        return self.ledger.stopped is None and not self.is_interrupted

    def open_epoch(self) -> Iterator[Batch]:
        """Return the batches of the running epoch that have not been seen."""
        self.model.train()
        resumed, self._resumed_random = self._resumed_random, None
        if resumed is None:
            self.state.epoch_random = self.state.random()
        else:
            # a DataLoader draws its order when it is opened: let it draw the same one again
            self.state.set_random(self.state.epoch_random)
        rows = self.batches.epoch(self.ledger.epoch, start=self.ledger.position)
        if resumed is not None:
            self.state.set_random(resumed)
        if self._mixing is not None:
            return self._mixing.stream(rows, self.ledger.epoch, self.ledger.position)
        return rows

    def note(self, batch: Batch, loss: Loss, outputs: Tensor, *, rows: int | None = None) -> None:
        """Count a batch and add its loss and scores to the running means.

        Args:
            batch: The rows of this process.
            loss: Of these rows.
            outputs: Of the network for these rows.
            rows: Rows in all processes, if there are several.
        """
        scores = self.task.scores(outputs.detach(), batch.targets)
        self.note_scores(batch, loss, scores, rows=rows)

    def note_scores(
        self, batch: Batch, loss: Loss, scores: Mapping[str, Tensor], *, rows: int | None = None
    ) -> None:
        """Count a batch and add its loss and scores, (batch,), to the running means."""
        self.health.see(self.ledger.step, batch)
        if self.safeguard.accepts(batch, loss):
            self.means.add(loss, scores, batch.weight)
        self.ledger.note_batch(len(batch.targets) if rows is None else rows)

    def note_whole(self, num_rows: int, sums: Sequence[float], rate: float) -> None:
        """Count a batch, and the step that was done with it as one program.

        Args:
            num_rows: Rows of the batch.
            sums: Loss, its weight, the weight of the rows and the scores, as sums.
            rate: The learning rate of the step.
        """
        self.means.add_sums(sums)
        self.ledger.note_batch(num_rows)
        self.ledger.learning_rate = rate
        self._end_step(True, None)

    def weight_of(self, loss: Loss) -> Tensor | float:
        """Return the weight of the rows of a loss, more than zero; as a number where that is free.

        A number makes a step of a tiny network some 5 µs shorter than a tensor that holds it.
        """
        if self.device.type == "cpu":
            return max(loss.weight.item(), SMALLEST_WEIGHT)
        return loss.weight.detach().clamp_min(SMALLEST_WEIGHT)

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss as its gradient shall be taken: larger in 16-bit training."""
        return self.state.update.scale(loss)

    def update(self, correction: Tensor | float | None) -> None:
        """Do the optimizer step.

        Args:
            correction: Factor for all gradients, a scalar, or None for 1.
        """
        is_good = self.safeguard.prepares(correction)
        seen = self.health.before_step(self.ledger.step) if is_good else None
        if is_good:
            self.ledger.learning_rate = self.state.update.apply(self.ledger.step)
        self._end_step(is_good, seen)

    def search(self, evaluate: Callable[[], Tensor]) -> None:
        """Do the step of an optimizer that evaluates the loss several times.

        Args:
            evaluate: Sets the gradients and returns the loss, see `complete`.
        """
        before = {name: tensor.clone() for name, tensor in weights_of(self.model).items()}
        seen = self.health.before_step(self.ledger.step)
        self.ledger.learning_rate = self.state.update.search(evaluate, self.ledger.step)
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            copy_weights(weights_of(self.model), before)
            self.safeguard.refuse_weights()
        self._end_step(True, seen)

    def complete(self, loss: Tensor, correction: Tensor | None) -> Tensor:
        """Correct gradients and add the penalty to them and to the loss, which is returned."""
        return self.state.update.complete(loss, correction)

    def forget_gradients(self) -> None:
        """Free the gradients."""
        self.state.update.forget_gradients()

    def _end_step(self, is_good: bool, seen: Before | None) -> None:
        self.ledger.step += 1
        if self.ledger.step % EVERY == 0 and self.device.type == "cpu":
            drop_faded(self.state.update.optimizer)
        line = self.health.after_step(seen, step=self.ledger.step, epoch=self.ledger.epoch + 1)
        if line is not None:
            self.ledger.health.append(line)
        self.safeguard.end_step(is_good)
        if self.state.average is not None and is_good:
            self.state.average.after_step(self.model, self.ledger.step)

    def after_step(self) -> None:
        """Log, save or stop, if it is time."""
        ledger, settings = self.ledger, self.settings
        self.writing.look()
        if ledger.step % settings.log_every == 0:
            self._log()
        if ledger.stopped is None and ledger.step == settings.max_steps:
            ledger.stopped = f"Reached the limit of {ledger.step:,} steps."
        if ledger.stopped is not None:
            return
        if self._is_pressed():
            self.is_interrupted = True
            self._save()
        elif settings.checkpoint_every and ledger.step % settings.checkpoint_every == 0:
            self._save()

    def _is_pressed(self) -> bool:
        """Return whether Ctrl-C was pressed; processes agree, on cards when losses are read."""
        pressed = self._guard.is_pressed
        if self.processes.is_alone or self.device.type == "cpu":
            return self.processes.any(pressed)
        return self.ledger.step % self.settings.log_every == 0 and self.processes.any(pressed)

    def close_epoch(self) -> None:
        """Validate, write the record, keep the best weights and decide whether to go on."""
        if self.is_interrupted:
            return
        end_epoch(self)
        self._heed(self.callbacks.epoch_ended(self.view()))
        self.is_interrupted = self.processes.any(self._guard.is_pressed)
        is_due = self.checkpoints is not None and self.checkpoints.is_due
        if self.processes.any(is_due and self.processes.is_first) or not self.is_running:
            self._save()

    def finish(self) -> FitResult:
        """Put the best weights back and report."""
        self.read_clock()
        result = conclude(self)
        if self.parallel is not None:
            self.model = self.parallel.release()
        self.model.eval()
        return result

    def view(self) -> TrainState:
        """Return what callbacks may see."""
        self.read_clock()
        return view_of(self)

    def _log(self) -> None:
        loss, weight, *_ = self.means.totals()
        self.safeguard.check_loss(loss)
        self.ledger.read_window(loss, weight)
        self._heed(self.callbacks.step_logged(self.view()))

    def _heed(self, wish: Stop | None) -> None:
        said = self.processes.share("" if wish is None else f"!{wish.reason}")
        if said and self.ledger.stopped is None:
            self.ledger.stopped = said[1:]

    def read_clock(self) -> None:
        """Add the time since the last reading to that of the training."""
        now = time.perf_counter()
        self.ledger.seconds += now - self._clock
        self._clock = now

    def _identity(self) -> dict[str, Any]:
        return identity_of(
            self.settings,
            seed=self.seed,
            num_batches=len(self.batches),
            has_val=self.val_batches is not None,
        )

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        self.writing.end()
        view, has_val = self.view(), self.val_batches is not None
        path = self.state.save(self.checkpoints, self._identity(), keeps_best=has_val)
        self.writing.begin(view, path)
