"""Background: one piece of work at a time in another thread, whose error comes back to this one."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Background:
    """Does work in a thread, so that training goes on meanwhile.

    At most one piece is under way: starting the next one waits for it. What the work raises is
    raised here, by the first call that finds the work over. The thread is no daemon: a process
    that ends in order lets it finish.

    Example:
        >>> done = []
        >>> background = Background()
        >>> background.start(lambda: done.append("written"))
        >>> background.wait()
        >>> done
        ['written']
    """

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    @property
    def is_busy(self) -> bool:
        """Whether work is under way."""
        return self._thread is not None and self._thread.is_alive()

    def start(self, work: Callable[[], object]) -> None:
        """Start a piece of work when the one before is over.

        Raises:
            Exception: What the work before raised; the new one is not started then.
        """
        self.wait()

        def run() -> None:
            try:
                work()
            except Exception as error:
                self._error = error

        self._thread = threading.Thread(target=run, name="deepwell-background")
        self._thread.start()

    def wait(self) -> None:
        """Wait until nothing is under way.

        Raises:
            Exception: What the work raised.
        """
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        error, self._error = self._error, None
        if error is not None:
            raise error
