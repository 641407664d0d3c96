"""Base of all settings: typed, frozen, documented, and strict about unknown names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from deepwell.errors import ConfigError, did_you_mean, listing


class Settings(BaseModel):
    """A group of settings, declared beside the code that uses it.

    Subclasses are frozen; each field has a docstring below it, which becomes its description.

    Raises:
        ConfigError: An unknown name (with the nearest known one) or a wrong value.

    Example:
        >>> class Oven(Settings):
        ...     temperature: int = 180
        ...     '''Degrees Celsius.'''
        >>> Oven(temperature=200).temperature
        200
        >>> Oven.model_validate({"temprature": 200})
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: Unknown setting "temprature". Did you mean "temperature"?
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=False
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise explain(type(self), error) from None

    @classmethod
    def model_validate(cls, obj: Any, **options: Any) -> Self:
        """Check a mapping and build the settings from it.

        Raises:
            ConfigError: An unknown name or a wrong value.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise explain(cls, error) from None


def explain(model: type[BaseModel], error: ValidationError) -> ConfigError:
    """Say in one sentence what is wrong with the first refused setting."""
    detail = error.errors()[0]
    path = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = list(_group(model, detail).model_fields)
        hint = did_you_mean(str(detail["loc"][-1]), known)
        return ConfigError(f'Unknown setting "{path}".{hint or f" Known: {listing(known, 30)}."}')
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error" and not path:
        return ConfigError(message)
    return ConfigError(f'Setting "{path}": {message}. Got: {detail["input"]!r}.')


def _group(model: type[BaseModel], detail: ErrorDetails) -> type[BaseModel]:
    """Return the class of settings in which an unknown name was found."""
    for part in detail["loc"][:-1]:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            break
        model = annotation
    return model


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Lay nested changes over a nested mapping; neither is altered.

    Example:
        >>> merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}})
        {'a': {'b': 3, 'c': 2}}
    """
    result = dict(base)
    for key, value in changes.items():
        old: Any = result.get(key)
        both_nested = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = merge(cast(Any, old), cast(Any, value)) if both_nested else value
    return result


def parse_assignment(text: str) -> dict[str, Any]:
    """Read one ``--set group.name=value`` into a nested mapping.

    The value is read as TOML (numbers, true, lists, quoted text); anything else is plain text.

    Raises:
        ConfigError: There is no ``=`` or no name.

    Example:
        >>> parse_assignment("engine.learning_rate=3e-4")
        {'engine': {'learning_rate': 0.0003}}
        >>> parse_assignment("model.name=resnet18")
        {'model': {'name': 'resnet18'}}
    """
    import tomllib

    name, equals, value = text.partition("=")
    parts = [part.strip() for part in name.split(".")]
    if not equals or not all(parts):
        raise ConfigError(
            f'"{text}" is not an assignment: write it as group.name=value, '
            "for example engine.learning_rate=3e-4."
        )
    try:
        parsed = tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    nested: Any = parsed
    for part in reversed(parts):
        nested = {part: nested}
    return nested
