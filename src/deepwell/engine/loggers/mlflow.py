"""MLflow: runs in its own SQLite file, or on any tracking server."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from deepwell.engine.loggers.base import End, Logger, Subject, flat
from deepwell.errors import RunError

_log = logging.getLogger(__name__)
DATABASE = "mlflow.db"
"""In the working folder, where MLflow itself looks for it."""
EXPERIMENT = "deepwell"
SECONDS = 5.0
"""Numbers are sent in bundles, so that training waits for the server once in so long a time."""
MOST_METRICS, MOST_PARAMS, LONGEST_PARAM = 1000, 100, 500
"""What MLflow takes in one call, and as the text of one parameter."""
MOST_WAITING = 100_000
"""Numbers that are kept while a server does not answer; the oldest go first."""
_ENDS: dict[End, str] = {"finished": "FINISHED", "interrupted": "KILLED", "failed": "FAILED"}


class MLflowLogger(Logger):
    """Writes settings, curves, scores, report and model to MLflow.

    The environment decides where, as everywhere with MLflow: MLFLOW_TRACKING_URI names a server or
    a database, MLFLOW_EXPERIMENT_NAME the experiment. Without them it is the SQLite file
    ``mlflow.db`` in the working folder and the experiment "deepwell". MLflow is kept from sending
    statistics of use, unless MLFLOW_DISABLE_TELEMETRY says otherwise.

    A server that cannot be reached at the start is an error; one that fails later is waited for,
    with a warning, and training goes on.

    Args:
        subject: What is logged.
    """

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        given = os.environ.get("MLFLOW_TRACKING_URI") or subject.known.get("tracking_uri")
        self.tracking_uri = str(given or f"sqlite:///{Path(DATABASE).absolute()}")
        self._client: Any = None
        self._run_id = ""
        self._waiting: list[Any] = []
        self._sent_at = 0.0

    def place(self) -> dict[str, Any]:
        """Return server, run, and the command that shows it."""
        shown = f"mlflow ui --backend-store-uri {self.tracking_uri}"
        if self.tracking_uri.startswith("http"):
            shown = self.tracking_uri
        return {"tracking_uri": self.tracking_uri, "run_id": self._run_id, "show": shown}

    def open(self, step: int) -> None:
        """Begin a run, or go on with the one of a training that was stopped.

        Raises:
            RunError: The server or the database does not answer.
        """
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        from mlflow.tracking import MlflowClient  # pyright: ignore

        self._sent_at = time.monotonic()
        try:
            self._client = MlflowClient(tracking_uri=self.tracking_uri)
            known = self.subject.known.get("run_id")
            if known:
                self._client.update_run(known, status="RUNNING")
            self._run_id = known or self._new_run()
        except Exception as error:  # a server can fail in any way
            raise _explained(self.tracking_uri, error) from error

    def _new_run(self) -> str:
        from mlflow.entities import Param  # pyright: ignore

        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        experiment = self._client.get_experiment_by_name(name)
        if experiment is None:
            experiment_id = self._client.create_experiment(name)
        else:
            experiment_id = experiment.experiment_id
        run_id = self._client.create_run(experiment_id, run_name=self.subject.name).info.run_id
        settings = flat(self.subject.settings).items()
        params = [Param(key, str(value)[:LONGEST_PARAM]) for key, value in settings]
        for first in range(0, len(params), MOST_PARAMS):
            self._client.log_batch(run_id, params=params[first : first + MOST_PARAMS])
        return run_id

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Put numbers aside, and send them if it is time."""
        from mlflow.entities import Metric  # pyright: ignore

        now = int(time.time() * 1000)
        self._waiting += [Metric(name, float(v), now, step) for name, v in values.items()]
        if time.monotonic() - self._sent_at > SECONDS:
            self._send()

    def _send(self) -> None:
        """Send what waits; while a server does not answer it goes on waiting."""
        while self._waiting:
            part = self._waiting[:MOST_METRICS]
            if not self._tries(lambda part=part: self._log_metrics(part)):
                self._waiting = self._waiting[-MOST_WAITING:]
                break
            self._waiting = self._waiting[len(part) :]
        self._sent_at = time.monotonic()

    def _log_metrics(self, metrics: list[Any]) -> None:
        self._client.log_batch(self._run_id, metrics=metrics)

    def _tries(self, work: Callable[[], object]) -> bool:
        """Do some work; a server that fails now must not end a long training."""
        try:
            work()
        except Exception as error:  # a server can fail in any way
            _log.warning("%s", _explained(self.tracking_uri, error))
            return False
        return True

    def log_results(self, values: Mapping[str, float], artifacts: Sequence[Path] = ()) -> None:
        """Write the scores on the test rows, and keep report and model."""
        self.write({f"test/{name}": value for name, value in values.items()}, 0)
        self._send()
        for path in artifacts:
            self._tries(lambda path=path: self._keep(path))

    def _keep(self, path: Path) -> None:
        if path.is_dir():
            self._client.log_artifacts(self._run_id, str(path), path.name)
        else:
            self._client.log_artifact(self._run_id, str(path))

    def end(self, how: End) -> None:
        """Send the rest and end the run."""
        self._send()
        self._tries(lambda: self._client.set_terminated(self._run_id, _ENDS[how]))


def _explained(place: str, error: Exception) -> RunError:
    reason = str(error).strip().partition("\n")[0].rstrip(".")
    return RunError(
        f"MLflow at {place} does not take this run ({type(error).__name__}: {reason}): look at the "
        "server and at MLFLOW_TRACKING_URI, or train without the logger."
    )
