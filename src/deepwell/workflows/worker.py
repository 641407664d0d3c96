"""A process of a training that Python started: does one job, and leaves where the answer is."""

from __future__ import annotations

import sys
from pathlib import Path

from deepwell.engine.launch import hand_over
from deepwell.engine.processes import joined_processes
from deepwell.files import read_json, write_json
from deepwell.workflows.resume import resume
from deepwell.workflows.train import train

VERBS = {"train": train, "resume": resume}


def main(path: Path) -> None:
    """Do the job of a file, see `run_in_processes`."""
    job, said = read_json(path), list[str]()
    result = VERBS[job["verb"]](**job["arguments"], say=said.append)
    if joined_processes().is_first:
        write_json(Path(job["answer"]), {"run": str(result.folder.path), "said": said})


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]))
    except BaseException as error:
        if not hand_over(error):
            raise
        sys.exit(2)
