"""Many processes: when a workflow starts them, and what each of them does."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepwell.artifact import load
from deepwell.engine.devices import check_devices
from deepwell.engine.launch import launch
from deepwell.engine.processes import are_several, joined_processes
from deepwell.errors import ConfigError
from deepwell.files import read_json, write_json
from deepwell.runs import RunFolder
from deepwell.workflows.finish import TrainResult
from deepwell.workflows.prepare import Say
from deepwell.workflows.settings import TrainSettings

WORKER = "deepwell.workflows.worker"
"""The module that a process runs when Python, not the command line, started the training."""


def processes_to_start(settings: Mapping[str, Any]) -> int:
    """Return how many processes must be started for a training, or 0 if this one goes on.

    Args:
        settings: The user's, nested as in `TrainSettings`.

    Raises:
        ConfigError: A wrong setting of the engine, or more devices than there are.
    """
    asked = settings.get("engine", {})
    if not isinstance(asked, Mapping) or "devices" not in asked:
        return 0
    engine = TrainSettings.model_validate({"engine": asked}).engine
    check_devices(engine)
    return engine.devices if engine.devices > 1 and not are_several() else 0


def refuse_sharding_alone(settings: Mapping[str, Any]) -> None:
    """Refuse to divide the weights of a network among one process.

    Raises:
        ConfigError: strategy=fsdp was asked for, and there are no several processes.

    Example:
        >>> refuse_sharding_alone({"engine": {"strategy": "fsdp", "devices": 2}})
    """
    asked = settings.get("engine", {})
    if not isinstance(asked, Mapping) or asked.get("strategy") != "fsdp" or are_several():
        return
    if asked.get("devices", 1) == 1:
        raise ConfigError(
            "strategy=fsdp divides the weights among several processes, and there is one: train "
            "with --devices 2 or more, or leave strategy out."
        )


def run_in_processes(
    verb: str,
    arguments: Mapping[str, Any],
    *,
    processes: int,
    objects: Mapping[str, object],
    say: Say,
) -> TrainResult:
    """Run `train` or `resume` in several processes, and return what the first one left.

    Args:
        verb: Name of the function.
        arguments: Plain values that are handed to it.
        processes: How many.
        objects: What was given that no other process can be handed: name → whether it was.
        say: Called with the findings when the processes have ended.

    Raises:
        ConfigError: There are such objects.
        DeepwellError: As the function raises it.
        KeyboardInterrupt: Stopped by Ctrl-C.
    """
    given = [name for name, value in objects.items() if value]
    if given:
        raise ConfigError(
            f"devices={processes} starts new processes, which cannot be handed {', '.join(given)}: "
            "give the path of a file and the name of a model, or run the script itself in several "
            f"processes with `torchrun --nproc-per-node {processes} SCRIPT` and leave devices out."
        )
    with tempfile.TemporaryDirectory() as folder:
        job, answer = Path(folder) / "job.json", Path(folder) / "answer.json"
        write_json(job, {"verb": verb, "arguments": dict(arguments), "answer": str(answer)})
        launch([sys.executable, "-m", WORKER, str(job)], processes=processes)
        found = read_json(answer)
    for text in found["said"]:
        say(text)
    run = RunFolder.open(found["run"])
    return TrainResult(run, run.read("result.json"), load(run.model))


def command_in_processes(settings: Mapping[str, Any], arguments: Sequence[str]) -> int | None:
    """Run a command of Deepwell in several processes, if its settings ask for them.

    Args:
        settings: Nested, as in `TrainSettings`.
        arguments: Of the command line, without its name.

    Returns:
        The exit code, or None if nothing was started and this process goes on.

    Raises:
        DeepwellError: What went wrong in the processes.
        KeyboardInterrupt: Stopped by Ctrl-C.
    """
    processes = processes_to_start(settings)
    if not processes:
        return None
    return launch([sys.executable, "-m", "deepwell", *arguments], processes=processes)


def require_one_model(settings: TrainSettings) -> None:
    """Refuse a race of models by several processes: its rules follow each one's own clock.

    Raises:
        ConfigError: So it is.
    """
    processes = joined_processes()
    if settings.model.name == "auto" and not processes.is_alone:
        raise ConfigError(
            f"{processes.size} processes train one network together, and model=auto lets several "
            "compete: choose a --model, such as mlp, or train with devices=1."
        )


def new_run(runs: Path, name: str | None, *, fallback: str) -> RunFolder:
    """Make a run folder; of several processes, the first one makes it for all."""
    processes = joined_processes()
    made = RunFolder.create(runs, name, fallback=fallback) if processes.is_first else None
    path = processes.share("" if made is None else str(made.path))
    return RunFolder(path) if made is None else made


def tell_summary(summary: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Tell the other processes what came out, or hear it from the first one.

    Args:
        summary: In the first process what is in result.json, or None if training was stopped.
    """
    said = joined_processes().share(json.dumps(summary))
    return json.loads(said)
