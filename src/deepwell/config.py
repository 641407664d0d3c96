"""Base of all settings: typed, frozen, documented, and strict about unknown names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Any, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails

from deepwell.errors import ConfigError, did_you_mean, listing


class Settings(BaseModel):
    """A group of settings, declared beside the code that uses it.

    Subclasses are frozen; each field has a docstring below it, which becomes its description.
    TOML and the command line have no word for None: "none" stands for it in a field that may be
    None and is no text.

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

    # pydantic then checks a group inside a group itself, and knows the whole path of a mistake
    __init__.__pydantic_base_init__ = True  # pyright: ignore[reportFunctionMemberAccess]

    @model_validator(mode="before")
    @classmethod
    def _read_none(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        named = cast(Mapping[str, Any], values)
        empty = _may_be_none(cls)
        return {k: None if v == "none" and k in empty else v for k, v in named.items()}

    @classmethod
    def model_validate(cls, obj: Any, *, group: str = "", **options: Any) -> Self:
        """Check a mapping and build the settings from it.

        Args:
            obj: The mapping.
            group: What stands before a name in an error, where these settings are a group.
            options: Of pydantic.

        Raises:
            ConfigError: An unknown name or a wrong value.
        """
        try:
            return super().model_validate(obj, **options)
        except ValidationError as error:
            raise explain(cls, error, group) from None

    def given(self) -> dict[str, Any]:
        """Return only what was set, as `plain` does: what the user chose, without defaults."""
        values = self.plain()
        chosen: dict[str, Any] = {}
        for name in self.model_fields_set & set(values):
            group = getattr(self, name)
            chosen[name] = group.given() if isinstance(group, Settings) else values[name]
        return chosen

    def plain(self) -> dict[str, Any]:
        """Return all settings as nested plain values that TOML can hold.

        None becomes "none"; where that would be read as text the field is left out.

        Example:
            >>> class Stove(Settings):
            ...     minutes: int | None = 5
            >>> Stove(minutes=None).plain(), Stove.model_validate({"minutes": "none"}).minutes
            ({'minutes': 'none'}, None)
        """
        values = self.model_dump(mode="json")
        extra = self.model_extra or {}
        for name in list(values):
            group = getattr(self, name)
            if isinstance(group, Settings):
                values[name] = group.plain()
            elif values[name] is None and (name in extra or name in _may_be_none(type(self))):
                values[name] = "none"
            elif values[name] is None:
                del values[name]
        return values


@cache
def _may_be_none(model: type[BaseModel]) -> frozenset[str]:
    """Return the fields that accept None but no text."""
    kinds = {name: get_args(field.annotation) for name, field in model.model_fields.items()}
    return frozenset(name for name, args in kinds.items() if NoneType in args and str not in args)


def explain(model: type[BaseModel], error: ValidationError, group: str = "") -> ConfigError:
    """Say in one sentence what is wrong with the first refused setting."""
    detail = error.errors()[0]
    # within a choice of types pydantic names the type that it tried: no name of a setting
    parts = [str(part) for part in detail["loc"] if "[" not in str(part)]
    path = ".".join([group, *parts] if group else parts)
    if detail["type"] == "extra_forbidden":
        known = list(_group(model, detail).model_fields)
        hint = did_you_mean(str(detail["loc"][-1]), known)
        return ConfigError(f'Unknown setting "{path}".{hint or f" Known: {listing(known, 30)}."}')
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "value_error" and not parts:
        return ConfigError(message)
    if detail["type"] in ("model_type", "model_attributes_type"):
        inner = _group(model, detail, last=True)
        example = next(iter(inner.model_fields))
        message = f"This is a group: set what is in it, such as {path}.{example}"
    if detail["type"] == "missing" and parts and parts[-1].isdigit():
        path, message = path.rpartition(".")[0], "There are too few values in the list"
    if detail["type"] == "tuple_type":
        message = f'Write a list, as in {path}=["a", "b"]'
    return ConfigError(f'Setting "{path}": {message.rstrip(".")}. Got: {detail["input"]!r}.')


def _group(model: type[BaseModel], detail: ErrorDetails, *, last: bool = False) -> type[BaseModel]:
    """Return the class of settings in which an unknown name was found, or that it names."""
    for part in detail["loc"] if last else detail["loc"][:-1]:
        field = model.model_fields.get(str(part))
        annotation = None if field is None else field.annotation
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
