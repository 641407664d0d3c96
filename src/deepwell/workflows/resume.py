"""Resuming: an interrupted training goes on as if nothing had happened."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import nn

from deepwell.config import merge
from deepwell.engine.processes import joined_processes
from deepwell.errors import RunError
from deepwell.runs import RunFolder
from deepwell.workflows.finish import TrainResult
from deepwell.workflows.many import processes_to_start, run_in_processes
from deepwell.workflows.prepare import Say
from deepwell.workflows.reopen import made_from, reopen
from deepwell.workflows.run import execute


def resume(
    path: str | Path,
    data: Any = None,
    *,
    model: nn.Module | None = None,
    devices: int | None = None,
    callbacks: Sequence[object] = (),
    say: Say | None = None,
) -> TrainResult:
    """Go on with an interrupted training; the result equals that of an uninterrupted one.

    Args:
        path: The run folder.
        data: Needed only if the run was trained on an object of Python instead of a file.
        model: Needed only if the run trained the user's own network.
        devices: Processes that train together; None: as many as before. With the same number the
            result is equal bit for bit, with another one within rounding.
        callbacks: Told about steps and epochs.
        say: Called with each finding, in words; None is silent.

    Raises:
        RunError: The run is finished, has no checkpoint, or its data have changed.
    """
    say = say or (lambda text: None)
    run = RunFolder.open(path)
    if run.state == "finished":
        raise RunError(
            f"{run.path} is finished: there is nothing to resume. "
            f"See its report: {run / 'report.html'}."
        )
    if not run.has_checkpoint:
        raise RunError(f"{run.path} has no checkpoint: start again with `deepwell train`.")
    source, config = made_from(run, data, model=model, verb="resume")
    if devices is not None:
        config = merge(config, {"engine": {"devices": devices}})
    processes = processes_to_start(config)
    if processes:
        return run_in_processes(
            "resume",
            {"path": str(path), "data": None if data is None else str(data), "devices": processes},
            processes=processes,
            objects={
                "data in memory": not isinstance(source, str | Path),
                "a network of your own": model is not None,
                "callbacks": callbacks,
            },
            say=say,
        )
    if not joined_processes().is_first:
        say = lambda text: None
    prepared = reopen(run, source, config, model=model, say=say)
    return execute(run, prepared, module=model, callbacks=callbacks, say=say, resume=True)
