"""The manifest: on what a run was made, so that it can be made again."""

import importlib.metadata
import os
import platform
from pathlib import Path

from deepwell.version import __version__

PACKAGES = ("torch", "numpy", "polars", "scikit-learn", "safetensors", "pillow")


def describe_versions() -> dict[str, str]:
    """Return the versions that decide a result: Deepwell, Python and the numeric packages."""
    versions = {"deepwell": __version__, "python": platform.python_version()}
    for package in PACKAGES:
        versions[package] = importlib.metadata.version(package)
    return versions


def describe_hardware(device: str) -> dict[str, str | int | float]:
    """Return processor, cores, memory in GiB and the device that was trained on."""
    description: dict[str, str | int | float] = {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count() or 1,
        "device": device,
    }
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        description["memory_gib"] = round(memory / 2**30, 1)
    return description


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
