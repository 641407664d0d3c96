"""`deepwell summary`: the layer table."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLE = "Example: deepwell summary resnet18 --image 3x32x32 --outputs 10"


def summary(
    model: Annotated[
        str,
        typer.Argument(
            help="A run or model folder, a name of the catalog, or your own nets.py:Net."
        ),
    ],
    numbers: Annotated[int, typer.Option(help="Width of the number block.")] = 0,
    image: Annotated[
        str | None, typer.Option(help="Picture, channels x height x width: 3x32x32.")
    ] = None,
    outputs: Annotated[int, typer.Option(help="Outputs a row.")] = 1,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Setting of the model: dropout=0.2.")
    ] = None,
) -> None:
    """Print each layer with its output shape and its number of parameters."""
    from deepwell.cli.render import show_layers
    from deepwell.workflows.summary import summarize_model

    show_layers(
        summarize_model(
            model, numbers=numbers, image=image, outputs=outputs, assignments=set_ or ()
        )
    )
