"""Trains in two processes, started by `torchrun`; every scenario leaves its weights in a file."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from many_scenarios import FORMS, ROADS, SCENARIOS, interrupted_run, run
from safetensors.torch import save_file

from deepwell.engine import checkpoint
from deepwell.engine.processes import joined_processes
from deepwell.errors import DeepwellError


def write_slowly() -> None:
    """Let the writer of checkpoints fall behind: nobody may read before it is done."""
    write = checkpoint._write

    def wait_and_write(*arguments: Any) -> None:
        time.sleep(0.3)
        write(*arguments)

    checkpoint._write = wait_and_write


def main(folder: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
    write_slowly()
    processes = joined_processes()
    found: dict[str, object] = {}
    for name in names:
        try:
            if name in ROADS:
                weights, facts = interrupted_run(folder / ROADS[name], **FORMS[name])
            else:
                weights, facts = run(**SCENARIOS[name])
        except DeepwellError as error:
            weights, facts = {"none": torch.zeros(1)}, {"error": str(error)}
        # each process says what it has, so that the test can see that they agree
        save_file(weights, folder / f"{name}-{processes.rank}.safetensors")
        found[name] = facts
    (folder / f"facts-{processes.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2].split(","))
