"""What a run folder holds, as a report reads it. Parts are missing if a run was interrupted."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deepwell.data.schema import ColumnSpec, Schema
from deepwell.errors import RunError
from deepwell.files import read_json
from deepwell.runs.folder import RunFolder
from deepwell.runs.looks import read_looks

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Record:
    """The files of a run folder.

    Args:
        folder: The run folder.
        status: `state` and `reason`.
        manifest: Command, seed, versions, hardware, data.
        data: Schema, task, split, notes.
        layers: The layer table.
        evaluation: Scores, baselines, mistakes; empty if the run did not get so far.
        result: The answer in short.
        diagnosis: Findings, and what was measured for them.
        race: The models that competed; empty where one was chosen.
        range_test: What `--find-lr` tried; empty without it.
        folds: The scores of cross-validation; empty without it.
        lines: The lines of metrics.jsonl.
        config: The text of config.toml.
        looks: Who scored the test rows, the first look first.
    """

    folder: Path
    status: Json = field(default_factory=dict)
    manifest: Json = field(default_factory=dict)
    data: Json = field(default_factory=dict)
    layers: Json = field(default_factory=dict)
    evaluation: Json = field(default_factory=dict)
    result: Json = field(default_factory=dict)
    diagnosis: Json = field(default_factory=dict)
    race: Json = field(default_factory=dict)
    range_test: Json = field(default_factory=dict)
    folds: Json = field(default_factory=dict)
    lines: Sequence[Json] = ()
    config: str = ""
    looks: Sequence[Json] = ()

    @classmethod
    def read(cls, folder: Path) -> Record:
        """Read a run folder.

        Raises:
            RunError: There is no run in this folder, or a file in it is damaged.
        """
        run = RunFolder.open(folder)
        config = run / "config.toml"
        return cls(
            folder=run.path,
            status=_read(run / "status.json"),
            manifest=_read(run / "manifest.json"),
            data=_read(run / "data.json"),
            layers=_read(run / "layers.json"),
            evaluation=_read(run / "evaluation.json"),
            result=_read(run / "result.json"),
            diagnosis=_read(run / "diagnosis.json"),
            race=_read(run / "race.json"),
            range_test=_read(run / "find_lr.json"),
            folds=_read(run / "folds.json"),
            lines=run.read_metrics(),
            config=config.read_text(encoding="utf-8") if config.is_file() else "",
            looks=read_looks(run),
        )

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.resolve().name

    @property
    def state(self) -> str:
        """running, interrupted, finished or failed."""
        return str(self.status.get("state", "finished"))

    @property
    def task(self) -> Json:
        """Name, reason, targets and labels of the task."""
        return self.data.get("task") or {}

    @property
    def task_name(self) -> str:
        """regression, binary, multiclass, multilabel, or "" if the run did not get so far."""
        return str(self.task.get("name") or self.evaluation.get("task") or "")

    @property
    def targets(self) -> list[str]:
        """Names of the target columns."""
        return list(self.task.get("targets") or self.evaluation.get("targets") or ())

    @property
    def columns(self) -> tuple[ColumnSpec, ...]:
        """The columns of the schema, in the order of the file."""
        schema = self.data.get("schema")
        return Schema.from_json(schema).columns if schema else ()

    @property
    def epochs(self) -> list[Json]:
        """The lines of metrics.jsonl that end an epoch."""
        return [line for line in self.lines if line.get("kind") == "epoch"]

    @property
    def steps(self) -> list[Json]:
        """The lines of metrics.jsonl of logged steps."""
        return [line for line in self.lines if line.get("kind") == "step"]

    @property
    def notes(self) -> list[str]:
        """What the engine noted about the training."""
        return [str(line.get("text")) for line in self.lines if line.get("kind") == "note"]

    def setting(self, *path: str) -> Any:
        """Return a value of config.toml, or None."""
        try:
            value: Any = tomllib.loads(self.config)
        except tomllib.TOMLDecodeError:
            return None
        for key in path:
            value = value.get(key) if isinstance(value, dict) else None
        return value


def _read(path: Path) -> Json:
    if not path.is_file():
        return {}
    try:
        value = read_json(path)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(
            f"{path} is damaged: it is not JSON ({error}). Run the training again."
        ) from None
    if not isinstance(value, dict):
        raise RunError(f"{path} is damaged: it must hold a JSON object. Run the training again.")
    return value
