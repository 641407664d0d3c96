"""A page about one architecture: paper, shapes, parameters, settings, presets."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

import torch

from deepwell.config import Settings
from deepwell.models.catalog import MODELS, ModelEntry, build, resolve
from deepwell.models.summary import example_inputs
from deepwell.types import InputSpec


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One setting of an architecture: name, type and default as text, meaning."""

    name: str
    kind: str
    default: str
    meaning: str


@dataclass(frozen=True, slots=True)
class ModelDescription:
    """What there is to know about an architecture before one uses it.

    Args:
        entry: Its entry in the catalog: title, summary, paper, inputs, presets.
        input_shapes: Block to shape, for example {"images": "(batch, 3, 224, 224)"}.
        output_shape: For example "(batch, 1000)".
        parameters: For these shapes.
        presets: Name of the preset to the number of parameters with it; the first is "default",
            where a network can be built without any.
        settings: The settings that can be changed.
    """

    entry: ModelEntry
    input_shapes: Mapping[str, str]
    output_shape: str
    parameters: int
    presets: Mapping[str, int]
    settings: tuple[SettingRow, ...]


def describe(
    name: str, spec: InputSpec | None = None, head_size: int | None = None
) -> ModelDescription:
    """Describe an architecture for the given inputs; nothing is computed but shapes.

    Args:
        name: A name in `MODELS`.
        spec: What the network is fed; default: the example of the catalog.
        head_size: Numbers returned for each row; default: that of the example.

    Raises:
        ModelError: An unknown architecture, or one that does not fit the inputs.

    Example:
        >>> resnet = describe("resnet50")
        >>> resnet.input_shapes, resnet.output_shape, resnet.parameters
        ({'images': '(batch, 3, 224, 224)'}, '(batch, 1000)', 25557032)
    """
    entry = MODELS[name]
    spec = entry.example if spec is None else spec
    head_size = entry.example_head_size if head_size is None else head_size
    blocks = zip(spec.blocks, example_inputs(spec, batch=1), strict=True)
    shapes = {
        block: f"(batch, {', '.join(str(size) for size in tensor.shape[1:])})"
        for block, tensor in blocks
    }
    # a blend is nothing without members, which its preset has
    counts = {}
    if entry.learner != "blend":
        counts["default"] = count_parameters(name, spec, head_size)
    for preset in entry.presets:
        counts[preset] = count_parameters(name, spec, head_size, {"preset": preset})
    return ModelDescription(
        entry=entry,
        input_shapes=shapes,
        output_shape=f"(batch, {head_size})",
        parameters=next(iter(counts.values())),
        presets=counts,
        settings=_settings(name),
    )


def count_parameters(
    name: str,
    spec: InputSpec,
    head_size: int,
    settings: Mapping[str, Any] | Settings | None = None,
) -> int:
    """Count the parameters of a network without making its weights.

    Example:
        >>> count_parameters("linear", InputSpec(num_numbers=10), 1)
        11
    """
    with torch.device("meta"):
        network = build(name, spec, head_size, settings)
    return sum(weight.numel() for weight in network.parameters())


def _settings(name: str) -> tuple[SettingRow, ...]:
    defaults = resolve(name)
    return tuple(
        SettingRow(
            name=key,
            kind=_kind(field.annotation),
            default=_written(getattr(defaults, key)),
            meaning=" ".join((field.description or "").split()),
        )
        for key, field in type(defaults).model_fields.items()
    )


def _kind(annotation: Any) -> str:
    """Write a type for people: choices as "a | b", a tuple as "list of numbers"."""
    plain = {int: "whole number", float: "number", bool: "true or false", str: "text"}
    origin = get_origin(annotation)
    if annotation in plain:
        return plain[annotation]
    if annotation is type(None):
        return "none"
    if origin is Literal:
        return " | ".join(str(choice) for choice in get_args(annotation))
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return "group"
    if origin is tuple:
        return f"list of {_kind(get_args(annotation)[0])}s"
    if origin in (types.UnionType, Union):
        return " | ".join(_kind(part) for part in get_args(annotation))
    # Annotated[type, limits]: the type comes first
    return _kind(get_args(annotation)[0]) if get_args(annotation) else str(annotation)


def _written(value: object) -> str:
    """Return a value as it is written after --set.

    Example:
        >>> _written((256, 128)), _written(None), _written(True), _written("relu")
        ('[256, 128]', 'none', 'true', 'relu')
    """
    if value is None:
        return "none"
    return value if isinstance(value, str) else json.dumps(value)
