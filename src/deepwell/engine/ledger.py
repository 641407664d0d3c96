"""The ledger: everything countable about a training, as plain numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True, kw_only=True)
class Ledger:
    """Counters, history and clock of a training; all of it goes into each checkpoint.

    Args:
        step: Optimizer steps done.
        micro_step: Batches seen.
        samples: Rows seen.
        epoch: Epochs ended.
        position: Batches seen in the epoch that is running.
        learning_rate: Of the last step.
        loss: Mean loss of the steps between the last two readings.
        window: Sums of loss and weight in this epoch at the last reading.
        seconds: Time spent until the ledger was last brought up to date.
        epoch_began: The value of `seconds` when the epoch began.
        history: One record an epoch.
        health: One record a look at the layers.
        stopped: Why the training is over, or None.
        skipped: Steps that were left out.
        skipped_in_a_row: Of them, the last ones without a good one between.
        first_skipped: Which was the first of them, in words.
    """

    step: int = 0
    micro_step: int = 0
    samples: int = 0
    epoch: int = 0
    position: int = 0
    learning_rate: float = 0.0
    loss: float | None = None
    window: tuple[float, float] = (0.0, 0.0)
    seconds: float = 0.0
    epoch_began: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    health: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    stopped: str | None = None
    skipped: int = 0
    skipped_in_a_row: int = 0
    first_skipped: str = ""

    @property
    def epochs_begun(self) -> int:
        """Epochs that have ended, and the one that is running."""
        return self.epoch + (1 if self.position else 0)

    def note_batch(self, num_rows: int) -> None:
        """Count a batch."""
        self.micro_step += 1
        self.position += 1
        self.samples += num_rows

    def read_window(self, loss_sum: float, weight: float) -> None:
        """Set `loss` to the mean since the last reading in this epoch."""
        before_sum, before_weight = self.window
        weight_since = weight - before_weight
        self.loss = (loss_sum - before_sum) / weight_since if weight_since else 0.0
        self.window = (loss_sum, weight)

    def end_epoch(self, record: Mapping[str, Any]) -> None:
        """Close the running epoch and add its record to the history."""
        seconds = round(self.seconds - self.epoch_began, 4)
        self.epoch += 1
        self.position = 0
        self.window = (0.0, 0.0)
        self.epoch_began = self.seconds
        head = {"epoch": self.epoch, "step": self.step, "seconds": seconds}
        self.history.append({**head, **record})

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return asdict(self)

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over everything that `to_json` returned."""
        for name, value in state.items():
            setattr(self, name, value)
        self.window = (self.window[0], self.window[1])
