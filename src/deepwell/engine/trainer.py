"""The trainer: what the loop in `loop.py` acts upon."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.averaging import WeightAverage
from deepwell.engine.batches import IterableBatches, TensorBatches, as_batches, seed_of
from deepwell.engine.best import BestEpoch, copy_weights, weights_of
from deepwell.engine.callbacks import Callbacks, Stop, TrainState
from deepwell.engine.checkpoint import Checkpoints
from deepwell.engine.devices import resolve_device
from deepwell.engine.health import Before, Health
from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.interrupt import InterruptGuard
from deepwell.engine.ledger import Ledger
from deepwell.engine.loader_numbers import generators_of
from deepwell.engine.loggers.base import with_loggers
from deepwell.engine.means import RunningMeans
from deepwell.engine.mixing import Mixing, MixingTask
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.parallel import Parallel
from deepwell.engine.persistence import State, identity_of
from deepwell.engine.precision import (
    choose_precision,
    forward_work,
    lay_channels_last,
    wants_channels_last,
)
from deepwell.engine.processes import joined_processes
from deepwell.engine.result import FitResult
from deepwell.engine.safeguard import Safeguard
from deepwell.engine.settings import EngineSettings
from deepwell.engine.snapshot import own_host_numbers, seed_all
from deepwell.engine.strategies import check_strategy
from deepwell.engine.symmetry import explain_symmetry
from deepwell.engine.update import Update
from deepwell.engine.validation import validate
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
        _check_trainable(model)
        self._place(batches, val_batches)
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

    def _place(
        self,
        batches: Batches | Iterable[Any],
        val_batches: Batches | Iterable[Any] | None,
    ) -> None:
        """Move network and rows to the device, and decide what to compute with."""
        is_sharded = not self.processes.is_alone and self.settings.strategy == "fsdp"
        last = wants_channels_last(self.model) and not is_sharded
        self.model.to(self.device)
        if last:
            lay_channels_last(self.model)
        self.batches = as_batches(batches).to(self.device, channels_last=last)
        val = None if val_batches is None else as_batches(val_batches)
        self.val_batches = None if val is None else val.to(self.device, channels_last=last)
        self.precision = choose_precision(
            self.settings.precision,
            self.device,
            self.model,
            batch_rows=self.batches.batch_size or 0,
            work=self._work(),
            compiles_bytes=self.settings.compile == "on" and self._reads_bytes(),
        )
        is_full = OPTIMIZERS[self.settings.optimizer].is_full_batch
        self.micro_batches = None if is_full else self.settings.accumulate
        in_step = self.micro_batches or len(self.batches)
        steps = math.ceil(len(self.batches) / in_step) * self.settings.epochs
        self.total_steps = min(steps, self.settings.max_steps or steps)

    def _reads_bytes(self) -> bool:
        if not isinstance(self.batches, TensorBatches):
            return False
        return all(t == torch.uint8 for t in self.batches.input_types)

    def _work(self) -> float:
        """Count the operations of a batch, where that decides about the precision."""
        decides = self.settings.precision == "auto" and self.device.type == "cpu"
        # other batches may not be looked at without drawing their random numbers
        if not decides or not isinstance(self.batches, TensorBatches) or self.batches.augment:
            return 0.0
        try:
            return forward_work(self.model, next(self.batches.epoch(0)).inputs)
        except Exception:  # whatever is wrong with the network, the first step says it better
            return 0.0

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
        with fork, own_host_numbers(), self.precision.in_force(), self._guard, together:
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

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss as its gradient shall be taken: larger in 16-bit training."""
        return self.state.update.scale(loss)

    def update(self, correction: Tensor | None) -> None:
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
        train = self.means.read()
        self.safeguard.check_epoch(train["loss"])
        with self._averaged():
            val: dict[str, float] = {}
            if self.val_batches is not None:
                val = validate(
                    self.model,
                    self.task,
                    self.val_batches,
                    self.precision,
                    device=self.device,
                    parallel=self.parallel,
                )
                self.safeguard.check_val(val["loss"])
            is_best = self._compare((val or train)[self.settings.monitor])
        plateau = self.state.update.plateau
        if plateau is not None:
            plateau.note(is_best)
        self._read_clock()
        self.ledger.end_epoch(
            {
                "train": train,
                "val": val,
                "learning_rate": self.ledger.learning_rate,
                "best": is_best,
            }
        )
        self.means.reset()
        self._decide()
        self._heed(self.callbacks.epoch_ended(self.view()))
        self.is_interrupted = self.processes.any(self._guard.is_pressed)
        is_due = self.checkpoints is not None and self.checkpoints.is_due
        if self.processes.any(is_due and self.processes.is_first) or not self.is_running:
            self._save()

    @contextlib.contextmanager
    def _averaged(self) -> Generator[None]:
        """Give the network its mean weights while it is validated and compared, if it has any."""
        average = self.state.average
        if average is None:
            yield
            return
        average.after_epoch(self.model, self.ledger.epoch + 1)
        with average.in_place(self.model):
            rows = self.batches.epoch(self.ledger.epoch)
            if self.parallel is not None:
                rows = map(self.parallel.share, rows)
            average.refresh(self.model, rows, self.precision)
            yield

    def finish(self) -> FitResult:
        """Put the best weights back and report."""
        self._read_clock()
        ledger = self.ledger
        stopped = ledger.stopped or f"Stopped by Ctrl-C after {self._count('step', ledger.step)}."
        best, average = self.state.best, self.state.average
        best_epoch = best.epoch if self.val_batches is not None else None
        if best_epoch is not None and best.restore(self.model):
            stopped += f" The network has the weights of epoch {best_epoch}, the best by "
            stopped += f"validation {self.settings.monitor}."
        elif average is not None and average.is_ready:
            copy_weights(weights_of(self.model), average.weights)
            stopped += " The network has mean weights."
        if ledger.skipped:
            skipped = self._count("step", ledger.skipped)
            stopped += f" {skipped} left out because of numbers that are not finite; "
            stopped += ledger.first_skipped
        if self.parallel is not None:
            self.model = self.parallel.release()
        self.model.eval()
        return FitResult(
            history=ledger.history,
            best_epoch=best_epoch,
            steps=ledger.step,
            seconds=ledger.seconds,
            stopped=stopped,
            interrupted=self.is_interrupted,
            precision=self.precision.sentence,
            device=str(self.device),
            notes=self.notes,
            skipped=ledger.skipped,
            compilation=self.compilation,
            health=ledger.health,
        )

    def view(self) -> TrainState:
        """Return what callbacks may see."""
        self._read_clock()
        ledger = self.ledger
        return TrainState(
            epoch=ledger.epochs_begun,
            epochs=self.settings.epochs,
            step=ledger.step,
            total_steps=self.total_steps,
            micro_step=ledger.micro_step,
            samples=ledger.samples,
            seconds=ledger.seconds,
            learning_rate=ledger.learning_rate,
            loss=ledger.loss,
            record=MappingProxyType(ledger.history[-1]) if ledger.history else None,
            best_epoch=self.state.best.epoch,
            best_value=self.state.best.value,
            monitor=self.settings.monitor,
            precision=self.precision.sentence,
            device=str(self.device),
            stopped=ledger.stopped,
            notes=self.notes,
            health=tuple(ledger.health),
        )

    def _log(self) -> None:
        loss, weight, *_ = self.means.totals()
        self.safeguard.check_loss(loss)
        self.ledger.read_window(loss, weight)
        self._heed(self.callbacks.step_logged(self.view()))

    def _heed(self, wish: Stop | None) -> None:
        said = self.processes.share("" if wish is None else f"!{wish.reason}")
        if said and self.ledger.stopped is None:
            self.ledger.stopped = said[1:]

    def _compare(self, value: float) -> bool:
        """Note whether the epoch that ends now is the best so far, and keep its weights."""
        best = self.state.best
        is_best = best.is_improved_by(value)
        if is_best:
            best.note(value, self.ledger.epoch + 1)
        # without validation rows the copy is only the last one that is known to be good
        if is_best if self.val_batches is not None else not self.safeguard.reads_each_step:
            best.keep(self.model)
        return is_best

    def _decide(self) -> None:
        ledger, patience = self.ledger, self.settings.patience
        if ledger.stopped is not None:
            return
        if ledger.epoch >= self.settings.epochs:
            ledger.stopped = f"Finished {self._count('epoch', ledger.epoch)}."
        elif patience is not None and ledger.epoch - (self.state.best.epoch or 0) >= patience:
            rows = "validation" if self.val_batches is not None else "training"
            ledger.stopped = (
                f"Stopped after epoch {ledger.epoch}: the {rows} {self.settings.monitor} has not "
                f"improved for {self._count('epoch', patience)}."
            )

    @staticmethod
    def _count(noun: str, number: int) -> str:
        return f"{number:,} {noun}{'' if number == 1 else 's'}"

    def _read_clock(self) -> None:
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


def _check_trainable(model: nn.Module) -> None:
    parameters = [p for p in model.parameters() if p.requires_grad]
    if not parameters:
        raise TrainingError(
            "The network has no parameter that can be trained: requires_grad must be set on "
            "at least one."
        )
    if any(isinstance(p, nn.parameter.UninitializedParameter) for p in parameters):
        raise TrainingError(
            "The network has lazy layers whose size is not known yet: call it once on a "
            "batch before training."
        )
