"""Training: the whole story, from a file to a tested, portable network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from deepwell.config import merge
from deepwell.engine.processes import joined_processes
from deepwell.runs import RunFolder
from deepwell.workflows.find import find, refuse_unfindable
from deepwell.workflows.finish import TrainResult
from deepwell.workflows.look import look
from deepwell.workflows.many import (
    new_run,
    processes_to_start,
    refuse_sharding_alone,
    require_one_model,
    run_in_processes,
)
from deepwell.workflows.mapped import prepare_as_asked
from deepwell.workflows.prepare import Say
from deepwell.workflows.run import describe, execute


def train(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    model: str | nn.Module | None = None,
    name: str | None = None,
    runs: str | Path = "runs",
    settings: Mapping[str, Any] | None = None,
    callbacks: Sequence[object] = (),
    say: Say | None = None,
) -> TrainResult:
    """Train a network on your own data and test it honestly.

    Reads, formulates, checks, splits, trains, scores the test rows once beside the baselines,
    and leaves a run folder with a report and a portable model.

    Args:
        data: Path of a file or folder, a Polars or pandas frame, arrays, or a dict of columns.
        target: Name or names of the columns to predict; folders of images need none.
        model: Name from the catalog, or your own network. None chooses by the data; on a table of
            500 rows or more several models compete, and the best or a blend of them is kept.
        name: Name of the run folder; None makes one from the data and the model.
        runs: Folder that holds the run folders.
        settings: Nested settings, such as ``{"engine": {"epochs": 5}}``; see `TrainSettings`.
        callbacks: Told about steps and epochs; `deepwell.engine.Progress` shows a bar. They are
            not told about the trainings of models that compete.
        say: Called with each finding, in words; None is silent.

    Raises:
        DeepwellError: The data, the target or a setting cannot be used; nothing is written then.
        KeyboardInterrupt: Stopped by Ctrl-C; the best model so far is in the run folder.

    Example:
        >>> import tempfile, deepwell
        >>> rows = {"x": list(range(60)), "y": [2.0 * x + 1 for x in range(60)]}
        >>> result = deepwell.train(
        ...     rows, target="y", model="linear", runs=tempfile.mkdtemp(),
        ...     settings={"engine": {"epochs": 2}, "data": {"kinds": {"x": "number"}}},
        ... )
        >>> sorted(result.metrics)
        ['mae', 'median_error', 'r2', 'rmse']
    """
    say = say or (lambda text: None)
    module = model if isinstance(model, nn.Module) else None
    overrides = dict(settings or {})
    if target is not None:
        overrides["target"] = (target,) if isinstance(target, str) else tuple(target)
    if isinstance(model, str):
        overrides = merge(overrides, {"model": {"name": model}})
    refuse_unfindable(overrides)
    devices = processes_to_start(overrides)
    refuse_sharding_alone(overrides)
    if devices:
        RunFolder.check_place(Path(runs), name)
        return run_in_processes(
            "train",
            {"data": str(data), "name": name, "runs": str(runs), "settings": overrides},
            processes=devices,
            objects={
                "data in memory": not isinstance(data, str | Path),
                "a network of your own": module is not None,
                "callbacks": callbacks,
            },
            say=say,
        )
    if joined_processes().is_first:
        RunFolder.check_place(Path(runs), name)
    else:
        say = lambda text: None
    prepared = look(prepare_as_asked(data, overrides, module=module, say=say), say)
    require_one_model(prepared.settings)
    prepared, found = find(prepared, module=module, say=say)
    label = prepared.settings.model.name if module is None else type(module).__name__.lower()
    run = new_run(Path(runs), name, fallback=f"{prepared.source.name}-{label}")
    describe(run, prepared, found)
    return execute(run, prepared, module=module, callbacks=callbacks, say=say)
