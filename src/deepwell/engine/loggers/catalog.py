"""The loggers by name. Imports neither torch nor the packages that they need."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass

from deepwell.catalog import Catalog
from deepwell.errors import MissingExtraError


@dataclass(frozen=True, slots=True)
class LoggerEntry:
    """Where a logger is, and what it needs.

    Args:
        module: Holds the class.
        class_name: Its name.
        package: What must be installed for it.
    """

    module: str
    class_name: str
    package: str


LOGGERS = Catalog[LoggerEntry]("logger")
LOGGERS.add(
    "tensorboard",
    LoggerEntry("deepwell.engine.loggers.tensorboard", "TensorBoardLogger", "tensorboard"),
)
LOGGERS.add("mlflow", LoggerEntry("deepwell.engine.loggers.mlflow", "MLflowLogger", "mlflow"))


def check_loggers(names: Sequence[str]) -> None:
    """Refuse, before slow work, loggers whose package is not installed.

    Raises:
        ConfigError: There is no such logger.
        MissingExtraError: Its package is missing.

    Example:
        >>> check_loggers([])
    """
    for name in names:
        package = LOGGERS[name].package
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(
                f'The logger "{name}" needs the package {package}, which is not installed: '
                "pip install deepwell[track]"
            )
