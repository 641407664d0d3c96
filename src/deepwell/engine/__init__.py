"""The engine: one loop for every network. Names are loaded when they are first used."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from deepwell.engine.batches import IterableBatches, TensorBatches, as_batches
    from deepwell.engine.callbacks import Callback, CallbackLike, Stop, TrainState
    from deepwell.engine.checkpoint import Checkpoint, Checkpoints, read_checkpoint
    from deepwell.engine.devices import resolve_device
    from deepwell.engine.interfaces import Batches, TaskLike
    from deepwell.engine.loop import fit
    from deepwell.engine.mapped import MappedBatches
    from deepwell.engine.optimizers import OPTIMIZERS, build_optimizer
    from deepwell.engine.precision import Precision, choose_precision
    from deepwell.engine.progress import Progress
    from deepwell.engine.result import FitResult
    from deepwell.engine.schedules import SCHEDULES
    from deepwell.engine.settings import EngineSettings

_HOMES = {
    "OPTIMIZERS": "optimizers",
    "SCHEDULES": "schedules",
    "Batches": "interfaces",
    "Callback": "callbacks",
    "CallbackLike": "callbacks",
    "Checkpoint": "checkpoint",
    "Checkpoints": "checkpoint",
    "EngineSettings": "settings",
    "FitResult": "result",
    "IterableBatches": "batches",
    "MappedBatches": "mapped",
    "Precision": "precision",
    "Progress": "progress",
    "Stop": "callbacks",
    "TaskLike": "interfaces",
    "TensorBatches": "batches",
    "TrainState": "callbacks",
    "as_batches": "batches",
    "build_optimizer": "optimizers",
    "choose_precision": "precision",
    "fit": "loop",
    "read_checkpoint": "checkpoint",
    "resolve_device": "devices",
}

__all__ = [
    "OPTIMIZERS",
    "SCHEDULES",
    "Batches",
    "Callback",
    "CallbackLike",
    "Checkpoint",
    "Checkpoints",
    "EngineSettings",
    "FitResult",
    "IterableBatches",
    "MappedBatches",
    "Precision",
    "Progress",
    "Stop",
    "TaskLike",
    "TensorBatches",
    "TrainState",
    "as_batches",
    "build_optimizer",
    "choose_precision",
    "fit",
    "read_checkpoint",
    "resolve_device",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
