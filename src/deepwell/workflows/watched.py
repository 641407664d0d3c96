"""Watching: a run is told to TensorBoard and MLflow, from its first step to its scores."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import Any

from deepwell.engine import Callback, TrainState
from deepwell.engine.loggers.base import End, Logger, Subject, make_logger
from deepwell.files import write_json
from deepwell.runs import RunFolder
from deepwell.workflows.finish import TrainResult
from deepwell.workflows.prepare import Say
from deepwell.workflows.settings import TrainSettings

FILE = "loggers.json"


class Watched:
    """The loggers of a run.

    Args:
        run: The run folder.
        loggers: By name.
    """

    def __init__(self, run: RunFolder, loggers: dict[str, Logger]) -> None:
        self._run, self._loggers = run, loggers

    @property
    def callbacks(self) -> Sequence[object]:
        """What the training shall tell."""
        return (*self._loggers.values(), _Places(self)) if self._loggers else ()

    def write_places(self) -> None:
        """Note in the run folder where the loggers write, so that a resumed run goes on there."""
        write_json(
            self._run / FILE, {name: logger.place() for name, logger in self._loggers.items()}
        )

    def report(self, result: TrainResult, say: Say) -> TrainResult:
        """Tell the loggers the scores, report and model; say where to look. Returns the result."""
        metrics = result.summary["metrics"].items()
        values = {name: m["value"] for name, m in metrics if m["value"] is not None}
        for name, logger in self._loggers.items():
            logger.begin(0)
            logger.log_results(values, [result.report, self._run.model])
            say(f"{name}: {logger.place()['show']}")
        return result

    def close(self, how: End) -> None:
        """End all of them."""
        for logger in self._loggers.values():
            logger.close(how)


class _Places(Callback):
    """Writes the places down as soon as they are known."""

    def __init__(self, owner: Watched) -> None:
        self._owner = owner

    def on_fit_started(self, state: TrainState) -> None:
        """All loggers have begun."""
        self._owner.write_places()


@contextlib.contextmanager
def watched(run: RunFolder, settings: TrainSettings) -> Generator[Watched]:
    """Make the loggers that the settings ask for, and end them however the run ends."""
    known: dict[str, Any] = run.read(FILE) if (run / FILE).is_file() else {}
    name = run.path.resolve().name
    loggers = {
        chosen: make_logger(
            chosen,
            Subject(
                folder=run.path,
                name=name,
                settings=settings.plain(),
                known=known.get(chosen, {}),
            ),
        )
        for chosen in dict.fromkeys(settings.engine.loggers)
    }
    all_of_them = Watched(run, loggers)
    try:
        yield all_of_them
    except KeyboardInterrupt:
        all_of_them.close("interrupted")
        raise
    except BaseException:
        all_of_them.close("failed")
        raise
    all_of_them.close("finished")
