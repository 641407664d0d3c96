"""The verbs: each joins the rooms for one purpose, and has a file of its name.

`deepwell.train`, `deepwell.predict` and so on are the functions; this room's names are the files
(`deepwell.workflows.train`), and the two objects below, loaded when they are first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepwell.workflows.finish import TrainResult
    from deepwell.workflows.settings import TrainSettings

__all__ = ["TrainResult", "TrainSettings"]

_HOMES = {"TrainResult": "finish", "TrainSettings": "settings"}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
