"""The worker: one contender, one seed, one process; its last line of output is the sample.

Run as `python -m benchmarks.worker CONTENDER FUNCTION FOLDER SEED`. `train@cnn` calls the function
`train` for the workload cnn, and FOLDER is the file of its rows then. Only what the contender needs
is imported, so that it also runs in an environment without Deepwell.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from benchmarks import workloads
from benchmarks.harness import Contender, Sample, Unavailable
from benchmarks.pictures import read

ROOT = Path(__file__).parents[1]


def main(contender: str, function: str, folder: str, seed: str, *packages: str) -> None:
    """Measure and print the sample as JSON."""
    module = importlib.import_module(f"benchmarks.contenders.{contender}")
    function, _, workload = function.partition("@")
    call = getattr(module, function)
    if workload:
        sample = workloads.run(call, workload, folder, int(seed))
    else:
        # the whole command reads its files itself
        data = Path(folder) if function.endswith("_command") else read(Path(folder))
        sample = call(data, int(seed))
    versions = {name: importlib.metadata.version(name) for name in packages}
    print(json.dumps(asdict(replace(sample, versions=versions))))


@dataclass(frozen=True, slots=True)
class Entry:
    """A contender in a process of its own.

    Args:
        name: For programs.
        title: For people.
        file: In `contenders/`.
        function: In that file.
        packages: Whose versions are recorded; given for peers, which may live elsewhere.
        environment: Variables of the process.
    """

    name: str
    title: str
    file: str
    function: str = "lecture"
    packages: tuple[str, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)

    def contender(self, python: str, data: Path) -> Contender:
        """Return it for taking turns: the repeats are its seeds.

        Args:
            python: Of the environment in which it runs.
            data: What the worker reads: a folder of pictures, or the rows of a workload.
        """
        return Contender(self.name, self.title, lambda seed: launch(self, python, data, seed))


def launch(entry: Entry, python: str, data: Path, seed: int) -> Sample:
    """Measure a contender in a process of its own.

    Raises:
        Unavailable: A package is missing in that environment, or the contender failed.
    """
    command = [python, "-m", "benchmarks.worker", entry.file, entry.function, str(data), str(seed)]
    done = subprocess.run(
        [*command, *entry.packages],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **entry.environment},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        if "ModuleNotFoundError" in last:
            raise Unavailable(f"{last.partition(': ')[2]} (see benchmarks/peers.txt)")
        raise Unavailable(f"it failed: {last}")
    return Sample(**json.loads(done.stdout.strip().splitlines()[-1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
