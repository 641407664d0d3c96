"""Callbacks: what an onlooker of a training may see, and the one thing that it may ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from deepwell.errors import ConfigError, did_you_mean, listing

EVENTS = (
    "on_fit_started",
    "on_step_logged",
    "on_epoch_ended",
    "on_checkpoint_saved",
    "on_fit_ended",
)
"""Everything that a callback can be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainState:
    """Where a training stands; a copy, so that nothing can be changed through it.

    Args:
        epoch: Epochs begun: 0 before the first step, 1 in the first epoch.
        epochs: Epochs that are planned.
        step: Optimizer steps done.
        total_steps: Optimizer steps that are planned.
        micro_step: Batches seen.
        samples: Rows seen, each as often as it was.
        seconds: Time spent on training, also before a resume.
        learning_rate: Of the last step.
        loss: Mean training loss of the steps since the last reading; None before the first.
        record: The last line of the history; None before the end of the first epoch.
        best_epoch: The best epoch so far by the monitored value.
        best_value: The monitored value of that epoch.
        monitor: Name of the monitored value.
        precision: What the network computes with, in words.
        device: Where it computes.
        stopped: Why the training is over, in words; None while it runs.
        notes: What a person should know about the training, in sentences.
        health: What was seen inside the network so far, as `FitResult.health`.
    """

    epoch: int
    epochs: int
    step: int
    total_steps: int
    micro_step: int
    samples: int
    seconds: float
    learning_rate: float
    loss: float | None
    record: Mapping[str, Any] | None
    best_epoch: int | None
    best_value: float | None
    monitor: str
    precision: str
    device: str
    stopped: str | None
    notes: tuple[str, ...] = ()
    health: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Stop:
    """What a callback returns to end the training.

    Args:
        reason: One sentence; it becomes `FitResult.stopped`.
    """

    reason: str


@runtime_checkable
class CallbackLike(Protocol):
    """The five events. An object without some of these methods is a callback as well."""

    def on_fit_started(self, state: TrainState) -> None:
        """Before the first step; `state.step` is above 0 in a resumed training."""
        ...

    def on_step_logged(self, state: TrainState) -> Stop | None:
        """After every `log_every` optimizer steps; may ask to stop."""
        ...

    def on_epoch_ended(self, state: TrainState) -> Stop | None:
        """After validation, with the new `state.record`; may ask to stop."""
        ...

    def on_checkpoint_saved(self, state: TrainState, path: Path) -> None:
        """After a checkpoint is complete on the disk; `state` is that which it holds."""
        ...

    def on_fit_ended(self, state: TrainState) -> None:
        """At the very end, also when an error ends the training."""
        ...


class Callback:
    """Base of callbacks: override the events that you need.

    Raises:
        ConfigError: A subclass has a method ``on_…`` that is no event (raised when the class is
            defined).

    Example:
        >>> class Impatient(Callback):
        ...     def on_step_logged(self, state):
        ...         return Stop("Ten steps are enough.") if state.step >= 10 else None
        >>> class Misspelt(Callback):
        ...     def on_epoch_end(self, state): ...
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: Misspelt.on_epoch_end is not an event. Did you mean \
"on_epoch_ended"? Events: on_fit_started, on_step_logged, on_epoch_ended, on_checkpoint_saved, \
on_fit_ended.
    """

    def __init_subclass__(cls) -> None:
        _check_events(cls.__name__, vars(cls))

    def on_fit_started(self, state: TrainState) -> None:
        """Before the first step."""

    def on_step_logged(self, state: TrainState) -> Stop | None:
        """After every `log_every` optimizer steps; may ask to stop."""

    def on_epoch_ended(self, state: TrainState) -> Stop | None:
        """After validation; may ask to stop."""

    def on_checkpoint_saved(self, state: TrainState, path: Path) -> None:
        """After a checkpoint is complete on the disk; `state` is that which it holds."""

    def on_fit_ended(self, state: TrainState) -> None:
        """At the very end, also when an error ends the training."""


class Callbacks:
    """All callbacks of a training, in the order in which they are told.

    Args:
        callbacks: Objects with any of the methods of `CallbackLike`.

    Raises:
        ConfigError: An object has a method ``on_…`` that is no event, or none at all.
    """

    def __init__(self, callbacks: Iterable[object]) -> None:
        self._callbacks = tuple(callbacks)
        for callback in self._callbacks:
            name = type(callback).__name__
            _check_events(name, dir(callback))
            if isinstance(callback, type) or not any(hasattr(callback, e) for e in EVENTS):
                raise ConfigError(
                    f"A callback must be an object with at least one of the methods "
                    f"{', '.join(EVENTS)}. Got: {callback!r}."
                )

    def fit_started(self, state: TrainState) -> None:
        """Tell all that the first step is near."""
        self._tell("on_fit_started", state)

    def step_logged(self, state: TrainState) -> Stop | None:
        """Tell all; return the first wish to stop."""
        return self._tell("on_step_logged", state)

    def epoch_ended(self, state: TrainState) -> Stop | None:
        """Tell all; return the first wish to stop."""
        return self._tell("on_epoch_ended", state)

    def checkpoint_saved(self, state: TrainState, path: Path) -> None:
        """Tell all that a checkpoint is complete."""
        self._tell("on_checkpoint_saved", state, path)

    def fit_ended(self, state: TrainState) -> None:
        """Tell all that it is over."""
        self._tell("on_fit_ended", state)

    def _tell(self, event: str, *arguments: object) -> Stop | None:
        wish: Stop | None = None
        for callback in self._callbacks:
            method = getattr(callback, event, None)
            answer = None if method is None else method(*arguments)
            if isinstance(answer, Stop) and wish is None:
                wish = answer
        return wish


def _check_events(owner: str, names: Iterable[str]) -> None:
    for name in names:
        if name.startswith("on_") and name not in EVENTS:
            hint = did_you_mean(name, EVENTS)
            raise ConfigError(f"{owner}.{name} is not an event.{hint} Events: {listing(EVENTS)}.")
