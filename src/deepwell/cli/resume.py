"""`deepwell resume`: go on with an interrupted training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.interrupt import stop_cleanly

EXAMPLE = "Example: deepwell resume runs/houses-mlp"


def resume(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    data: Annotated[
        str | None, typer.Option(help="Where the data are now, if they have moved.")
    ] = None,
) -> None:
    """Go on with an interrupted training; the result is that of an uninterrupted one."""
    from deepwell.cli.render import say, show_result
    from deepwell.engine import Progress
    from deepwell.workflows.resume import resume as go_on

    stop_cleanly()
    result = go_on(run, data, callbacks=[Progress()], say=say)
    show_result(result.folder.path, result.summary)
    if result.summary["success"] is not None and not result.summary["success"]["met"]:
        raise typer.Exit(1)
