"""What a training reports."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class FitResult:
    """How a training went.

    Args:
        history: One dictionary an epoch: `epoch` (from 1), `step`, `seconds`, `train` and `val`
            (loss and scores), `learning_rate`, `best` (whether it was the best so far).
        best_epoch: The epoch whose weights the network has; None without validation rows.
        steps: Optimizer steps done.
        seconds: Time spent on training, also before a resume.
        stopped: Why it ended, in words.
        interrupted: Whether Ctrl-C ended it; it can be resumed then.
        precision: What the network computed with, in words.
        device: Where it computed.
        notes: What a person should know about the training, in sentences.
        skipped: Steps that were left out because of numbers that are not finite.
        compilation: What was compiled, or why not, in words; "" where it was not tried.
        health: One dictionary a look at the layers: `step`, `epoch` and `layers`, each with `name`
            and, where it has them, `kind`, `weight` and `gradient` (norms), `size` (number of
            weights), `update` (norm of the change over norm of the weights), `mean` and `std` of
            what it gives out, `dead` and `saturated` (shares of its units).
    """

    history: list[dict[str, Any]]
    best_epoch: int | None
    steps: int
    seconds: float
    stopped: str
    interrupted: bool
    precision: str
    device: str
    notes: tuple[str, ...] = ()
    skipped: int = 0
    compilation: str = ""
    health: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
