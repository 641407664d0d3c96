"""The pace of a change to pictures: the same batches for all, and the same way to time them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Sample
from benchmarks.pictures import Pictures

WARM_UP, FEWEST, MOST, SECONDS = 3, 5, 100, 1.0
"""Batches before the clock starts, at least and at most behind it, and when it is enough."""

Bytes = NDArray[np.uint8]


def grey(pictures: Pictures) -> Bytes:
    """Return a batch of small grey pictures, (128, 1, 28, 28)."""
    return pictures.train[:128, None].copy()


def coloured(pictures: Pictures) -> Bytes:
    """Return a batch of coloured pictures, (64, 3, 96, 96): three clothes are the colours of one.

    They are enlarged without smoothing and lose their border.
    """
    three = pictures.train[: 3 * 64].reshape(64, 3, 28, 28)[:, :, 2:26, 2:26]
    return np.ascontiguousarray(three.repeat(4, axis=2).repeat(4, axis=3))


def pace(change: Callable[[], Bytes | NDArray[np.float32]], before: Bytes) -> Sample:
    """Time a change of a batch.

    Args:
        change: Returns the changed pictures, bytes or floats in 0 … 1, as an array.
        before: The pictures, to see that they were changed at all.
    """
    for _ in range(WARM_UP):
        after = change()
    seconds: list[float] = []
    while len(seconds) < FEWEST or (sum(seconds) < SECONDS and len(seconds) < MOST):
        started = time.perf_counter()
        after = change()
        seconds.append(time.perf_counter() - started)
    levels = after.astype(np.float32) * (1.0 if after.dtype == np.uint8 else 255.0)
    moved = float(np.abs(levels - before).mean())
    return Sample(statistics.median(seconds), {"mean_change_of_255": round(moved, 2)})
