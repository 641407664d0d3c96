"""`deepwell data`: look at a file before training."""

from __future__ import annotations

from typing import Annotated

import typer

from deepwell.cli.interrupt import stop_cleanly
from deepwell.cli.overrides import collect, split_kinds, split_names

EXAMPLE = "Example: deepwell data inspect houses.csv --target price"

app = typer.Typer(help="Look at a file before training.", epilog=EXAMPLE, no_args_is_help=True)


@app.callback()
def _data() -> None:
    pass


@app.command("inspect", epilog=EXAMPLE)
def inspect(
    data: Annotated[str, typer.Argument(help="A file, or a folder of pictures.")],
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", help="Column to predict; several: a,b,c.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind of a column: zip=category.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Columns not to learn from.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between the fields of a text file.")
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out broken pictures.")
    ] = False,
) -> None:
    """Show what each column is taken for, and why: kind, role, gaps, range, warnings."""
    options = {
        "delimiter": delimiter,
        "skip_broken": skip_broken or None,
        "kinds": split_kinds(kind),
        "ignore": split_names(ignore),
    }
    settings = collect(None, options, [])

    from deepwell.cli.render import show_inspection
    from deepwell.workflows.inspect import inspect_data

    stop_cleanly()
    show_inspection(inspect_data(data, split_names(target), settings))
