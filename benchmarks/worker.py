"""The worker: one contender, one seed, one process; its last line of output is the sample.

Run as `python -m benchmarks.worker CONTENDER FUNCTION FOLDER SEED`. It imports only what the
contender needs, so that it also runs in an environment without Deepwell.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.harness import Sample, Unavailable
from benchmarks.pictures import read

ROOT = Path(__file__).parents[1]


def main(contender: str, function: str, folder: str, seed: str, *packages: str) -> None:
    """Measure and print the sample as JSON."""
    module = importlib.import_module(f"benchmarks.contenders.{contender}")
    # the whole command reads its files itself
    data = Path(folder) if function.endswith("_command") else read(Path(folder))
    sample: Sample = getattr(module, function)(data, int(seed))
    versions = {name: importlib.metadata.version(name) for name in packages}
    print(json.dumps(asdict(replace(sample, versions=versions))))


def launch(
    python: str,
    contender: str,
    function: str,
    folder: Path,
    seed: int,
    *,
    packages: tuple[str, ...] = (),
    environment: dict[str, str] | None = None,
) -> Sample:
    """Measure a contender in a process of its own.

    Raises:
        Unavailable: A package is missing in that environment, or the contender failed.
    """
    import os

    command = [python, "-m", "benchmarks.worker", contender, function, str(folder), str(seed)]
    done = subprocess.run(
        [*command, *packages],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        if "ModuleNotFoundError" in last:
            raise Unavailable(f"{last.partition(': ')[2]} (see benchmarks/peers.txt)")
        raise Unavailable(f"it failed: {last}")
    return Sample(**json.loads(done.stdout.strip().splitlines()[-1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
