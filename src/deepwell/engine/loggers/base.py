"""What all loggers share: which numbers they are told, under which names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from deepwell.engine.callbacks import Callback, TrainState
from deepwell.engine.loggers.catalog import LOGGERS, check_loggers

End = Literal["finished", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is logged.

    Args:
        folder: Where files of the run are kept.
        name: Of the run.
        settings: All settings, nested.
        known: What `Logger.place` of the same run returned before it was stopped.
        is_whole: Whether the run is over when the training is; else whoever made the logger tells
            more afterwards and calls `close`.
    """

    folder: Path
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    known: Mapping[str, Any] = field(default_factory=dict[str, Any])
    is_whole: bool = False


class Logger(Callback):
    """Base of the loggers: turns events into named numbers; subclasses write them.

    Names are ``step/loss`` and ``step/learning_rate`` for logged steps, ``train/…`` and ``val/…``
    for epochs, all over the optimizer step, and ``test/…`` for the scores at the end.

    Args:
        subject: What is logged.
    """

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self._is_open = False

    def place(self) -> dict[str, Any]:
        """Return where the numbers go, for people and for going on after a stop."""
        return {}

    def open(self, step: int) -> None:
        """Begin, or go on behind a step."""

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers."""

    def log_results(self, values: Mapping[str, float], artifacts: Sequence[Path] = ()) -> None:
        """Write the scores on the test rows, and keep files and folders where that is possible."""

    def end(self, how: End) -> None:
        """End the run."""

    def begin(self, step: int) -> None:
        """Begin behind a step, once."""
        if not self._is_open:
            self.open(step)
            self._is_open = True

    def close(self, how: End) -> None:
        """End the run, once."""
        if self._is_open:
            self._is_open = False
            self.end(how)

    def on_fit_started(self, state: TrainState) -> None:
        """Begin."""
        self.begin(state.step)

    def on_step_logged(self, state: TrainState) -> None:
        """Write loss and learning rate."""
        values = {"step/learning_rate": state.learning_rate}
        if state.loss is not None:
            values["step/loss"] = state.loss
        self.write(values, state.step)

    def on_epoch_ended(self, state: TrainState) -> None:
        """Write the scores of the epoch."""
        record = state.record or {}
        values = {
            f"{part}/{name}": value
            for part in ("train", "val")
            for name, value in record.get(part, {}).items()
        }
        self.write({**values, "epoch": state.epoch}, state.step)

    def on_fit_ended(self, state: TrainState) -> None:
        """Close, if nothing more comes."""
        if self.subject.is_whole:
            self.close("interrupted" if state.stopped is None else "finished")


def make_logger(name: str, subject: Subject) -> Logger:
    """Return a logger by its name.

    Raises:
        ConfigError: There is no such logger.
        MissingExtraError: Its package is missing.
    """
    check_loggers([name])
    entry = LOGGERS[name]
    return getattr(import_module(entry.module), entry.class_name)(subject)


def with_loggers(
    callbacks: Sequence[object], names: Sequence[str], settings: Mapping[str, Any]
) -> tuple[object, ...]:
    """Return callbacks with a logger for each name that has none among them.

    Args:
        callbacks: Of the training.
        names: Of the loggers that are asked for.
        settings: Told to loggers that are made here.

    Example:
        >>> with_loggers([print], [], {})
        (<built-in function print>,)
    """
    present = {type(callback).__name__ for callback in callbacks}
    missing = [name for name in dict.fromkeys(names) if LOGGERS[name].class_name not in present]
    if not missing:
        return tuple(callbacks)
    subject = Subject(folder=Path("runs"), name="fit", settings=settings, is_whole=True)
    return (*(make_logger(name, subject) for name in missing), *callbacks)


def flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return nested settings under dotted names.

    Example:
        >>> flat({"engine": {"epochs": 3}, "seed": 0})
        {'engine.epochs': 3, 'seed': 0}
    """
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
