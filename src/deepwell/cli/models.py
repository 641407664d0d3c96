"""`deepwell models`: what the catalog holds."""

from __future__ import annotations

from typing import Annotated

import typer

EXAMPLE = "Example: deepwell models resnet18"


def models(
    name: Annotated[str | None, typer.Argument(help="One architecture, in detail.")] = None,
) -> None:
    """List the architectures, or describe one: paper, shapes, parameters, settings."""
    from deepwell.cli.render import show_model, show_models

    if name is None:
        show_models()
    else:
        show_model(name)
