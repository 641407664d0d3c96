"""Opening a model folder: checked first, built then, proved last. Nothing of it is executed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from deepwell.artifact.architecture import Architecture, rebuild
from deepwell.artifact.folder import (
    ARCHITECTURE,
    DECISION,
    ENCODERS,
    GOLDEN,
    SCHEMA,
    TASK,
    WEIGHTS,
)
from deepwell.artifact.golden import Golden
from deepwell.artifact.manifest import check_files, read_manifest, read_part
from deepwell.artifact.running import run_network
from deepwell.artifact.safety import refuse_pickles
from deepwell.data.encoders import Encoders
from deepwell.data.schema import Schema
from deepwell.errors import ArtifactError, DeepwellError
from deepwell.tasks import from_json as task_from_json
from deepwell.tasks.base import Task
from deepwell.tasks.decisions import Decision

if TYPE_CHECKING:
    from torch import nn

Part = TypeVar("Part")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What a sound model folder holds."""

    model: nn.Module
    architecture: Architecture
    task: Task
    encoders: Encoders
    schema: Schema
    decision: Decision | None = None


def open_folder(folder: Path, model: nn.Module | None = None) -> Opened:
    """Check a model folder, build its network on the CPU and prove that it answers as it did.

    Args:
        folder: Where the manifest is.
        model: For a model of the user's own: a module with the right shapes, filled in place.

    Raises:
        ArtifactError: The folder is damaged, unsafe, made by a newer Deepwell, or does not answer
            as it did.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    refuse_pickles(folder)
    architecture = _part(folder, ARCHITECTURE, Architecture.from_json)
    task = _part(folder, TASK, task_from_json)
    encoders = _part(folder, ENCODERS, Encoders.from_json)
    schema = _part(folder, SCHEMA, Schema.from_json)
    golden = _part(folder, GOLDEN, Golden.from_json)
    has_decision = DECISION in manifest.files
    decision = _part(folder, DECISION, Decision.from_json) if has_decision else None
    _check_agreement(folder, architecture, encoders, task)
    if decision is not None and not decision.fits(task):
        raise ArtifactError(
            f"The files of {folder} do not belong together: {DECISION} is for the task "
            f"{decision.task} with {decision.size} answers, {TASK} is not."
        )
    network = rebuild(architecture, folder / WEIGHTS, model)
    network.eval()
    opened = Opened(
        model=network,
        architecture=architecture,
        task=task,
        encoders=encoders,
        schema=schema,
        decision=decision,
    )
    _prove(folder, opened, golden)
    return opened


def _part(folder: Path, name: str, build: Callable[[Any], Part]) -> Part:
    """Read one JSON file and build what it describes."""
    state = read_part(folder, name)
    try:
        return build(state)
    except (DeepwellError, LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        detail = f"{error} is missing" if isinstance(error, KeyError) else str(error).rstrip(".")
        raise ArtifactError(f"{folder / name} is damaged: {detail}.") from error


def _check_agreement(
    folder: Path, architecture: Architecture, encoders: Encoders, task: Task
) -> None:
    if architecture.input_spec != encoders.spec or architecture.head_size != task.head_size:
        raise ArtifactError(
            f"The files of {folder} do not belong together: {ARCHITECTURE} takes "
            f"{architecture.input_spec} and returns {architecture.head_size} numbers, but "
            f"{ENCODERS} gives {encoders.spec} and {TASK} needs {task.head_size}."
        )


def _prove(folder: Path, opened: Opened, golden: Golden) -> None:
    """Compute the golden rows again, on the CPU as on the day of saving."""
    try:
        outputs = run_network(
            opened.model, opened.encoders, golden.rows, head_size=opened.task.head_size
        )
        difference = golden.difference(outputs)
    except (DeepwellError, RuntimeError, TypeError, ValueError, LookupError) as error:
        raise ArtifactError(
            f"The model in {folder} cannot compute its golden rows: {error}"
        ) from error
    if difference:
        raise ArtifactError(
            f"The model in {folder} does not answer as it did when it was saved: {difference}. "
            "Do not use it: copy or train it again."
        )
