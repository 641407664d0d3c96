"""Kept memory: what one step of a training has freed is there for the next one.

The C library gives large blocks back to the system as soon as they are freed. The next step asks
for them again, and the system clears each page anew at its first touch: a step of the small GPT of
the benchmarks touched 20,000 such pages, which was a tenth to a sixth of its time.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from collections.abc import Generator

# names and numbers of mallopt(3)
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
LARGEST_BLOCK = 32 * 2**20
"""Bytes up to which a freed block is kept, the most that the C library allows; larger ones go back
to the system at once, as before."""
MOST_KEPT = 2**31 - 1
"""Bytes at the end of the heap up to which nothing is given back."""


@contextlib.contextmanager
def memory_kept() -> Generator[None]:
    """Keep freed memory while entered, and give it back to the system at the end.

    It does nothing but with GNU's C library, or where its behaviour was chosen by a variable of
    the environment. Afterwards the library behaves as in a process that has once freed a block of
    `LARGEST_BLOCK`: its limits adapt until they are set for the first time.

    Example:
        >>> import torch
        >>> with memory_kept():
        ...     total = sum(torch.ones(1_000_000).sum().item() for _ in range(3))
        >>> total
        3000000.0
    """
    library = _library()
    if library is None:
        yield
        return
    library.mallopt(_MMAP_THRESHOLD, LARGEST_BLOCK)
    library.mallopt(_TRIM_THRESHOLD, MOST_KEPT)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, 2 * LARGEST_BLOCK)
        library.malloc_trim(0)


def _library() -> ctypes.CDLL | None:
    """Return the C library, where it is GNU's and nobody has told it what to do."""
    chosen = "malloc" in os.environ.get("GLIBC_TUNABLES", "") or any(
        f"MALLOC_{name}_THRESHOLD_" in os.environ for name in ("TRIM", "MMAP")
    )
    if chosen or platform.system() != "Linux":
        return None
    library = ctypes.CDLL(None)
    has_all = all(hasattr(library, n) for n in ("gnu_get_libc_version", "mallopt", "malloc_trim"))
    return library if has_all else None
