"""Trains in two processes, started by `torchrun`; every scenario leaves its weights in a file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from many_scenarios import FORMS, ROADS, SCENARIOS, interrupted_run, run
from safetensors.torch import save_file

from deepwell.engine.processes import joined_processes
from deepwell.errors import DeepwellError


def main(folder: Path, names: list[str]) -> None:
    torch.set_num_threads(1)
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
