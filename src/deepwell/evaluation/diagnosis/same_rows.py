"""What another training must be told so that it reads and divides the data as this one did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepwell.data import DataSettings, SplitSettings

_FLAGS = {
    "group": "--group",
    "time": "--time",
    "weight": "--weight",
    "test": "--test",
    "delimiter": "--delimiter",
    "image_size": "--image-size",
}
_OF_THE_MACHINE = ("memory", "cache")
"""Settings of the data that change nothing about them."""


def settings_of_rows(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what was chosen about data, split and kind of task, nested as in `TrainSettings`.

    Args:
        config: The settings of a run; "none" counts as not set.

    Example:
        >>> settings_of_rows({"data": {"time": "day", "test": "none"}, "split": {"test": 0.3}})
        {'data': {'time': 'day'}, 'split': {'test': 0.3}}
    """
    usual = {
        "data": DataSettings().model_dump(mode="json"),
        "split": SplitSettings().model_dump(mode="json"),
        "task": {"kind": "auto"},
    }
    found: dict[str, dict[str, Any]] = {}
    for group, defaults in usual.items():
        chosen = {
            name: value
            for name, value in (config.get(group) or {}).items()
            if name in defaults and name not in _OF_THE_MACHINE
            if value not in (None, "none") and value != defaults[name]
        }
        if chosen:
            found[group] = chosen
    return found


def words_of_rows(config: Mapping[str, Any]) -> list[str]:
    """Return the same as words of a command line.

    Example:
        >>> words_of_rows({"data": {"time": "day", "ignore": ["id"]}, "split": {"test": 0.3}})
        ['--time', 'day', '--ignore', 'id', '--set', 'split.test=0.3']
    """
    words: list[str] = []
    for group, chosen in settings_of_rows(config).items():
        for name, value in chosen.items():
            words += _words(group, name, value)
    return words


def _words(group: str, name: str, value: Any) -> list[str]:
    if group == "data" and name in _FLAGS:
        return [_FLAGS[name], str(value)]
    if name == "kind":
        return ["--task", str(value)]
    if name == "skip_broken":
        return ["--skip-broken"]
    if name == "kinds":
        return ["--kind", ",".join(f"{column}={kind}" for column, kind in value.items())]
    if name == "ignore" and not any("," in column for column in value):
        return ["--ignore", ",".join(value)]
    return ["--set", f"{group}.{name}={value}"]
