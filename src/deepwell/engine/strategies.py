"""Strategies: what can be done by several processes, said before slow work. Imports no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from deepwell.engine.optimizers.catalog import OPTIMIZERS
from deepwell.errors import ConfigError

if TYPE_CHECKING:
    from deepwell.engine.settings import EngineSettings


def check_strategy(settings: EngineSettings, *, size: int) -> None:
    """Refuse settings that several processes cannot follow together.

    Args:
        settings: Of the training.
        size: Number of processes.

    Raises:
        ConfigError: One of them cannot be followed.
    """
    if size == 1:
        return
    refused = {
        f"optimizer={settings.optimizer}": OPTIMIZERS[settings.optimizer].is_searching,
        "sharpness": settings.sharpness is not None,
        "compile=on": settings.compile == "on",
    }
    for name, is_given in refused.items():
        if is_given:
            raise ConfigError(
                f"{name} works in one process only, and there are {size}: leave {name} out, or "
                "train with devices=1."
            )
    if settings.batch_size < size:
        raise ConfigError(
            f"A batch of {settings.batch_size} rows is too small for {size} processes: choose "
            f"batch_size={size} or more, or fewer devices."
        )
    if settings.strategy == "fsdp":
        _check_sharded(settings)


def _check_sharded(settings: EngineSettings) -> None:
    refused = {
        f"optimizer={settings.optimizer}": settings.optimizer == "muon",
        "precision=fp16": settings.precision == "fp16",
        "regularisation.max_norm": settings.regularisation.max_norm is not None,
    }
    for name, is_given in refused.items():
        if is_given:
            raise ConfigError(
                f"{name} does not go with strategy=fsdp, where each process has only a part of "
                f"each matrix: use strategy=ddp, or leave {name} out."
            )
