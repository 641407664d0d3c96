"""Choices by name: every model, optimizer, schedule, activation and kind lives in a catalog."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from deepwell.errors import ConfigError, did_you_mean, listing

Entry = TypeVar("Entry")


@dataclass(frozen=True, slots=True)
class Part:
    """What a person wants to know about an entry.

    Args:
        summary: One line on what it does.
        source: Who wrote it down.
    """

    summary: str
    source: str


class Catalog(Generic[Entry]):
    """Names and what they stand for, in the order of registration.

    Args:
        noun: What an entry is, for messages ("optimizer").
        error: The class raised for an unknown name.

    Example:
        >>> colours = Catalog[str]("colour")
        >>> colours.add("red", "#ff0000")
        >>> colours["red"]
        '#ff0000'
        >>> colours["rad"]
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: Unknown colour "rad". Did you mean "red"? Known: red.
    """

    def __init__(self, noun: str, *, error: type[Exception] = ConfigError) -> None:
        self._noun = noun
        self._error = error
        self._entries: dict[str, Entry] = {}
        self._parts: dict[str, Part] = {}

    def add(self, name: str, entry: Entry, *, summary: str = "", source: str = "") -> None:
        """Register an entry, with a line on what it does and who wrote it down.

        Raises:
            ValueError: The name is taken.
        """
        if name in self._entries:
            raise ValueError(f'{self._noun} "{name}" is registered twice.')
        self._entries[name] = entry
        self._parts[name] = Part(summary, source)

    def describe(self, name: str) -> Part:
        """Return what was said of an entry when it was registered."""
        return self._parts[name]

    def __getitem__(self, name: str) -> Entry:
        if name not in self._entries:
            hint = did_you_mean(name, self._entries)
            known = listing(self._entries, limit=40)
            raise self._error(f'Unknown {self._noun} "{name}".{hint} Known: {known}.')
        return self._entries[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def items(self) -> Iterator[tuple[str, Entry]]:
        """Pairs of name and entry in the order of registration."""
        return iter(self._entries.items())
