"""`deepwell resume`: go on with an interrupted training."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_runs
from deepwell.cli.interrupt import stop_cleanly

EXAMPLE = "Example: deepwell resume runs/houses-mlp"


def resume(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    data: Annotated[
        str | None, typer.Option(help="Where the data are now, if they have moved.")
    ] = None,
    devices: Annotated[
        int | None, typer.Option(help="Processes that train together, if other than before.")
    ] = None,
    plain: Annotated[bool, typer.Option("--plain", help="No live bar and curves.")] = False,
) -> None:
    """Go on with an interrupted training; the result is that of an uninterrupted one."""
    require_runs(run)

    from deepwell.cli.fairness_table import show_fairness
    from deepwell.cli.findings import show_next
    from deepwell.cli.folds_table import show_trainings
    from deepwell.cli.render import say, show_result
    from deepwell.config import merge
    from deepwell.engine import Progress
    from deepwell.engine.processes import joined_processes
    from deepwell.runs import RunFolder
    from deepwell.workflows.many import command_in_processes
    from deepwell.workflows.resume import resume as go_on

    stop_cleanly()
    config = RunFolder.open(run).read_config()
    if devices is not None:
        config = merge(config, {"engine": {"devices": devices}})
    code = command_in_processes(config, sys.argv[1:])
    if code is not None:
        raise typer.Exit(code)
    result = go_on(run, data, devices=devices, callbacks=[Progress(plain=plain)], say=say)
    if not joined_processes().is_first:
        return
    show_trainings(result.folder.path)
    show_result(result.folder.path, result.summary)
    show_fairness(result.folder.path)
    show_next(result.folder.path)
    if result.summary["success"] is not None and not result.summary["success"]["met"]:
        raise typer.Exit(1)
