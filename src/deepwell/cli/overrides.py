"""From options to settings: every option is a short name for a nested setting."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepwell.config import merge, parse_assignment
from deepwell.errors import ConfigError


def collect(
    config: Path | None, options: Mapping[str, Any], assignments: Sequence[str] | None
) -> dict[str, Any]:
    """Join a settings file, the options and the assignments; the later wins.

    Args:
        config: A TOML file, or None.
        options: Dotted name of a setting → value; None and empty values were not given.
        assignments: Texts such as ``engine.learning_rate=3e-4``.

    Raises:
        ConfigError: The file is missing or not TOML; an assignment without ``=``.

    Example:
        >>> collect(None, {"engine.epochs": 5, "seed": None}, ["model.dropout=0.2"])
        {'engine': {'epochs': 5}, 'model': {'dropout': 0.2}}
    """
    settings = {} if config is None else read_toml(config)
    for name, value in options.items():
        if value is None or value in ((), [], {}):
            continue
        nested: Any = value
        for part in reversed(name.split(".")):
            nested = {part: nested}
        settings = merge(settings, nested)
    for text in assignments or ():
        settings = merge(settings, parse_assignment(text))
    return settings


def read_toml(path: Path) -> dict[str, Any]:
    """Read a settings file.

    Raises:
        ConfigError: The file is missing or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Cannot read the settings {path}: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"The settings {path} are not valid TOML: {error}.") from error


def split_names(values: Sequence[str] | None) -> tuple[str, ...]:
    """Read names given as several options or separated by commas.

    Example:
        >>> split_names(["a,b", "c"])
        ('a', 'b', 'c')
    """
    return tuple(
        name.strip() for value in values or () for name in value.split(",") if name.strip()
    )


def split_kinds(values: Sequence[str] | None) -> dict[str, str]:
    """Read assignments of kinds to columns.

    Raises:
        ConfigError: There is no ``=``.

    Example:
        >>> split_kinds(["zip=category,age=number"])
        {'zip': 'category', 'age': 'number'}
    """
    kinds: dict[str, str] = {}
    for text in split_names(values):
        column, equals, kind = text.rpartition("=")
        if not equals or not column or not kind:
            raise ConfigError(f'"{text}" is not a kind: write it as --kind zip=category.')
        kinds[column.strip()] = kind.strip()
    return kinds


def split_folds(text: str | None, *, is_nested: bool = False) -> dict[str, int]:
    """Read a number of folds, how often they are dealt, and whether they are nested.

    Raises:
        ConfigError: It is neither a number nor two with an x between them.

    Example:
        >>> split_folds("5x3"), split_folds("5")
        ({'count': 5, 'repeats': 3}, {'count': 5})
    """
    nested: dict[str, int] = {"nested": True} if is_nested else {}
    if text is None:
        return nested
    parts = text.lower().replace("×", "x").split("x")
    if len(parts) > 2 or not all(part.strip().isdecimal() for part in parts):
        raise ConfigError(f'"{text}" is no number of folds: write --folds 5, or --folds 5x3.')
    names = ("count", "repeats")
    return {name: int(part) for name, part in zip(names, parts, strict=False)} | nested
