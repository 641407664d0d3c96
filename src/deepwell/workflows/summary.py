"""Summarising: the layer table of a run, a stored model or an architecture."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

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
    """Return the layer table of a run folder, a model folder, an architecture or a module.

    Args:
        model: Path of a folder, a name of the catalog, or a network of your own as
            "nets.py:Net" (a class or function that is called without arguments, or a module).
        numbers: For an architecture or a module: width of the number block.
        image: For an architecture or a module: channels x height x width, as in "3x32x32".
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
    if numbers == 0 and image is None and ":" not in model:
        image = None if "numbers" in MODELS[model].inputs else "3x224x224"
    if numbers < 0 or outputs < 1:
        raise ConfigError(
            f"A network reads 0 or more numbers and has 1 output or more. Got: {numbers} and "
            f"{outputs}."
        )
    if numbers == 0 and image is None:
        raise ModelError(f"Say what {model} reads: --numbers 20 or --image 3x32x32.")
    spec = InputSpec(num_numbers=numbers, image_shape=None if image is None else _shape(image))
    if ":" in model:
        inputs = tuple(block.float() for block in example_inputs(spec))
        return summarize(own_module(model), inputs)
    settings: dict[str, object] = {}
    for text in assignments:
        settings = merge(settings, parse_assignment(text.removeprefix("model.")))
    return summarize(build(model, spec, outputs, settings), example_inputs(spec))


def own_module(text: str) -> nn.Module:
    """Load a network of the user's own, named as "nets.py:Net" or "package.nets:Net".

    Raises:
        ModelError: The file or the name in it does not exist, or it is no network.
    """
    place, _, name = text.rpartition(":")
    try:
        found: Any = getattr(_import(place), name)
    except (ImportError, FileNotFoundError, AttributeError) as error:
        raise ModelError(
            f"{text} cannot be loaded ({error}): write a file and a name in it, as in nets.py:Net."
        ) from error
    module = found if isinstance(found, nn.Module) else found()
    if not isinstance(module, nn.Module):
        raise ModelError(f"{text} must be a torch.nn.Module or make one. Got: {type(module)}.")
    return module


def _import(place: str) -> ModuleType:
    if not place.endswith(".py"):
        return importlib.import_module(place)
    spec = importlib.util.spec_from_file_location(Path(place).stem, place)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _shape(text: str) -> tuple[int, int, int]:
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError(
            f'"{text}" is not a picture shape: write channels x height x width, as in 3x32x32.'
        )
    return int(parts[0]), int(parts[1]), int(parts[2])
