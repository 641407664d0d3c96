"""What is refused before torch is imported, which alone takes seconds: files that are not there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def require_data(data: str, *first: Path | None) -> None:
    """Refuse data that are not there.

    Args:
        data: What was written for them.
        *first: Other places of the command; where one of them is wrong, that is told first.

    Raises:
        FileFormatError: There is no such file or folder.
    """
    if not _is_there(data) and all(place is None or place.exists() for place in first):
        from deepwell.data.content import existing

        existing(data)


def require_data_to_train(
    data: str, settings: Mapping[str, Any], *, runs: Path, name: str | None
) -> None:
    """Refuse data that are not there, after what is wrong with the rest of the command.

    Args:
        data: What was written for them.
        settings: Of the training.
        runs: Folder of the run folders.
        name: Name of the new one.

    Raises:
        DeepwellError: The run folder cannot be made, a setting is wrong, or there are no data.
    """
    if _is_there(data):
        return
    from deepwell.evaluation.success import parse_success
    from deepwell.runs.folder import RunFolder
    from deepwell.workflows.settings import TrainSettings

    RunFolder.check_place(runs, name)
    asked = TrainSettings.model_validate(settings)
    if asked.evaluation.success is not None:
        parse_success(asked.evaluation.success)
    require_data(data)


def require_runs(*runs: Path) -> None:
    """Refuse folders that hold no run.

    Raises:
        RunError: There is no run folder at one of these paths.
    """
    from deepwell.runs.folder import RunFolder

    for run in runs:
        RunFolder.open(run)


def _is_there(data: str) -> bool:
    """Say whether something is there; what cannot even be asked is left to the reader."""
    try:
        return bool(data.strip()) and Path(data).expanduser().exists()
    except OSError:
        return True
