"""The machine: on what, with which versions and from which commit something was measured."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.workloads import Rows, Workload
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


def measure_rates(seconds: float = 0.5) -> dict[str, float]:
    """Return what the machine multiplies in GFLOP/s, the best of many tries.

    A product of two matrices of 2048 × 2048, and a 3 × 3 convolution of 64 to 64 channels on 64
    pictures of 32 × 32 with their channels last, forward; 32-bit products by the faster of MKL
    and oneDNN.

    Args:
        seconds: For each of the rates.
    """
    import torch

    rates: dict[str, float] = {}
    for kind, dtype in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        matrix = torch.randn(2048, 2048).to(dtype)
        flops = 2 * 2048**3
        before = torch.get_float32_matmul_precision()
        rates[f"{kind} product"] = 0.0
        for library in ("highest", "medium"):
            torch.set_float32_matmul_precision(library)
            found = flops / _fastest(lambda m=matrix: m @ m, seconds) / 1e9
            rates[f"{kind} product"] = max(rates[f"{kind} product"], found)
        torch.set_float32_matmul_precision(before)
        layout = torch.channels_last
        pictures = torch.randn(64, 64, 32, 32).to(dtype).contiguous(memory_format=layout)
        layer = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).to(dtype)
        layer.to(memory_format=layout)
        flops = 2 * 64 * 32 * 32 * 64 * 64 * 9
        with torch.no_grad():
            found = _fastest(lambda p=pictures, c=layer: c(p), seconds)
        rates[f"{kind} convolution"] = flops / found / 1e9
    return rates


def _fastest(call: Callable[[], object], seconds: float) -> float:
    best, deadline = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < deadline:
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return best


def flops_of_step(work: Workload, rows: Rows) -> int:
    """Return the floating-point operations of one step, forward and backward, as torch counts.

    Attention is counted in full. Optimizers, activations and the like are not counted.

    Args:
        work: Names the network.
        rows: At least one batch.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    from benchmarks import networks

    network = networks.build(work.name)
    blocks = [torch.from_numpy(block[: work.batch_size]) for block in rows.inputs]
    blocks = [block.float() if block.dtype == torch.uint8 else block for block in blocks]
    targets = torch.from_numpy(rows.targets[: work.batch_size])
    # the fused kernel of the processor is unknown to the counter
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        networks.loss(network(*blocks), targets).backward()
    return counter.get_total_flops()
