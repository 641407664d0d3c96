"""`deepwell predict`: answers for new rows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_data
from deepwell.cli.interrupt import stop_cleanly

EXAMPLE = "Example: deepwell predict runs/houses-mlp new.csv -o out.csv"


def predict(
    model: Annotated[Path, typer.Argument(help="A model folder, or a run folder.")],
    data: Annotated[str, typer.Argument(help="A file, or a folder of pictures.")],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", help="File to write: .csv, .tsv, .parquet, .jsonl or .arrow."
        ),
    ] = None,
) -> None:
    """Predict new rows; the output keeps their columns and adds the predictions."""
    require_data(data, model, None if output is None else output.parent)

    from deepwell.cli.render import show_frame, show_written
    from deepwell.workflows.predict import predict as run
    from deepwell.workflows.predict_stream import predict_to_file

    stop_cleanly()
    if output is None:
        show_frame(run(model, data))
    else:
        show_written(predict_to_file(model, data, output), output)
