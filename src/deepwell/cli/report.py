"""`deepwell report`: write the report of a run again and say where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_runs
from deepwell.cli.interrupt import stop_cleanly

EXAMPLE = "Example: deepwell report runs/houses-mlp"


def report(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    open_: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
) -> None:
    """Write the report of a run again from what the run folder holds, and show the result."""
    require_runs(run)

    from deepwell.cli.fairness_table import show_fairness
    from deepwell.cli.findings import show_next
    from deepwell.cli.render import console, show_result
    from deepwell.evaluation import report as page
    from deepwell.runs import RunFolder

    stop_cleanly()
    folder = RunFolder.open(run)
    path = page.write(folder.path)
    if (folder / "result.json").is_file():
        show_result(folder.path, folder.read("result.json"))
        show_fairness(folder.path)
        show_next(folder.path)
    else:
        console.print(f"The run is {folder.state}; its report so far: {path}")
    if open_:
        typer.launch(path.absolute().as_uri())
