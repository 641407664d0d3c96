"""The safeguard: notices numbers that are not finite before they spoil the weights."""

from __future__ import annotations

import contextlib
import math
from typing import NoReturn

from torch import Tensor

from deepwell.engine.finite import birthplace, explain_gradient, explain_loss
from deepwell.engine.interfaces import TaskLike
from deepwell.engine.parallel import Parallel
from deepwell.engine.persistence import State
from deepwell.engine.precision import Precision
from deepwell.engine.skipping import Skipping
from deepwell.errors import TrainingError
from deepwell.types import Batch, Loss


class Safeguard:
    """Stops a training at the first bad number, or leaves its step out.

    On a processor, where reading is free, and wherever bad steps are to be skipped, every loss and
    gradient is looked at. Elsewhere bad numbers are found when the losses are read.

    Args:
        state: Of the training.
        task: Gives the loss.
        precision: What the network computes with.
        skips: Whether bad steps are left out instead of ending the training.
        parallel: Several processes that must all stop, or all leave the step out; or None.
    """

    def __init__(
        self,
        state: State,
        *,
        task: TaskLike,
        precision: Precision,
        skips: bool,
        parallel: Parallel | None = None,
    ) -> None:
        self._parallel = parallel
        self._state = state
        self._task = task
        self._precision = precision
        self._skipping = Skipping(state.model) if skips else None
        self._seen: list[Batch] = []
        self._first_step = 0
        self.reads_each_step = state.device.type == "cpu" or skips

    def begin(self) -> None:
        """Take the state, which may have been resumed, as good."""
        self._first_step = self._state.ledger.step
        if self._skipping is not None:
            self._skipping.end_step(self._state.model, is_good=True)
        best = self._state.best
        if not self.reads_each_step and best.weights is None:
            best.keep(self._state.model)

    def accepts(self, batch: Batch, loss: Loss) -> bool:
        """Return whether a loss is finite, as far as it is read now.

        Raises:
            TrainingError: It is not, and bad steps are not left out.
        """
        if not self.reads_each_step:
            return True
        self._seen.append(batch)
        is_bad = not math.isfinite(loss.sum.item())
        if not self._state.processes.any(is_bad):
            return True
        self._refuse("The loss", self._agreed(explain_loss(batch) if is_bad else ""))
        return False

    def prepares(self, correction: Tensor | float | None) -> bool:
        """Correct and clip the gradients; return whether the optimizer may use them.

        Raises:
            TrainingError: A gradient is not finite, and bad steps are not left out.
        """
        state = self._state
        is_good = self._skipping is None or not self._skipping.is_due
        if is_good and self._is_bad_anywhere(not state.update.prepare(correction)):
            self._refuse("A gradient", self._agreed(explain_gradient(state.model)))
            is_good = False
        if not is_good and not state.ledger.first_skipped:
            place = self._birthplace()
            state.ledger.first_skipped = f"the first was {self._here()}. {place}".rstrip()
        return is_good

    def _is_bad_anywhere(self, is_bad: bool) -> bool:
        """Return whether a gradient is bad; it is the same everywhere if it is not divided."""
        is_divided = self._parallel is not None and self._parallel.is_sharded
        return self._state.processes.any(is_bad) if is_divided else is_bad

    def _agreed(self, text: str) -> str:
        """Return the first text of all processes that is not empty."""
        return next(filter(None, self._state.processes.gather_texts(text)), "")

    def _birthplace(self) -> str:
        """Say where a bad number came up first, in whichever process."""
        state, parallel = self._state, self._parallel
        if parallel is None:
            return birthplace(state.model, self._task, self._seen, self._precision)
        if parallel.is_sharded:  # one process cannot run it without the others
            return ""
        place = ""
        # batch normalisation cannot read a single row alone
        with parallel.norm.alone(), contextlib.suppress(ValueError):
            place = birthplace(state.model, self._task, self._seen, self._precision)
        return self._agreed(place)

    def refuse_weights(self) -> NoReturn:
        """End the training, because a search led to bad weights that were taken back."""
        place = self._birthplace()
        self._fail(f"A weight is not a finite number at {self._here()}. {place}".rstrip(), _LOWER)

    def end_step(self, is_good: bool) -> None:
        """Forget the batches of a step, and what it did if it was bad; the step is counted."""
        self._seen.clear()
        if self._skipping is None:
            return
        self._skipping.end_step(self._state.model, is_good)
        if is_good:
            self._state.ledger.skipped_in_a_row = 0
        else:
            self._state.update.forget_gradients()

    def _refuse(self, what: str, remedy: str) -> None:
        """Stop because of a number that is not finite, or note that this step is left out."""
        what = f"{what} is not a finite number at {self._here()}."
        if self._skipping is None:
            self._fail(f"{what} {self._birthplace()}".rstrip(), remedy)
        if self._skipping.is_due:
            return
        self._skipping.is_due = True
        ledger = self._state.ledger
        ledger.skipped += 1
        ledger.skipped_in_a_row += 1
        if ledger.skipped_in_a_row >= Skipping.MOST:
            self._fail(f"{what} So it was in {Skipping.MOST} steps in a row.", remedy)

    def check_loss(self, loss: float) -> None:
        """Stop if the sum since the start of the epoch, or a gradient on the device, is bad.

        Raises:
            TrainingError: It is.
        """
        update = self._state.update
        is_good = not self._state.processes.any(not update.is_good())
        if is_good and math.isfinite(loss):
            return
        what = "A gradient" if math.isfinite(loss) else "The loss"
        what = f"{what} was no finite number by {self._here(done=True)}."
        if not is_good:
            first = self._first_step + update.good_steps() + 1
            what += f" The first bad gradient was that of step {first:,}."
        self._fail(what, explain_gradient(self._state.model))

    def check_epoch(self, loss: float) -> None:
        """Stop if no step of an epoch could be done, or its loss is bad.

        Raises:
            TrainingError: So it is.
        """
        if self._skipping is not None and self._state.means.totals()[1] == 0:
            epoch = self._state.ledger.epoch + 1
            self._fail(f"No step of epoch {epoch} could be done.", "Look at the rows.")
        self.check_loss(loss)

    def check_val(self, loss: float) -> None:
        """Stop if the validation loss is bad.

        Raises:
            TrainingError: It is.
        """
        if not math.isfinite(loss):
            self._fail(
                f"The validation loss is not a finite number after {self._here(done=True)}.",
                "Look for such values in the validation rows, or lower learning_rate.",
            )

    def _fail(self, what: str, remedy: str) -> NoReturn:
        state = self._state
        restored = state.best.restore(state.model)
        kept = "its best epoch" if restored and state.best.epoch else "before that step"
        rate = f"{state.update.rate(state.ledger.step):.3g}"
        raise TrainingError(
            f"{what} {remedy} The learning rate was {rate}; the network has the weights from "
            f"{kept}."
        )

    def _here(self, *, done: bool = False) -> str:
        ledger = self._state.ledger
        step = ledger.step + (0 if done else 1)
        return f"step {step:,} (epoch {ledger.epoch + 1})"


_LOWER = "Lower learning_rate."
