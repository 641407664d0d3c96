"""`deepwell explore`: groups and directions in data without a target."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_data
from deepwell.cli.interrupt import stop_cleanly
from deepwell.cli.overrides import split_kinds, split_names

EXAMPLE = "Example: deepwell explore customers.csv -o customers.html"


def explore(
    data: Annotated[str, typer.Argument(help="A file, or with --model a folder of pictures.")],
    columns: Annotated[list[str] | None, typer.Option(help="Columns to use: a,b,c.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Columns to leave out.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind of a column: zip=category.")] = None,
    model: Annotated[
        Path | None, typer.Option("--model", "-m", help="A run: look at what its network sees.")
    ] = None,
    clusters: Annotated[
        int | None, typer.Option(help="Number of clusters; default: chosen by the data.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Page to write, with .json beside it.")
    ] = Path("explore.html"),
) -> None:
    """Find groups of rows (k-means) and the main directions (PCA), with pictures."""
    require_data(data, model, output.parent)

    from deepwell.cli.render_judge import show_exploration
    from deepwell.workflows.explore import explore as run

    stop_cleanly()
    found = run(
        data,
        columns=split_names(columns),
        ignore=split_names(ignore),
        kinds=split_kinds(kind),
        model=model,
        clusters=clusters,
        seed=seed,
        output=output,
    )
    show_exploration(found, output)
