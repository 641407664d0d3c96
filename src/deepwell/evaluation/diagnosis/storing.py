"""The file diagnosis.json of a run: what was measured for the diagnosis, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from deepwell.evaluation.diagnosis.examine import examine
from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.record import Record
from deepwell.files import write_json

FILE_NAME = "diagnosis.json"


def renew(folder: Path, measured: Mapping[str, Any] | None = None) -> tuple[Finding, ...]:
    """Examine a run again and write its diagnosis.json.

    Args:
        folder: The run folder.
        measured: What was newly measured; it is added to what the file already holds.

    Raises:
        RunError: There is no run in this folder, or a file in it is damaged.
        OutputError: The folder cannot be written.
    """
    record = Record.read(folder)
    known = {**(record.diagnosis.get("measured") or {}), **(measured or {})}
    findings = examine(Symptoms(record, known))
    write_json(
        folder / FILE_NAME,
        {"findings": [finding.to_json() for finding in findings], "measured": known},
    )
    return findings
