"""The zoo: one architecture, one file. Importing this package does not import torch."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deepwell.models.catalog import (
    MODELS,
    ModelEntry,
    build,
    check_inputs,
    resolve,
    settings_class,
)

if TYPE_CHECKING:
    from deepwell.models.basic.linear import LinearModel
    from deepwell.models.basic.mlp import MLP
    from deepwell.models.basic.perceptron import Perceptron
    from deepwell.models.description import ModelDescription, count_parameters, describe
    from deepwell.models.summary import LayerRow, Summary, example_inputs, summarize
    from deepwell.models.vision.cnn import CNN
    from deepwell.models.vision.resnet import ResNet

__all__ = [
    "CNN",
    "MLP",
    "MODELS",
    "LayerRow",
    "LinearModel",
    "ModelDescription",
    "ModelEntry",
    "Perceptron",
    "ResNet",
    "Summary",
    "build",
    "check_inputs",
    "count_parameters",
    "describe",
    "example_inputs",
    "resolve",
    "settings_class",
    "summarize",
]

_HOMES = {
    "CNN": "deepwell.models.vision.cnn",
    "LayerRow": "deepwell.models.summary",
    "LinearModel": "deepwell.models.basic.linear",
    "MLP": "deepwell.models.basic.mlp",
    "ModelDescription": "deepwell.models.description",
    "Perceptron": "deepwell.models.basic.perceptron",
    "ResNet": "deepwell.models.vision.resnet",
    "Summary": "deepwell.models.summary",
    "count_parameters": "deepwell.models.description",
    "describe": "deepwell.models.description",
    "example_inputs": "deepwell.models.summary",
    "summarize": "deepwell.models.summary",
}


def __getattr__(name: str) -> Any:
    # classes import torch, which takes more than a second: only when they are asked for
    if name not in _HOMES:
        raise AttributeError(f'module "{__name__}" has no attribute "{name}"')
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
