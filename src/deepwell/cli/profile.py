"""`deepwell profile`: where the time of a training step goes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_data
from deepwell.cli.interrupt import stop_cleanly
from deepwell.cli.overrides import collect, split_kinds, split_names

EXAMPLE = "Example: deepwell profile houses.csv --target price --model mlp"


def profile(
    data: Annotated[str, typer.Argument(help="A file, a folder of pictures, or a run folder.")],
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", help="Column to predict; several: a,b,c.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Architecture; see `deepwell models`.")
    ] = None,
    steps: Annotated[int, typer.Option(min=3, help="Steps to measure.")] = 30,
    json: Annotated[Path | None, typer.Option(help="Also write the numbers here.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between the fields of a text file.")
    ] = None,
    image_size: Annotated[int | None, typer.Option(help="Side of the pictures in pixels.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Kind of a column: zip=category.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Columns not to learn from.")] = None,
    augment: Annotated[
        str | None, typer.Option(help="Changes to pictures: none, light, medium or strong.")
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, mps or auto.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings as TOML.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Any setting: engine.precision=bf16.")
    ] = None,
) -> None:
    """Measure training steps: time of each part, rate against the machine's limit, memory."""
    options = {
        "target": split_names(target),
        "model.name": model,
        "data.delimiter": delimiter,
        "data.image_size": image_size,
        "data.kinds": split_kinds(kind),
        "data.ignore": split_names(ignore),
        "augment.preset": augment,
        "engine.batch_size": batch_size,
        "engine.device": device,
    }
    settings = collect(config, options, set_)
    require_data(data)

    from deepwell.cli.render import say
    from deepwell.cli.render_probes import show_profile
    from deepwell.files import write_json
    from deepwell.workflows.profile import profile as measure

    stop_cleanly()
    found = measure(data, settings=settings, steps=steps, say=say)
    show_profile(found)
    if json is not None:
        write_json(json, found.to_json())
