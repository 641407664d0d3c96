"""Networks with which the field began, and which are still the first choice for tables."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepwell.models.basic.linear import LinearModel
    from deepwell.models.basic.mlp import MLP
    from deepwell.models.basic.perceptron import Perceptron

__all__ = ["MLP", "LinearModel", "Perceptron"]

_HOMES = {
    "LinearModel": "deepwell.models.basic.linear",
    "MLP": "deepwell.models.basic.mlp",
    "Perceptron": "deepwell.models.basic.perceptron",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module "{__name__}" has no attribute "{name}"')
    return getattr(import_module(_HOMES[name]), name)
