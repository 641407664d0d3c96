"""Memory: how much of it a piece of work takes at most, and how much there is."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import torch

_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)
"""Files in which Linux says what a container may use, and what it uses."""


class Watch:
    """Measures by how many bytes the memory in use rises at most, against that at its making.

    On a CUDA card this is exact. On a processor it is the growth of the process, which may be less
    than what was used where memory that had been freed before was taken again.

    Args:
        device: Where the work is done.

    Example:
        >>> watch = Watch(torch.device("cpu"))
        >>> watch.begin()
        >>> watch.peak() >= 0
        True
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        release(device)
        self._before = _in_use(device)

    def begin(self) -> None:
        """Forget earlier peaks."""
        release(self._device)
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            _forget_peak()

    def peak(self) -> int:
        """Return the highest rise since `begin`."""
        if self._device.type == "cuda":
            return max(0, torch.cuda.max_memory_allocated(self._device) - self._before)
        return max(0, peak_resident() - self._before)


def _in_use(device: torch.device) -> int:
    return torch.cuda.memory_allocated(device) if device.type == "cuda" else resident()


def wait_for(device: torch.device) -> None:
    """Wait until a device that works on its own has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def available(device: torch.device) -> int | None:
    """Return how many bytes may still be taken, or None where that is not known."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return free + cached
    found = [_free_of_machine(), *(_free_of_container(*files) for files in _LIMITS)]
    return min((size for size in found if size is not None), default=None)


def release(device: torch.device) -> None:
    """Give back what is no longer needed."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def resident() -> int:
    """Return the bytes of memory that this process has now."""
    return _status("VmRSS") or peak_resident()


def peak_resident() -> int:
    """Return the most bytes of memory that this process has had, since a `Watch` began."""
    found = _status("VmHWM")
    if found is not None:
        return found
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _forget_peak() -> None:
    """Let Linux count the peak anew; where that is not allowed the old one stays."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return


def _status(name: str) -> int | None:
    """Return a size that Linux tells about this process."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    for line in lines:
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    return None


def _free_of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    names = getattr(os, "sysconf_names", {})
    if "SC_PHYS_PAGES" not in names:
        return None
    # of a machine that does not tell what is free, half is taken to be
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def _free_of_container(limit: str, used: str) -> int | None:
    try:
        return int(Path(limit).read_text("ascii")) - int(Path(used).read_text("ascii"))
    except (OSError, ValueError):  # no container, or one without a limit
        return None


def readable(size: int) -> str:
    """Write a number of bytes for people.

    Example:
        >>> readable(512), readable(3_400_000), readable(141_000_000_000)
        ('512 B', '3.2 MiB', '131 GiB')
    """
    value = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024 or unit == "GiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" or value >= 100 else f"{value:.2g} {unit}"
