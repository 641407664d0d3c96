"""Quiet: whether other programs used the processor while something was measured."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

BUSY = 0.05
"""Share of all cores from which other programs disturb."""
PATIENCE, PAUSE = 300.0, 2.0
"""Seconds to wait at most for a quiet machine, and length of a look at it."""
_STAT = Path("/proc/stat")


@dataclass(frozen=True, slots=True)
class Watch:
    """A moment: the clock, what all programs have used, and what we and our processes have.

    Example:
        >>> watch = Watch.now()
        >>> 0.0 <= watch.others() <= 1.0
        True
    """

    clock: float
    everyone: float
    own: float

    @classmethod
    def now(cls) -> Watch:
        """Return this moment."""
        times = os.times()
        own = times.user + times.system + times.children_user + times.children_system
        return cls(time.perf_counter(), _everyone(), own)

    def others(self) -> float:
        """Return the share of all cores that others have used since; 0 where it is unknown."""
        now = Watch.now()
        available = (now.clock - self.clock) * (os.cpu_count() or 1)
        foreign = (now.everyone - self.everyone) - (now.own - self.own)
        # the system counts in ticks of 10 ms on each core: less cannot be told
        foreign -= 0.02
        return min(1.0, max(0.0, foreign / available)) if self.everyone and available else 0.0


def wait() -> bool:
    """Wait until others leave the processor alone; return False if they do not in `PATIENCE`."""
    deadline = time.perf_counter() + PATIENCE
    while True:
        watch = Watch.now()
        time.sleep(PAUSE)
        if watch.others() <= BUSY:
            return True
        if time.perf_counter() > deadline:
            return False


def _everyone() -> float:
    """Return the seconds of processor time that all programs have used (Linux), else 0."""
    if not _STAT.is_file():
        return 0.0
    counts = _STAT.read_text(encoding="ascii").split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, soft, *_ = (int(count) for count in counts)
    return (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
