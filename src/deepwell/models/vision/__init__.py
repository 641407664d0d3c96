"""Networks that read pictures."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepwell.models.vision.cnn import CNN
    from deepwell.models.vision.resnet import ResNet

__all__ = ["CNN", "ResNet"]

_HOMES = {"CNN": "deepwell.models.vision.cnn", "ResNet": "deepwell.models.vision.resnet"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f'module "{__name__}" has no attribute "{name}"')
    return getattr(import_module(_HOMES[name]), name)
