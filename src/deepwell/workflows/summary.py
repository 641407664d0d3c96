"""Summarising: the layer table of a run, a stored model or an architecture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepwell.config import merge, parse_assignment
from deepwell.errors import ConfigError, ModelError
from deepwell.models import Summary, build, example_inputs, summarize
from deepwell.models.catalog import MODELS
from deepwell.types import InputSpec


def summarize_model(
    model: str,
    *,
    numbers: int = 0,
    image: str | None = None,
    outputs: int = 1,
    assignments: Sequence[str] = (),
) -> Summary:
    """Return the layer table of a run folder, a model folder or an architecture.

    Args:
        model: Path of a folder, or a name of the catalog.
        numbers: For an architecture: width of the number block.
        image: For an architecture: channels x height x width, as in "3x32x32".
        outputs: For an architecture: outputs a row.
        assignments: For an architecture: its settings, as in "dropout=0.2".

    Raises:
        ModelError: The architecture does not exist or does not fit the input.
        ArtifactError: The folder holds no model that can be opened.

    Example:
        >>> summarize_model("linear", numbers=3).parameters
        4
    """
    if model not in MODELS and Path(model).exists():
        from deepwell.artifact import load

        predictor = load(model)
        return summarize(predictor.model, example_inputs(predictor.encoders.spec))
    entry = MODELS[model]
    if numbers == 0 and image is None:
        if "numbers" not in entry.inputs:
            image = "3x224x224"
        else:
            raise ModelError(f"Say how wide the input of {model} is: --numbers 20.")
    spec = InputSpec(num_numbers=numbers, image_shape=None if image is None else _shape(image))
    settings: dict[str, object] = {}
    for text in assignments:
        settings = merge(settings, parse_assignment(text.removeprefix("model.")))
    return summarize(build(model, spec, outputs, settings), example_inputs(spec))


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(
            f'"{text}" is not a picture shape: write channels x height x width, as in 3x32x32.'
        )
    return int(parts[0]), int(parts[1]), int(parts[2])
