"""The machine: on what, with which versions and from which commit something was measured."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

from deepwell.runs import describe_hardware, describe_versions

ROOT = Path(__file__).parents[1]
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT")


def describe_machine() -> dict[str, Any]:
    """Return date, commit, hardware, versions, threads, and how busy the machine was before."""
    import torch

    return {
        "date": datetime.now().astimezone().isoformat(timespec="seconds"),
        "commit": commit(),
        "hardware": describe_hardware("cpu"),
        "versions": describe_versions(),
        "threads": torch.get_num_threads(),
        "environment": {name: os.environ[name] for name in THREAD_VARIABLES if name in os.environ},
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def commit() -> str:
    """Return the short name of the commit, with a mark if the sources differ from it."""
    try:
        head = _git("rev-parse", "--short=10", "HEAD")
        is_changed = bool(_git("status", "--porcelain", "--", "src"))
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{head} (changed)" if is_changed else head


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(ROOT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def in_words(machine: dict[str, Any]) -> str:
    """Return hardware and versions in one line."""
    hardware, versions = machine["hardware"], machine["versions"]
    packages = ("deepwell", "python", "torch", "numpy", "scikit-learn")
    return (
        f"{hardware['processor']}, {machine['threads']} threads on {hardware['cores']} cores, "
        f"{hardware.get('memory_gib', '?')} GiB; "
        + ", ".join(f"{name} {versions[name]}" for name in packages)
        + f"; commit {machine['commit']}; load before {machine['load']}"
    )
