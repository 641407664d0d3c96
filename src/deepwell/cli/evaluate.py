"""`deepwell evaluate`: score a stored model on rows whose answers are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_data
from deepwell.cli.interrupt import stop_cleanly

EXAMPLE = "Example: deepwell evaluate runs/houses-mlp sold-last-month.csv"


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model folder, or a run folder.")],
    data: Annotated[str, typer.Argument(help="A file that holds the target too.")],
    success: Annotated[
        str | None, typer.Option(help='Threshold to reach: "rmse < 25000". Missed: exit code 1.')
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="JSON file for the scores.")
    ] = None,
) -> None:
    """Score a stored model, each metric with its interval."""
    require_data(data, model, None if output is None else output.parent)

    from deepwell.cli.render import show_evaluation
    from deepwell.workflows.evaluate import evaluate as run

    stop_cleanly()
    scores = run(model, data, success=success, output=output)
    show_evaluation(scores)
    if scores["success"] is not None and not scores["success"]["met"]:
        raise typer.Exit(1)
