"""`deepwell compare`: runs on the same test rows, in pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_runs
from deepwell.cli.interrupt import stop_cleanly

EXAMPLE = "Example: deepwell compare runs/houses-mlp runs/houses-linear -o compare.html"


def compare(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, two at least.")],
    by: Annotated[
        str, typer.Option(help="run, or config: seeds of one configuration together.")
    ] = "run",
    metric: Annotated[
        str | None, typer.Option(help="Metric that decides; default: that of the runs.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Page to write (.html, and .json beside it) or .json."),
    ] = None,
) -> None:
    """Compare runs that were scored on the same test rows: in pairs, with intervals."""
    if output is None or output.parent.exists():
        require_runs(*runs)

    from deepwell.cli.render_judge import show_comparison
    from deepwell.workflows.compare import compare as run

    stop_cleanly()
    show_comparison(run(runs, by=by, metric=metric, output=output), output)
