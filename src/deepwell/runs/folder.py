"""The run folder: where everything about one training is kept."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.errors import OutputError, RunError, did_you_mean
from deepwell.files import atomic_path, explain_os_error, read_json, write_json

State = Literal["running", "interrupted", "finished", "failed"]
SplitName = Literal["train", "val", "test"]


class RunFolder:
    """Paths and contents of one run.

    ================  ===============================================================
    status.json       running, interrupted, finished or failed, and why
    config.toml       all settings, resolved; `--config` reads it again
    manifest.json     versions, hardware, data hash, seed, command
    data.json         schema, task, split, notes, leaks, shift
    splits.parquet    row id and side of each row
    seen.npy          hash of each row of training and validation
    tested.npy        hash of each test row
    find_lr.json      the range test of `--find-lr`
    find_batch_size.json  the sizes that `--find-batch-size` tried
    loggers.json      where TensorBoard and MLflow keep this run
    metrics.jsonl     one line a logged step and an epoch
    layers.json       the layer table
    checkpoints/      what a resume needs
    members/          finished models of an interrupted race or of folds
    race.json         the models that competed, where several did
    folds.json        the scores of cross-validation
    model/            the portable model
    evaluation.json   scores, intervals, baselines, mistakes
    result.json       the answer in short, for programs
    predictions.parquet  answers for the test rows, beside the truth
    looks.json        who scored the test rows, and when
    diagnosis.json    what is wrong, and what was measured to find it
    report.html       the answer for people
    ================  ===============================================================

    Args:
        path: The folder; it need not exist yet.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._made: tuple[Path, ...] = ()

    def __truediv__(self, name: str) -> Path:
        return self.path / name

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        """Folder of the portable model."""
        return self.path / "model"

    @property
    def members(self) -> Path:
        """Folder of the finished models of which the model is put together."""
        return self.path / "members"

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is something to resume from."""
        has_members = any(self.members.rglob("manifest.json"))
        return has_members or any(self.checkpoints.glob("step-*.safetensors"))

    @property
    def metrics(self) -> Path:
        """The file of metrics per step and epoch."""
        return self.path / "metrics.jsonl"

    @classmethod
    def create(cls, runs: Path, name: str | None, *, fallback: str) -> RunFolder:
        """Make a new, empty run folder.

        Args:
            runs: Folder that holds all runs; made if it is missing.
            name: Name that the user chose; it must be free.
            fallback: Used when there is no name; a number is added until it is free.

        Raises:
            RunError: The chosen name is taken, or is not a name.
            OutputError: No permission to write.
        """
        cls.check_place(runs, name)
        made = tuple(folder for folder in (runs, *runs.parents) if not folder.exists())
        try:
            runs.mkdir(parents=True, exist_ok=True)
            if name is None:
                folder = cls(_first_free(runs, fallback))
            else:
                folder = cls(runs / name)
                folder.path.mkdir()
        except OSError as error:
            raise explain_os_error(error, runs) from error
        folder._made = made
        return folder

    @staticmethod
    def check_place(runs: Path, name: str | None = None) -> None:
        """Refuse, before slow work starts, a place where no run folder can be made.

        Raises:
            RunError: The chosen name is taken, or is not a name.
            OutputError: A file is in the way, or there is no permission to write.
        """
        if name is not None:
            if not re.fullmatch(r"[^/\\\0]{1,200}", name.strip(".") or "/"):
                raise RunError(f'"{name}" cannot be the name of a folder: choose letters, digits.')
            _refuse_existing(runs / name)
        place = runs.absolute()
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise OutputError(f"{runs} cannot be a folder, because {place} is a file.")
        if not os.access(place, os.W_OK | os.X_OK):
            raise explain_os_error(PermissionError(errno.EACCES, ""), runs)

    @classmethod
    def open(cls, path: Path | str) -> RunFolder:
        """Open an existing run folder.

        Raises:
            RunError: There is no run at this path.
        """
        folder = cls(path)
        if (folder / "status.json").is_file():
            return folder
        hint = did_you_mean(str(path), [str(run) for run in _runs_near(folder.path)])
        if not folder.path.exists():
            raise RunError(f"There is no run folder {path}.{hint}")
        raise RunError(f"{path} is not a run folder: it has no status.json.{hint}")

    @property
    def state(self) -> State:
        """What became of the run."""
        status = self.read("status.json")
        if not isinstance(status, dict) or status.get("state") not in get_args(State):
            raise _damaged(self / "status.json", "it names no state of a run")
        return status["state"]

    def read(self, name: str) -> Any:
        """Return what a JSON file of the folder holds.

        Raises:
            RunError: The file is missing or damaged.
        """
        try:
            return read_json(self / name)
        except (OSError, ValueError) as error:
            raise _damaged(self / name, error) from error

    def set_state(self, state: State, reason: str = "") -> None:
        """Record what became of the run."""
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        write_json(self / "status.json", {"state": state, "reason": reason, "time": now})

    def write_config(self, settings: Mapping[str, Any]) -> None:
        """Write the resolved settings as TOML; None, which TOML lacks, is left out."""
        import tomli_w

        with atomic_path(self / "config.toml") as temporary:
            temporary.write_text(tomli_w.dumps(_without_none(settings)), encoding="utf-8")

    def read_config(self) -> dict[str, Any]:
        """Read the resolved settings.

        Raises:
            RunError: The file is missing or damaged.
        """
        try:
            return tomllib.loads((self / "config.toml").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _damaged(self / "config.toml", error) from error

    def write_splits(self, ids: Mapping[SplitName, NDArray[np.int64]]) -> None:
        """Store which row, by id, is on which side."""
        sides = [name for name, rows in ids.items() for _ in range(len(rows))]
        rows = np.concatenate(list(ids.values()))
        with atomic_path(self / "splits.parquet") as temporary:
            pl.DataFrame({"id": rows, "split": sides}).write_parquet(temporary)

    def read_splits(self) -> dict[SplitName, NDArray[np.int64]]:
        """Return the row ids of each side.

        Raises:
            RunError: The file is missing or damaged.
        """
        path = self / "splits.parquet"
        try:
            frame = pl.read_parquet(path)
            return {name: frame.filter(split=name)["id"].to_numpy() for name in get_args(SplitName)}
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _damaged(path, error) from error

    def read_metrics(self) -> list[dict[str, Any]]:
        """Return all lines of metrics.jsonl; a torn last line is left out."""
        if not self.metrics.is_file():
            return []
        lines: list[dict[str, Any]] = []
        for line in self.metrics.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                break
        return lines

    def remove(self) -> None:
        """Delete the folder, and those made for it: nothing half written is left behind."""
        shutil.rmtree(self.path, ignore_errors=True)
        for folder in self._made:
            with contextlib.suppress(OSError):  # somebody else uses it by now
                folder.rmdir()


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise RunError(
            f"The run folder {path} exists already: choose another --name, "
            f"resume it with `deepwell resume {path}`, or delete it."
        )


def _runs_near(path: Path) -> list[Path]:
    """Return the run folders inside a folder, or else beside it."""
    for folder in (path, path.parent):
        runs = sorted(status.parent for status in folder.glob("*/status.json"))
        if runs:
            return runs
    return []


def _damaged(path: Path, why: object) -> RunError:
    text = (why.strerror if isinstance(why, OSError) else None) or str(why)
    reason = text.strip().partition("\n")[0].rstrip(".")
    return RunError(
        f"{path} is missing or damaged ({reason}): restore it, "
        "or start again with `deepwell train`."
    )


def _first_free(runs: Path, name: str) -> Path:
    safe = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    number = 1
    while True:
        path = runs / (safe if number == 1 else f"{safe}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            number += 1
        else:
            return path


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list | tuple):
        return [_without_none(item) for item in value]
    return value
