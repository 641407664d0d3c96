"""Deepwell: deep learning, done well.

Nothing heavy is imported here: torch is loaded when the first network is needed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from deepwell.version import __version__

if TYPE_CHECKING:
    from deepwell.artifact import load
    from deepwell.estimators import DeepClassifier, DeepRegressor, Sequential
    from deepwell.workflows.compare import compare
    from deepwell.workflows.diagnose import diagnose
    from deepwell.workflows.evaluate import evaluate
    from deepwell.workflows.explore import explore
    from deepwell.workflows.predict import predict
    from deepwell.workflows.resume import resume
    from deepwell.workflows.train import train

__all__ = [
    "DeepClassifier",
    "DeepRegressor",
    "Sequential",
    "__version__",
    "compare",
    "diagnose",
    "evaluate",
    "explore",
    "load",
    "predict",
    "resume",
    "train",
]

_HOME = {
    "DeepClassifier": "deepwell.estimators",
    "DeepRegressor": "deepwell.estimators",
    "Sequential": "deepwell.estimators",
    "compare": "deepwell.workflows.compare",
    "diagnose": "deepwell.workflows.diagnose",
    "evaluate": "deepwell.workflows.evaluate",
    "explore": "deepwell.workflows.explore",
    "load": "deepwell.artifact",
    "predict": "deepwell.workflows.predict",
    "resume": "deepwell.workflows.resume",
    "train": "deepwell.workflows.train",
}
_ROOMS = [
    "artifact",
    "data",
    "engine",
    "errors",
    "estimators",
    "evaluation",
    "models",
    "nn",
    "runs",
    "tasks",
    "testing",
    "workflows",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"deepwell.{name}")
    raise AttributeError(f"module 'deepwell' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
