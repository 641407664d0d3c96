"""`deepwell models`: what the catalog holds."""

from __future__ import annotations

from typing import Annotated

import typer

from deepwell.errors import ConfigError

EXAMPLE = "Example: deepwell models resnet18"


def models(
    name: Annotated[str | None, typer.Argument(help="One architecture, in detail.")] = None,
    parts: Annotated[
        bool,
        typer.Option(
            "--parts", help="Optimizers, schedules, losses, activations and all else by name."
        ),
    ] = False,
) -> None:
    """List the architectures, or describe one: paper, shapes, parameters, settings."""
    from deepwell.cli.render import show_model, show_models, show_parts

    if parts:
        if name is not None:
            raise ConfigError(f"--parts lists what fits every network: leave {name} out.")
        show_parts()
    elif name is None:
        show_models()
    else:
        show_model(name)
