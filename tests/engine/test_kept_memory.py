"""Freed memory is there again for the next step, and is given back at the end."""

import json
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc", reason="only GNU's C library can be told"
)
# each in a process of its own, since what it has freed before changes what the library does
SCRIPT = """
import json, resource
from pathlib import Path
import torch
from deepwell.engine.kept_memory import memory_kept

torch.set_num_threads(1)
PAGES = 24 * 2**20 // resource.getpagesize()

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1])

def step():
    blocks = [torch.ones(6 * 2**20) for _ in range(6)]

def blocks_touched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / PAGES

step()
before = resident()
with memory_kept():
    for _ in range(6):  # small pieces between the blocks make it settle within some steps
        step()
    touched, kept = blocks_touched(), (resident() - before) / PAGES
after = (resident() - before) / PAGES
print(json.dumps([touched, kept, after]))
"""


def _measured(**environment: str) -> list[float]:
    """Run it; return blocks touched anew in a step, kept between steps, and kept afterwards."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, env=environment
    )
    return json.loads(done.stdout)


def test_freed_blocks_are_kept_and_given_back():
    touched, kept, after = _measured()
    assert touched < 0.1
    assert kept > 3  # six, less what was free before
    assert after < 0.5


def test_what_the_environment_says_is_left_alone():
    touched, kept, _ = _measured(MALLOC_TRIM_THRESHOLD_="1000000")
    assert touched > 5
    assert kept < 0.5
