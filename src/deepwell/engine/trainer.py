"""The trainer: what the loop in `loop.py` acts upon."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NoReturn

import torch
from torch import Tensor, nn

from deepwell.engine.averaging import WeightAverage
from deepwell.engine.batches import as_batches, seed_of
from deepwell.engine.best import BestEpoch, copy_weights, weights_of
from deepwell.engine.callbacks import Callbacks, Stop, TrainState
from deepwell.engine.checkpoint import Checkpoint, Checkpoints
from deepwell.engine.devices import resolve_device
from deepwell.engine.finite import birthplace, explain_gradient, explain_loss
from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.interrupt import InterruptGuard
from deepwell.engine.ledger import Ledger
from deepwell.engine.means import RunningMeans
from deepwell.engine.mixing import Mixing, MixingTask
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.precision import choose_precision, lay_channels_last, wants_channels_last
from deepwell.engine.result import FitResult
from deepwell.engine.settings import EngineSettings
from deepwell.engine.skipping import Skipping
from deepwell.engine.snapshot import (
    check_fit,
    prefixed,
    random_state,
    set_random_state,
    under,
)
from deepwell.engine.symmetry import explain_symmetry
from deepwell.engine.update import Update
from deepwell.engine.validation import validate
from deepwell.errors import ConfigError, RunError, TrainingError
from deepwell.types import Batch, Loss

_MAY_DIFFER = {"device", "log_every", "checkpoint_every"}
"""Settings that may be changed in a resumed training: they do not change what is learned."""


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
        self.device = resolve_device(settings.device)
        self.settings = settings
        change = settings.regularisation
        self.task = MixingTask(task) if change.mixup or change.cutmix else task
        self._mixing = Mixing(change, seed=seed) if change.changes_rows else None
        self.seed = seed
        self.callbacks = Callbacks(callbacks)
        self.checkpoints = checkpoints
        self.best = BestEpoch(settings.monitor, score_names=task.score_names)
        self.means = RunningMeans(task.score_names, self.device)
        self.ledger = Ledger()
        self.is_interrupted = False
        self.model = model
        _check_trainable(model)
        self._place(batches, val_batches)
        self.notes = explain_symmetry(model)
        is_averaged = settings.averaging.is_on
        self._average = (
            WeightAverage(model, settings.averaging, epochs=settings.epochs)
            if is_averaged
            else None
        )
        self._skipping = Skipping(model) if settings.on_nan == "skip" else None
        self._seen: list[Batch] = []
        self._update = Update(
            model,
            settings=settings,
            total_steps=self.total_steps,
            device=self.device,
            needs_scaler=self.precision.needs_scaler,
        )
        # reading is free on a processor only; elsewhere bad numbers are found when logging
        self._reads_each_step = self.device.type == "cpu" or self._skipping is not None
        self._guard = InterruptGuard()
        self._epoch_random = random_state(self.device)
        self._resumed_random: dict[str, Tensor] | None = None
        self._first_step = 0
        self._clock = time.perf_counter()

    def _place(
        self,
        batches: Batches | Iterable[Any],
        val_batches: Batches | Iterable[Any] | None,
    ) -> None:
        """Move network and rows to the device, and decide what to compute with."""
        last = wants_channels_last(self.model)
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
        )
        is_full = OPTIMIZERS[self.settings.optimizer].is_full_batch
        self.micro_batches = None if is_full else self.settings.accumulate
        in_step = self.micro_batches or len(self.batches)
        steps = math.ceil(len(self.batches) / in_step) * self.settings.epochs
        self.total_steps = min(steps, self.settings.max_steps or steps)

    @contextlib.contextmanager
    def session(self) -> Generator[None]:
        """Seed, take over Ctrl-C and matrix precision, and give all of it back at the end."""
        cards = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=cards), self.precision.in_force(), self._guard:
            self._begin()
            try:
                self.callbacks.fit_started(self.state())
                yield
            finally:
                self._update.forget_gradients()
                self.callbacks.fit_ended(self.state())

    def _begin(self) -> None:
        torch.manual_seed(seed_of(self.seed, 2))
        self._update.forget_gradients()
        self._clock = time.perf_counter()
        if self.checkpoints is not None:
            self._resume(self.checkpoints)
        if not self._reads_each_step and self.best.weights is None:
            self.best.keep(self.model)

    @property
    def is_running(self) -> bool:
        """Whether there is more to do."""
        return self.ledger.stopped is None and not self.is_interrupted

    def open_epoch(self) -> Iterator[Batch]:
        """Return the batches of the running epoch that have not been seen."""
        self.model.train()
        resumed, self._resumed_random = self._resumed_random, None
        if resumed is None:
            self._epoch_random = random_state(self.device)
        else:
            # a DataLoader draws its order when it is opened: let it draw the same one again
            set_random_state(self._epoch_random, self.device)
        rows = self.batches.epoch(self.ledger.epoch, start=self.ledger.position)
        if resumed is not None:
            set_random_state(resumed, self.device)
        if self._mixing is not None:
            return self._mixing.stream(rows, self.ledger.epoch, self.ledger.position)
        return rows

    def note(self, batch: Batch, loss: Loss, outputs: Tensor) -> None:
        """Count a batch and add its loss and scores to the running means."""
        if self._reads_each_step:
            self._seen.append(batch)
            if not math.isfinite(loss.sum.item()):
                self._refuse("The loss", explain_loss(batch))
                self.ledger.note_batch(len(batch.targets))
                return
        with torch.no_grad():
            scores = self.task.scores(outputs.detach(), batch.targets)
            self.means.add(loss, scores, batch.weight)
        self.ledger.note_batch(len(batch.targets))

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss as its gradient shall be taken: larger in 16-bit training."""
        return self._update.scale(loss)

    def update(self, correction: Tensor | None) -> None:
        """Do the optimizer step.

        Args:
            correction: Factor for all gradients, a scalar, or None for 1.
        """
        is_good = self._skipping is None or not self._skipping.is_due
        if is_good and not self._update.prepare(correction):
            self._refuse("A gradient", explain_gradient(self.model))
            is_good = False
        if not is_good and not self.ledger.first_skipped:
            place = birthplace(self.model, self.task, self._seen, self.precision)
            self.ledger.first_skipped = f"the first was {self._here()}. {place}".rstrip()
        if is_good:
            self.ledger.learning_rate = self._update.apply(self.ledger.step)
        self._end_step(is_good)

    def search(self, evaluate: Callable[[], Tensor]) -> None:
        """Do the step of an optimizer that evaluates the loss several times.

        Args:
            evaluate: Sets the gradients and returns the loss, see `complete`.
        """
        before = {name: tensor.clone() for name, tensor in weights_of(self.model).items()}
        self.ledger.learning_rate = self._update.search(evaluate, self.ledger.step)
        if not all(bool(torch.isfinite(p).all()) for p in self.model.parameters()):
            copy_weights(weights_of(self.model), before)
            self._refuse("A weight", "Lower learning_rate.")
        self._end_step(True)

    def complete(self, loss: Tensor, correction: Tensor | None) -> Tensor:
        """Correct gradients and add the penalty to them and to the loss, which is returned."""
        return self._update.complete(loss, correction)

    def forget_gradients(self) -> None:
        """Free the gradients."""
        self._update.forget_gradients()

    def _end_step(self, is_good: bool) -> None:
        self.ledger.step += 1
        self._seen.clear()
        if self._skipping is not None:
            self._skipping.end_step(self.model, is_good)
            if is_good:
                self.ledger.skipped_in_a_row = 0
            else:
                self._update.forget_gradients()
        if self._average is not None and is_good:
            self._average.after_step(self.model, self.ledger.step)

    def _refuse(self, what: str, remedy: str) -> None:
        """Stop because of a number that is not finite, or note that this step is left out."""
        what = f"{what} is not a finite number at {self._here()}."
        if self._skipping is None:
            place = birthplace(self.model, self.task, self._seen, self.precision)
            self._fail(f"{what} {place}".rstrip(), remedy)
        if self._skipping.is_due:
            return
        self._skipping.is_due = True
        self.ledger.skipped += 1
        self.ledger.skipped_in_a_row += 1
        if self.ledger.skipped_in_a_row >= Skipping.MOST:
            self._fail(f"{what} So it was in {Skipping.MOST} steps in a row.", remedy)

    def after_step(self) -> None:
        """Log, save or stop, if it is time."""
        ledger, settings = self.ledger, self.settings
        if ledger.step % settings.log_every == 0:
            self._log()
        if ledger.stopped is None and ledger.step == settings.max_steps:
            ledger.stopped = f"Reached the limit of {ledger.step:,} steps."
        if ledger.stopped is not None:
            return
        if self._guard.is_pressed:
            self.is_interrupted = True
            self._save()
        elif settings.checkpoint_every and ledger.step % settings.checkpoint_every == 0:
            self._save()

    def close_epoch(self) -> None:
        """Validate, write the record, keep the best weights and decide whether to go on."""
        if self.is_interrupted:
            return
        train = self.means.read()
        if self._skipping is not None and self.means.sums()[1] == 0:
            self._fail(
                f"No step of epoch {self.ledger.epoch + 1} could be done.", "Look at the rows."
            )
        self._require_finite(train["loss"])
        with self._averaged():
            val: dict[str, float] = {}
            if self.val_batches is not None:
                val = validate(
                    self.model, self.task, self.val_batches, self.precision, device=self.device
                )
                self._require_finite_val(val["loss"])
            is_best = self._compare((val or train)[self.settings.monitor])
        if self._update.plateau is not None:
            self._update.plateau.note(is_best)
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
        self._heed(self.callbacks.epoch_ended(self.state()))
        self.is_interrupted = self._guard.is_pressed
        if not self.is_running or (self.checkpoints is not None and self.checkpoints.is_due):
            self._save()

    @contextlib.contextmanager
    def _averaged(self) -> Generator[None]:
        """Give the network its mean weights while it is validated and compared, if it has any."""
        average = self._average
        if average is None:
            yield
            return
        average.after_epoch(self.model, self.ledger.epoch + 1)
        with average.in_place(self.model):
            average.refresh(self.model, self.batches, self.ledger.epoch, self.precision)
            yield

    def finish(self) -> FitResult:
        """Put the best weights back and report."""
        self._read_clock()
        ledger = self.ledger
        stopped = ledger.stopped or f"Stopped by Ctrl-C after {self._count('step', ledger.step)}."
        best_epoch = self.best.epoch if self.val_batches is not None else None
        if best_epoch is not None and self.best.restore(self.model):
            stopped += f" The network has the weights of epoch {best_epoch}, the best by "
            stopped += f"validation {self.settings.monitor}."
        elif self._average is not None and self._average.is_ready:
            copy_weights(weights_of(self.model), self._average.weights)
            stopped += " The network has mean weights."
        if ledger.skipped:
            skipped = self._count("step", ledger.skipped)
            stopped += f" {skipped} left out because of numbers that are not finite; "
            stopped += ledger.first_skipped
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
        )

    def state(self) -> TrainState:
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
            best_epoch=self.best.epoch,
            best_value=self.best.value,
            monitor=self.settings.monitor,
            precision=self.precision.sentence,
            device=str(self.device),
            stopped=ledger.stopped,
            notes=self.notes,
        )

    def _log(self) -> None:
        loss, weight, *_ = self.means.sums()
        self._require_finite(loss)
        self.ledger.read_window(loss, weight)
        self._heed(self.callbacks.step_logged(self.state()))

    def _heed(self, wish: Stop | None) -> None:
        if wish is not None and self.ledger.stopped is None:
            self.ledger.stopped = wish.reason

    def _compare(self, value: float) -> bool:
        """Note whether the epoch that ends now is the best so far, and keep its weights."""
        is_best = self.best.is_improved_by(value)
        if is_best:
            self.best.note(value, self.ledger.epoch + 1)
        # without validation rows the copy is only the last one that is known to be good
        if is_best if self.val_batches is not None else not self._reads_each_step:
            self.best.keep(self.model)
        return is_best

    def _decide(self) -> None:
        ledger, patience = self.ledger, self.settings.patience
        if ledger.stopped is not None:
            return
        if ledger.epoch >= self.settings.epochs:
            ledger.stopped = f"Finished {self._count('epoch', ledger.epoch)}."
        elif patience is not None and ledger.epoch - (self.best.epoch or 0) >= patience:
            rows = "validation" if self.val_batches is not None else "training"
            ledger.stopped = (
                f"Stopped after epoch {ledger.epoch}: the {rows} {self.settings.monitor} has not "
                f"improved for {self._count('epoch', patience)}."
            )

    def _require_finite(self, loss: float) -> None:
        """Stop if the sum since the start of the epoch, or a gradient on the device, is bad."""
        is_good = self._update.is_good()
        if is_good and math.isfinite(loss):
            return
        what = "A gradient" if math.isfinite(loss) else "The loss"
        what = f"{what} was no finite number by {self._here(done=True)}."
        if not is_good:
            first = self._first_step + self._update.good_steps() + 1
            what += f" The first bad gradient was that of step {first:,}."
        self._fail(what, explain_gradient(self.model))

    def _require_finite_val(self, loss: float) -> None:
        if not math.isfinite(loss):
            self._fail(
                f"The validation loss is not a finite number after {self._here(done=True)}.",
                "Look for such values in the validation rows, or lower learning_rate.",
            )

    def _fail(self, what: str, remedy: str) -> NoReturn:
        restored = self.best.restore(self.model)
        kept = "its best epoch" if restored and self.best.epoch else "before that step"
        rate = f"{self._update.rate(self.ledger.step):.3g}"
        raise TrainingError(
            f"{what} {remedy} The learning rate was {rate}; the network has the weights from "
            f"{kept}."
        )

    def _here(self, *, done: bool = False) -> str:
        step = self.ledger.step + (0 if done else 1)
        return f"step {step:,} (epoch {self.ledger.epoch + 1})"

    @staticmethod
    def _count(noun: str, number: int) -> str:
        return f"{number:,} {noun}{'' if number == 1 else 's'}"

    def _read_clock(self) -> None:
        now = time.perf_counter()
        self.ledger.seconds += now - self._clock
        self._clock = now

    def _identity(self) -> dict[str, Any]:
        """Return what must be the same for a resume to be exact."""
        settings = self.settings.model_dump(mode="json")
        kept = {name: value for name, value in settings.items() if name not in _MAY_DIFFER}
        return {
            **kept,
            "seed": self.seed,
            "number of batches": len(self.batches),
            "validation rows": self.val_batches is not None,
        }

    def _save(self) -> None:
        if self.checkpoints is None:
            return
        self._read_clock()
        has_best = self.val_batches is not None and self.best.epoch is not None
        is_current = self.best.epoch == self.ledger.epoch and self.ledger.position == 0
        tensors = {
            **prefixed("model", weights_of(self.model)),
            **prefixed("update", self._update.tensors()),
            **prefixed("random", random_state(self.device)),
            **prefixed("epoch_random", self._epoch_random),
        }
        if has_best and (self._average is not None or not is_current):
            tensors |= prefixed("best", self.best.weights or {})
        if self._average is not None:
            tensors |= prefixed("average", self._average.weights)
        state = {
            "identity": self._identity(),
            "ledger": self.ledger.to_json(),
            "means": self.means.sums(),
            "best": {"epoch": self.best.epoch, "value": self.best.value, "is_kept": has_best},
            "update": self._update.to_json(),
            "average": None if self._average is None else self._average.to_json(),
        }
        path = self.checkpoints.save(self.ledger.step, tensors, state)
        self.callbacks.checkpoint_saved(self.state(), path)

    def _resume(self, checkpoints: Checkpoints) -> None:
        if not checkpoints.resume and checkpoints.paths():
            raise RunError(
                f"{checkpoints.folder} holds checkpoints already: go on from them with "
                "Checkpoints(folder, resume=True), or choose another folder."
            )
        checkpoint = checkpoints.latest()
        if checkpoint is not None:
            self._check_identity(checkpoint.state["identity"])
            self._load(checkpoint)

    def _check_identity(self, saved: Mapping[str, Any]) -> None:
        # what an older version did not know was as it is by default now
        known = {**EngineSettings().model_dump(mode="json"), **saved}
        for name, value in self._identity().items():
            if known.get(name) != value:
                raise RunError(
                    f"The checkpoint was made with {name} = {known.get(name)}, and {value} is "
                    "asked for now: resume with the settings of the first run, or start anew."
                )

    def _load(self, checkpoint: Checkpoint) -> None:
        tensors, state = checkpoint.tensors, checkpoint.state
        current, saved = weights_of(self.model), under("model", tensors)
        check_fit(saved, current)
        copy_weights(current, saved)
        self._update.load(under("update", tensors), state["update"])
        self.ledger = Ledger.from_json(state["ledger"])
        self._first_step = self.ledger.step
        self.means.load(state["means"])
        self._load_best(state["best"], under("best", tensors))
        if self._average is not None:
            self._average.load(under("average", tensors), state["average"])
        if self._skipping is not None:
            self._skipping.end_step(self.model, is_good=True)
        random = under("random", tensors)
        set_random_state(random, self.device)
        if self.ledger.position:
            self._epoch_random = under("epoch_random", tensors)
            self._resumed_random = random

    def _load_best(self, state: Mapping[str, Any], weights: dict[str, Tensor]) -> None:
        if state["epoch"] is None:
            return
        self.best.note(state["value"], state["epoch"])
        if state["is_kept"]:
            self.best.keep(self.model)
            if weights:
                copy_weights(self.best.weights or {}, weights)


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
