"""Reading ahead: a thread makes the next thing while the last one is used."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

Key = TypeVar("Key")
Made = TypeVar("Made")


class ReadAhead(Generic[Key, Made]):
    """Makes something for each key, in order, one ahead of what is asked for.

    A context: left at any time and in any way, it ends the thread. What goes wrong in the thread
    is raised where the thing is asked for.

    Args:
        make: Called in the thread, once a key.
        keys: In order.

    Example:
        >>> with ReadAhead(lambda number: number * 10, [1, 2, 3]) as made:
        ...     list(made)
        [10, 20, 30]
    """

    def __init__(self, make: Callable[[Key], Made], keys: Iterable[Key]) -> None:
        self._make = make
        self._keys = keys
        self._ready: queue.Queue[tuple[Made | None, BaseException | None, bool]] = queue.Queue(1)
        self._is_wanted = threading.Semaphore(1)
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="read-ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_closed.set()
        self._is_wanted.release()
        self._thread.join()

    def __iter__(self) -> Iterator[Made]:
        while True:
            made, error, is_last = self._ready.get()
            if error is not None:
                raise error
            if is_last:
                return
            # only now the next one is begun: at most two are in memory
            self._is_wanted.release()
            if made is not None:
                yield made

    def _work(self) -> None:
        try:
            for key in self._keys:
                self._is_wanted.acquire()
                if self._is_closed.is_set():
                    return
                self._ready.put((self._make(key), None, False))
            self._is_wanted.acquire()
            if not self._is_closed.is_set():  # else nobody empties the queue
                self._ready.put((None, None, True))
        except BaseException as error:
            self._ready.put((None, error, False))
