"""A stopwatch for phases that lie inside each other: each second counts once."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Generator


class Stopwatch:
    """Adds up the time of phases; a phase inside another one interrupts it.

    Args:
        settle: Called before each reading, to wait for a device that works on its own.

    Example:
        >>> watch = Stopwatch()
        >>> with watch.phase("outer"), watch.phase("inner"):
        ...     pass
        >>> sorted(watch.seconds)
        ['inner', 'outer']
    """

    def __init__(self, settle: Callable[[], object] = lambda: None) -> None:
        self.seconds: dict[str, float] = {}
        self._settle = settle
        self._open: list[str] = []
        self._since = 0.0

    @contextlib.contextmanager
    def phase(self, name: str) -> Generator[None]:
        """Count the time of what happens inside to this phase."""
        self._read()
        self._open.append(name)
        try:
            yield
        finally:
            self._read()
            self._open.pop()

    def _read(self) -> None:
        self._settle()
        now = time.perf_counter()
        if self._open:
            name = self._open[-1]
            self.seconds[name] = self.seconds.get(name, 0.0) + now - self._since
        self._since = now
